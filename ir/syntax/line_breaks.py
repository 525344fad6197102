"""Long lines of a printed operator, broken where little stands open."""

from __future__ import annotations

LINE_WIDTH = 100
"""Columns of a printed line."""

_COST = {"+": 1, "-": 1, "and": 1, "or": 1} | dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), 2) | dict.fromkeys("*/%", 3)
"""How much a break before an operator hurts; behind a comma it does not. An open bracket counts 2."""


def broken(line: str, indent: int) -> list[str]:
    """The line in pieces of at most `LINE_WIDTH` columns where it has places to break; later pieces are indented.

    A place is a space behind a comma or semicolon, or before an operator. Of those in the right half the cheapest is
    taken, of several the last.

    >>> broken("y[i] = " + "a[i] + " * 30 + "b[i]", 6)[0][-4:]
    'a[i]'
    """
    pieces = []
    while len(line) > LINE_WIDTH:
        at = _break(line, len(line) - len(line.lstrip()))
        if at is None:
            break
        pieces.append(line[:at].rstrip())
        line = " " * indent + line[at:].lstrip()
    return [*pieces, line]


def _break(line: str, start: int) -> int | None:
    """Where to break, or None where there is no place before the width is reached."""
    places: list[tuple[int, int]] = []
    depth = 0
    for at, char in enumerate(line[: LINE_WIDTH + 1]):
        depth += (char in "([{") - (char in ")]}")
        if char == " " and at > start:
            cost = 0 if line[at - 1] in ",;" else _COST.get(line[at + 1 :].partition(" ")[0])
            if cost is not None:
                places.append((2 * depth + cost, -at))
    late = [place for place in places if -place[1] > LINE_WIDTH // 2] or places
    return -min(late)[1] if late else None
