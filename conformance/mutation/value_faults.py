"""Faults of values: array extents, constants, conversions, initial values, parameters of copies.

Faults that leave the meaning as it is by construction are not made: a larger array, a stride after a single block, a
reserved field. Extents, loop headers, flags and launch bounds have rules of their own.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from uol.backends.c_text.source_tokens import Token, partner, template_end
from uol.backends.twin.locals import declarations
from uol.conformance.mutation.control_faults import SYNCHRONISATION
from uol.conformance.mutation.fault_places import Edit, arguments, calls, declares, loop_headers, number, opening_of
from uol.conformance.mutation.unused_fields import idle_fields

SIZED = {"SetGlobalBuffer": 1, "InitBuffer": 1, "GetWithOffset": 0}
"""Calls that declare a buffer, and which argument is its size."""
BLOCK_BYTES = 32
"""To which an on-chip buffer's size is rounded up."""
LANES = 64
"""To which the rows of a view are rounded up: a vector instruction's, in f32."""

FILLS = frozenset(("Duplicate", "InitConstValue", "Fill"))
"""Instructions that give a tensor a value."""

COPIES = frozenset(("DataCopy", "DataCopyPad", "LoadData", "LoadDataWithTranspose", "Mmad", "Fixpipe", "Copy"))
PARAMETER_RECORDS = re.compile(r"\w*Params(V220)?$")
_NOT_VALUES = frozenset(("__launch_bounds__", "__global__", "alignas", "KERNEL_TASK_TYPE_DEFAULT"))
_SCALAR_TYPES = frozenset(
    (
        *("float", "double", "half", "bfloat16_t", "f16", "bf16", "int", "short", "long", "char", "unsigned", "bool"),
        *(f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    )
)
_INFINITIES = frozenset(("INFINITY", "HUGE_VALF", "INFINITE"))
_OPPOSITE = {"true": "false", "false": "true"}
_CASTS = frozenset(("static_cast", "cast"))
_ROUNDING = {
    "CAST_RINT": "CAST_TRUNC",
    "CAST_TRUNC": "CAST_RINT",
    "CAST_FLOOR": "CAST_CEIL",
    "CAST_CEIL": "CAST_FLOOR",
    "CAST_ROUND": "CAST_FLOOR",
}
_COARSER = {"uol::f16": "uol::bf16", "f16": "bf16", "half": "bfloat16_t"}


def shrunk_arrays(tokens: list[Token]) -> Iterator[Edit]:
    """Each extent of each array, and the size of each buffer, that is declared, smaller by one of the units that it is made of:
    an element, a block, or the lanes of a vector instruction. (One larger only wastes memory, one of no elements is no C++.)"""
    for first, last, by in _extents(tokens):
        if first == last and tokens[first].kind == "int":
            if number(tokens[first]) == by:
                continue
            yield Edit(tokens[first].start, tokens[first].end, str(number(tokens[first]) - by))
        else:
            yield Edit(tokens[last].end, tokens[last].end, f" - {by}")


def _extents(tokens: list[Token]) -> list[tuple[int, int, int]]:
    """First and last token of each declared extent or size, and the unit that it counts in."""
    brackets = [p for p in range(2, len(tokens) - 2) if tokens[p].text == "[" and declares(tokens, p)]
    sizes = [
        (token.text, *arguments(tokens, opening)[SIZED[token.text]])
        for place, token in enumerate(tokens)
        if token.text in SIZED and (opening := opening_of(tokens, place)) is not None
    ]
    return [(p + 1, partner(tokens, p) - 1, 1) for p in brackets] + [(a, b, _unit(tokens[a], name)) for name, a, b in sizes]


def _unit(size: Token, call: str) -> int:
    """What the size of a buffer is a multiple of, as far as the text shows it."""
    if call == "InitBuffer":
        return BLOCK_BYTES
    padded = call == "GetWithOffset" and size.kind == "int" and number(size) > LANES and number(size) % LANES == 0
    return LANES if padded else 1


def shifted_constants(tokens: list[Token]) -> Iterator[Edit]:
    """Each whole number in an expression, one more; a factor also one less. Extents, loop headers, comparisons' own
    shifts, flags and launch bounds have rules of their own."""
    elsewhere = loop_headers(tokens) + [(first, last) for first, last, _ in _extents(tokens)]
    idle = idle_fields(tokens)
    for place, token in enumerate(tokens):
        has_own_rule = any(first <= place <= last for first, last in elsewhere)
        if token.kind != "int" or has_own_rule or place in idle or _is_no_value(tokens, place):
            continue
        value, suffix = number(token), re.sub(r"^(0[xX][0-9a-fA-F]+|\d+)", "", token.text)
        yield Edit(token.start, token.end, f"{value + 1}{suffix}")
        factor = "*" in (tokens[place - 1].text, tokens[place + 1].text) or tokens[place - 1].text in ("/", "%")
        if factor and value > 1:
            yield Edit(token.start, token.end, f"{value - 1}{suffix}")


def _is_no_value(tokens: list[Token], place: int) -> bool:
    """Does the number belong to a flag, a launch bound or an alignment?"""
    start = place
    while start > 0 and tokens[start - 1].text not in (";", "{", "}"):
        start -= 1
    statement = {t.text for t in tokens[start:place]}
    return bool(statement & (SYNCHRONISATION | _NOT_VALUES))


def changed_casts(tokens: list[Token]) -> Iterator[Edit]:
    """Each conversion dropped; a narrowing one also made through a coarser type; a rounding mode exchanged for another.
    Conversions are `static_cast<type>(x)`, `cast<type>(x)` and `type(x)`."""
    for place, token in enumerate(tokens):
        if token.text in _ROUNDING:
            yield Edit(token.start, token.end, _ROUNDING[token.text])
        found = _conversion(tokens, place)
        if found is None:
            continue
        first, opening, target = found
        yield Edit(tokens[first].start, tokens[opening - 1].end, "")
        if target in _COARSER and not _is_coarse(tokens[opening + 1 : partner(tokens, opening)]):
            end = tokens[partner(tokens, opening)].end
            yield Edit(tokens[opening].start, tokens[opening].start, f"(float({_COARSER[target]}", (Edit(end, end, "))"),))


def _is_coarse(inner: list[Token]) -> bool:
    """Is this a number that the coarser type has, too, so that nothing would be changed? bf16 is the upper half of an f32."""
    if len(inner) != 1 or inner[0].kind not in ("int", "float"):
        return False
    return struct.pack(">f", float(inner[0].text.rstrip("fFuUlL")))[2:] == bytes(2)


def _conversion(tokens: list[Token], place: int) -> tuple[int, int, str] | None:
    """Where a conversion starts, its bracket, and the type that it is to; None where there is none."""
    token = tokens[place]
    first = place - 2 if tokens[place - 1].text == "::" else place
    if token.text in _CASTS and tokens[place + 1].text == "<":
        close = template_end(tokens, place + 1)
        if close is not None and tokens[close + 1].text == "(":
            return first, close + 1, "".join(t.text for t in tokens[place + 2 : close])
    declares_a_name = first > 0 and (tokens[first - 1].kind == "name" and tokens[first - 1].text != "return")
    if token.text in _SCALAR_TYPES and tokens[place + 1].text == "(" and not declares_a_name:
        return first, place + 1, "".join(t.text for t in tokens[first : place + 1])
    return None


def changed_initial_values(tokens: list[Token]) -> Iterator[Edit]:
    """Each float literal: 0 becomes 1, any other moves by one; each infinity becomes 0; `= {}` becomes `= {1}`; a whole
    number that starts a variable is a constant's fault already. Dropped values have a rule of their own."""
    idle = idle_fields(tokens)
    for place, token in enumerate(tokens):
        if place in idle:
            continue
        if token.text == "{" and tokens[place + 1].text == "}" and tokens[place - 1].text == "=":
            yield Edit(token.start, tokens[place + 1].end, "{1}")
        if token.kind == "float":
            suffix = "f" if token.text.endswith(("f", "F")) else ""
            yield Edit(token.start, token.end, f"{float(token.text.rstrip('fF')) + 1!r}{suffix}")
        elif token.text in _INFINITIES and tokens[place + 1].text != "=":
            yield Edit(*_signed(tokens, place, token.end), "0.0f")
        elif token.text in ("infinity", "lowest", "highest") and tokens[place + 1].text == "<":
            close = template_end(tokens, place + 1)
            if close is not None and tokens[close + 1].text == "(":
                first = place - 2 if tokens[place - 1].text == "::" else place
                yield Edit(*_signed(tokens, first, tokens[partner(tokens, close + 1)].end), "0")


def dropped_initial_values(tokens: list[Token]) -> Iterator[Edit]:
    """Each initial value of a variable, and each fill of an on-chip tensor, dropped."""
    for found in declarations(tokens):
        if found.value is not None:
            yield Edit(tokens[found.last].end, tokens[found.value[1]].end, "")
    yield from (Edit(tokens[place].start, tokens[end].end, ";") for _, place, end in calls(tokens, FILLS))


def _signed(tokens: list[Token], first: int, end: int) -> tuple[int, int]:
    """The range of a value, with a minus sign that belongs to it."""
    negative = tokens[first - 1].text == "-" and tokens[first - 2].text in ("(", ",", "=", "return", "?", ":", "{")
    return tokens[first - 1 if negative else first].start, end


def shifted_copy_parameters(tokens: list[Token]) -> Iterator[Edit]:
    """Each parameter of a copy or matrix instruction that is computed (plain numbers are constants), one more; each switch
    in its records turned."""
    idle = idle_fields(tokens)
    for place, token in enumerate(tokens):
        if not (PARAMETER_RECORDS.match(token.text) or token.text in COPIES):
            continue
        opening = opening_of(tokens, place)
        for first, last in () if opening is None else arguments(tokens, opening):
            if first in idle:
                continue
            if first == last and tokens[first].text in _OPPOSITE:
                yield Edit(tokens[first].start, tokens[first].end, _OPPOSITE[tokens[first].text])
            elif _is_quantity(tokens, first, last):
                yield Edit(tokens[last].end, tokens[last].end, " + 1")


def _is_quantity(tokens: list[Token], first: int, last: int) -> bool:
    """Is the argument whole-number arithmetic on names?"""
    inner = tokens[first : last + 1]
    plain = all(t.kind in ("name", "int") or t.text in ("+", "-", "*", "/", "%", "(", ")", "::") for t in inner)
    names = [t.text for t in inner if t.kind == "name"]
    return plain and bool(names) and not _INFINITIES & set(names) and not _OPPOSITE.keys() & set(names) and len(inner) > 1
