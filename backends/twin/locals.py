"""Local variables of an emitted text that are declared without a value, and the text that fills them with a chosen one.

A variable that is filled at once, by an assignment or by loops over all its elements, needs no test: that is seen in the
text. Any other one is filled by `common/uol_locals.h` as the run demands (`Poison`), and a run in which it holds garbage
must give what a run gives in which it holds other garbage. Types that are looked at: numbers, and arrays and records of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from uol.backends.c_text.source_tokens import Token, partner, template_end, tokenize

NUMBERS = frozenset(
    (
        *("float", "double", "half", "bfloat16_t", "f16", "bf16", "f8e4m3", "f8e5m2"),
        *("int", "short", "long", "char", "unsigned", "signed", "bool", "size_t"),
        *(f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    )
)
"""Words of the types of numbers."""

ALL, NONE = -1, -2
"""Which variables of a run hold the second kind of garbage; a number n: only the n-th of `open_locals`. See uol_locals.h."""

RECORDS = frozenset(("Affine", "Pick", "Vector"))
"""Records of numbers, in namespace `uol`."""

_BRANCHES = ("if", "for", "while", "switch")
_TYPE = rf"(?:\b(?:{'|'.join(sorted(NUMBERS))})|\b(?:{'|'.join(sorted(RECORDS))})<[^;]*>)"
_EXTENTS = r"\s*(?:\[[^\]]*\]\s*)*"
_SUSPECT = re.compile(rf"{_TYPE}\s+\w+{_EXTENTS}[;,]|,\s*\w+{_EXTENTS};")
"""What a text must match to declare anything without a value. Most do not, and are not tokenised."""


@dataclass(frozen=True, slots=True)
class Local:
    """A variable that the text declares without a value, and does not fill at once.

    function  in which it is declared
    line      1-based, of the declaration
    insert    offset in the text at which the fill goes: behind the declaration, or behind the name in a loop's header
    value     is it filled by an initial value? (In a loop's header there is no room for a statement.)
    """

    name: str
    function: str
    line: int
    insert: int
    value: bool


@lru_cache(maxsize=256)
def open_locals(text: str) -> tuple[Local, ...]:
    """The local variables whose value the text leaves open, in its order.

    >>> [v.name for v in open_locals("void k() { float a; float b[2]; for (int i = 0; i < 2; ++i) b[i] = 0; a += b[0]; }")]
    ['a']
    """
    return tuple(_open(text, tokenize(text))) if _SUSPECT.search(text) else ()


def fills(text: str) -> tuple[tuple[int, str], ...]:
    """What fills each of the `open_locals`, with the offset at which it is inserted."""
    return tuple(
        (local.insert, f" = ::uol_locals::Open{{{number}}}" if local.value else f" ::uol_locals::fill({local.name}, {number});")
        for number, local in enumerate(open_locals(text))
    )


def filled(text: str, others: Iterable[tuple[int, str]] = ()) -> str:
    """The text with these fills, and other insertions, in the lines that it has."""
    return inserted(text, (*fills(text), *others))


def inserted(text: str, insertions: Iterable[tuple[int, str]]) -> str:
    """The text with others inserted at offsets, in the lines that it has; those at one offset in their order.

    >>> inserted("ac", [(1, "b"), (0, "("), (2, ")")])
    '(abc)'
    """
    pieces: list[str] = []
    done = 0
    for offset, piece in sorted(insertions, key=lambda each: each[0]):
        pieces += [text[done:offset], piece]
        done = offset
    return "".join((*pieces, text[done:]))


def _open(text: str, tokens: list[Token]) -> Iterator[Local]:
    for found in declarations(tokens):
        if found.value is None and (found.in_header or not _filled_at_once(tokens, found)):
            name = tokens[found.name]
            insert = name.end if found.in_header else tokens[found.end].end
            yield Local(name.text, found.function, text.count("\n", 0, name.start) + 1, insert, found.in_header)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A local variable of a type of numbers that is not constant, by places in a text's tokens.

    last      of its extents; of its name where it has none
    value     first and last token of its initial value
    end       the semicolon
    in_header is it declared in the header of a `for`?
    """

    name: int
    last: int
    value: tuple[int, int] | None
    end: int
    function: str
    in_header: bool


def declarations(tokens: list[Token]) -> Iterator[Declaration]:
    """Every variable that functions of a text declare, in its order."""
    function, openings = "", _openings(tokens)
    for place, token in enumerate(tokens):
        if token.text == "{" and place - 1 in openings:
            name_of_body = tokens[openings[place - 1] - 1].text
            function = function if name_of_body in _BRANCHES else name_of_body
        in_header = tokens[place - 1].text == "(" and tokens[place - 2].text == "for"
        if function and (in_header or _begins_a_statement(tokens, place, openings)):
            name = _behind_type(tokens, place)
            for names, value, end in () if name is None else _declarators(tokens, name):
                yield Declaration(*names, value, end, function, in_header)


def _openings(tokens: list[Token]) -> dict[int, int]:
    """The place of the bracket that opens, by that of the one that closes it."""
    found: dict[int, int] = {}
    pending: list[int] = []
    for place, token in enumerate(tokens):
        if token.text == "(":
            pending.append(place)
        elif token.text == ")" and pending:
            found[place] = pending.pop()
    return found


def _begins_a_statement(tokens: list[Token], place: int, openings: dict[int, int]) -> bool:
    before = tokens[place - 1].text
    if before != ")" or place - 1 not in openings:
        return before in (";", "{", "}", ":", "else", "do")
    word = openings[place - 1] - 1
    aligned = tokens[word].text in ("alignas", "__align__")
    return tokens[word].text in _BRANCHES or (aligned and _begins_a_statement(tokens, word, openings))


def _behind_type(tokens: list[Token], place: int) -> int | None:
    """The place behind a type of numbers that begins here: `float`, `unsigned long long`, `uol::Pick<float, int>`."""
    while tokens[place].text == "uol" and tokens[place + 1].text == "::":
        place += 2
    if tokens[place].text in RECORDS:
        end = template_end(tokens, place + 1)
        return None if end is None else end + 1
    if tokens[place].text not in NUMBERS:
        return None
    while tokens[place].text in NUMBERS:
        place += 1
    return place


def _declarators(tokens: list[Token], place: int) -> Iterator[tuple[tuple[int, int], tuple[int, int] | None, int]]:
    """Each variable that is declared from here on: the places of its name and of its last extent, of its value, and of the
    semicolon."""
    found: list[tuple[tuple[int, int], tuple[int, int] | None]] = []
    while tokens[place].kind == "name":
        last = place
        while tokens[last + 1].text == "[":
            last = partner(tokens, last + 1)
        end = last + 1
        while tokens[end].text not in (",", ";"):
            if tokens[end].text in (")", "}", ":"):  # a parameter, or a loop over a range
                return
            end = partner(tokens, end) + 1 if tokens[end].text in ("(", "[", "{") else end + 1
        if end == last + 1 or tokens[last + 1].text == "=":
            found.append(((place, last), None if end == last + 1 else (last + 2, end - 1)))
        if tokens[end].text == ";":
            yield from ((*names, end) for names in found)
            return
        place = end + 1


def _filled_at_once(tokens: list[Token], found: Declaration) -> bool:
    """Is the first thing that happens to the variable an assignment to all of it, on every path?"""
    name, end = found.name, found.end
    extents = _indices(tokens, name, found.last)
    use = next((p for p in range(end + 1, len(tokens)) if tokens[p].text == tokens[name].text), None)
    if use is None:
        return True
    close = use
    while tokens[close + 1].text == "[":
        close = partner(tokens, close + 1)
    if tokens[close + 1].text != "=" or tokens[use - 1].text not in (";", "{", "}", ")"):
        return False
    stop = next(p for p in range(close, len(tokens)) if tokens[p].text == ";")
    if any(tokens[p].text == tokens[name].text for p in range(close + 1, stop)):
        return False
    return _always_reached(tokens, end, use, dict(zip(_indices(tokens, use, close), extents, strict=False)), len(extents))


def _indices(tokens: list[Token], name: int, last: int) -> list[str]:
    """What stands in the brackets behind a name."""
    found, place = [], name + 1
    while place <= last:
        close = partner(tokens, place)
        found.append("".join(t.text for t in tokens[place + 1 : close]))
        place = close + 1
    return found


def _always_reached(tokens: list[Token], start: int, use: int, counts: dict[str, str], dims: int) -> bool:
    """Does every path from `start` run through the assignment at `use`, within loops that count each of its indices from
    0 to the extent? A `continue` before it leaves the variable's scope, unless it is one of those loops'."""
    loops: dict[str, str] = {}
    depth = 0
    place = start + 1
    while place < use:
        text = tokens[place].text
        if text == "for" and (partner(tokens, place + 1) < use <= _body_end(tokens, partner(tokens, place + 1))):
            header = "".join(t.text for t in tokens[place + 2 : partner(tokens, place + 1)])
            match = re.fullmatch(r"int(\w+)=0;\1<(\w+);\+\+\1", header)
            if match is None:
                return False
            loops[match[1]] = match[2]
            place = partner(tokens, place + 1) + 1
            depth += tokens[place].text == "{"
            place += tokens[place].text == "{"
            continue
        if loops and text in ("if", "continue", "break", "return", "while", "do", "else", "?", "&&", "||"):
            return False
        if text == "{" and use < partner(tokens, place):  # within an `if` or another block
            return False
        place = partner(tokens, place) + 1 if text in ("(", "[", "{") else place + 1
    direct = tokens[use - 1].text != ")" or bool(loops)
    return direct and len(counts) == dims and counts == loops


def _body_end(tokens: list[Token], close: int) -> int:
    """The last token of the body behind a loop's header, another loop's included."""
    first = close + 1
    if tokens[first].text == "{":
        return partner(tokens, first)
    if tokens[first].text == "for":
        return _body_end(tokens, partner(tokens, first + 1))
    return next(p for p in range(first, len(tokens)) if tokens[p].text == ";")
