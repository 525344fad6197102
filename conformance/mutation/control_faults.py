"""Faults of control: synchronisation, guards, comparisons, loops.

A bound moved by less than a loop's step is not made: it may leave the meaning as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.c_text.source_tokens import Token, partner
from uol.conformance.mutation.fault_places import (
    BOUNDARIES,
    RELATIONS,
    Edit,
    calls,
    compares,
    comparison,
    loop_headers,
    number,
    operand_start,
    top_level,
)

SYNCHRONISATION = frozenset(
    (
        *("__syncthreads", "__syncwarp", "warp_barrier"),
        *("SetFlag", "WaitFlag", "PipeBarrier", "CrossCoreSetFlag", "CrossCoreWaitFlag", "SyncAll"),
    )
)
"""Statements that order memory."""


def dropped_synchronisation(tokens: list[Token]) -> Iterator[Edit]:
    """Each statement that synchronises, alone; and each flag with the wait that follows it."""
    statements = [
        (name, Edit(tokens[place].start, tokens[end].end, ";")) for name, place, end in calls(tokens, SYNCHRONISATION)
    ]
    yield from (edit for _, edit in statements)
    for place, (name, setting) in enumerate(statements):
        if name.startswith("SetFlag"):
            waiting = next((e for n, e in statements[place + 1 :] if n == "Wait" + name.removeprefix("Set")), None)
            if waiting is not None:
                yield Edit(setting.start, setting.end, ";", (waiting,))


def dropped_guards(tokens: list[Token]) -> Iterator[Edit]:
    """Each comparison outside a loop's header, each condition of an `if` or `?:` as a whole, replaced by true."""
    headers = loop_headers(tokens)
    for place, token in enumerate(tokens):
        if token.text == "if" and tokens[place + 1].text == "(":
            close = partner(tokens, place + 1)
            yield Edit(tokens[place + 2].start, tokens[close - 1].end, "true")
        elif token.text == "?":
            first = operand_start(tokens, place, BOUNDARIES - {"&&", "||"})
            yield Edit(tokens[first].start, tokens[place - 1].end, "true")
        elif compares(tokens, place) and not any(a <= place <= b for a, b in headers):
            first, last = comparison(tokens, place)
            yield Edit(tokens[first].start, tokens[last].end, "true")


def shifted_comparisons(tokens: list[Token]) -> Iterator[Edit]:
    """Each comparison outside a loop's header, with its boundary on either side of where it was. In `a < b ? a : b` the
    arms are equal at the boundary, and only the other side is tried."""
    headers = loop_headers(tokens)
    for place, token in enumerate(tokens):
        if not compares(tokens, place) or any(a <= place <= b for a, b in headers):
            continue
        if not _picks_an_operand(tokens, place):
            yield Edit(token.start, token.end, RELATIONS[token.text])
        # a < b with <= holds one element more; with a + 1 one fewer; and so for the others.
        shift = {"<": " + 1", ">=": " + 1", "<=": " - 1", ">": " - 1"}.get(token.text, " + 1")
        end = tokens[place - 1].end
        yield Edit(end, end, shift)


def _picks_an_operand(tokens: list[Token], place: int) -> bool:
    """Is this the comparison of `a < b ? a : b`?"""
    first, last = comparison(tokens, place)
    left, right = (["".join(t.text for t in tokens[a:b])] for a, b in ((first, place), (place + 1, last + 1)))
    if tokens[last + 1].text != "?":
        return False
    colon = next((p for p in range(last + 2, len(tokens)) if tokens[p].text == ":"), None)
    end = next((p for p in range(last + 2, len(tokens)) if tokens[p].text in (";", ")", ",")), None)
    if colon is None or end is None or end < colon:
        return False
    arms = [["".join(t.text for t in tokens[a:b])] for a, b in ((last + 2, colon), (colon + 1, end))]
    return arms in ([left, right], [right, left])


def shifted_loops(tokens: list[Token]) -> Iterator[Edit]:
    """Each `for`: one trip more, one fewer; a start from a constant, and a step, off by one. A loop that starts at a
    constant is shifted by its step, because a bound moved by less may change nothing; a loop over threads by one."""
    for first, last in loop_headers(tokens):
        semicolons = [p for p in top_level(tokens, first + 1, last) if tokens[p].text == ";"]
        relations = [p for p in range(semicolons[0], semicolons[1]) if compares(tokens, p)]
        equals = next((p for p in range(first, semicolons[0]) if tokens[p].text == "="), None)
        if len(relations) != 1 or equals is None:
            continue
        constant = semicolons[0] == equals + 2 and tokens[equals + 1].kind == "int"
        step, written = _step(tokens, semicolons[1], last)
        by = step if constant else "1"
        end = tokens[semicolons[1] - 1].end
        yield Edit(end, end, f" + {by}")
        yield Edit(end, end, f" - {by}")
        if constant:
            yield Edit(tokens[equals + 1].start, tokens[equals + 1].end, str(number(tokens[equals + 1]) + 1))
        if written is not None:
            yield Edit(written.end, written.end, " + 1")
            if written.kind != "int" or number(written) > 1:
                yield Edit(written.end, written.end, " - 1")


def _step(tokens: list[Token], start: int, last: int) -> tuple[str, Token | None]:
    """A loop's step as text, and its last token where it is written out."""
    for place in range(start, last):
        if tokens[place].text in ("+=", "-="):
            return f"({''.join(t.text for t in tokens[place + 1 : last])})", tokens[last - 1]
    return "1", None
