"""Places in a tokenised kernel: calls, loop headers, comparisons, operands, declarations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from uol.backends.c_text.source_tokens import Token, partner, template_end

RELATIONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
"""The comparisons, and for each the one that differs at its boundary."""

BOUNDARIES = frozenset(("&&", "||", "?", ":", ";", ",", "=", "+=", "-=", "*=", "/=", "{", "}", "return"))
"""What ends an operand of a comparison, beside an unmatched bracket."""


@dataclass(frozen=True, slots=True)
class Edit:
    """text[start:end] becomes `replacement`; `others` are made with it."""

    start: int
    end: int
    replacement: str
    others: tuple[Edit, ...] = ()


def calls(tokens: list[Token], names: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    """Statements `name<..>(..);`: what was called with its arguments, the first token and the semicolon."""
    for place, token in enumerate(tokens):
        if token.text not in names:
            continue
        after = place + 1
        if tokens[after].text == "<":
            after = (template_end(tokens, after) or after) + 1
        if tokens[after].text != "(":
            continue
        end = partner(tokens, after) + 1
        if tokens[end].text == ";":
            yield "".join(t.text for t in tokens[place:end]), place, end


def loop_headers(tokens: list[Token]) -> list[tuple[int, int]]:
    """The brackets of each `for (..)`."""
    places = [p for p, t in enumerate(tokens) if t.text == "for" and tokens[p + 1].text == "("]
    return [(p + 1, partner(tokens, p + 1)) for p in places]


def top_level(tokens: list[Token], first: int, last: int) -> Iterator[int]:
    """The places between `first` and `last` that no inner bracket holds."""
    place = first
    while place < last:
        if tokens[place].text in ("(", "[", "{"):
            place = partner(tokens, place)
        elif tokens[place].text == "<" and (end := template_end(tokens, place)) is not None:
            place = end
        else:
            yield place
        place += 1


def compares(tokens: list[Token], place: int) -> bool:
    """Is this token a comparison? Those have spaces around them, template brackets have none."""
    token = tokens[place]
    return token.text in RELATIONS and 0 < place < len(tokens) - 1 and tokens[place - 1].end < token.start


def comparison(tokens: list[Token], place: int) -> tuple[int, int]:
    """First and last token of the comparison around an operator."""
    return operand_start(tokens, place, BOUNDARIES), operand_end(tokens, place)


def operand_start(tokens: list[Token], place: int, stops: frozenset[str]) -> int:
    depth = 0
    for at in range(place - 1, -1, -1):
        text = tokens[at].text
        if text in (")", "]"):
            depth += 1
        elif text in ("(", "["):
            depth -= 1
            if depth < 0:
                return at + 1
        elif depth == 0 and text in stops:
            return at + 1
    return 0


def operand_end(tokens: list[Token], place: int) -> int:
    depth = 0
    for at in range(place + 1, len(tokens)):
        text = tokens[at].text
        if text in ("(", "["):
            depth += 1
        elif text in (")", "]"):
            depth -= 1
            if depth < 0:
                return at - 1
        elif depth == 0 and text in BOUNDARIES:
            return at - 1
    return len(tokens) - 1


def number(token: Token) -> int:
    return int(token.text.rstrip("uUlL"), 0)


def opening_of(tokens: list[Token], place: int) -> int | None:
    """The bracket of the call or record that is named at `place`; None where there is none."""
    after = place + 1
    if tokens[after].text == "<":
        close = template_end(tokens, after)
        after = after if close is None else close + 1
    if tokens[after].kind == "name":  # a record with a name of its own
        after += 1
    return after if tokens[after].text in ("(", "{") else None


def arguments(tokens: list[Token], opening: int) -> list[tuple[int, int]]:
    """First and last token of each argument."""
    close = partner(tokens, opening)
    cuts = [opening, *(p for p in top_level(tokens, opening + 1, close) if tokens[p].text == ","), close]
    return [(a + 1, b - 1) for a, b in zip(cuts, cuts[1:], strict=False) if b - 1 >= a + 1]


def declares(tokens: list[Token], bracket: int) -> bool:
    """Is this bracket an extent in `type name[..][..]`, not an index?"""
    place = bracket - 1
    while tokens[place].text == "]":
        while tokens[place].text != "[":
            place -= 1
        place -= 1
    before = tokens[place - 1]
    return tokens[place].kind == "name" and (before.kind == "name" or before.text in (">", "*")) and before.text != "return"
