"""Fields of vendors' instructions that say nothing where they stand: a fault in them leaves the meaning as it is.

Strides between repeats where there is one repeat, between blocks where there is one block, padding that is switched off,
and what an instruction reserves (Ascend C's documentation of each instruction).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from uol.backends.c_text.source_tokens import Token
from uol.conformance.mutation.fault_places import arguments, opening_of

Fields = list[tuple[int, int]]
"""First and last token of each argument."""


def idle_fields(tokens: list[Token]) -> set[int]:
    """The places of all tokens in idle fields."""
    idle: set[int] = set()
    for place, token in enumerate(tokens):
        rule = _RULES.get(token.text)
        opening = None if rule is None else opening_of(tokens, place)
        if rule is None or opening is None:
            continue
        for first, last in rule(tokens, arguments(tokens, opening)):
            idle.update(range(first, last + 1))
    return idle


def _is(tokens: list[Token], fields: Fields, number: int, text: str) -> bool:
    """Is a field this one token?"""
    return number < len(fields) and fields[number][0] == fields[number][1] and tokens[fields[number][0]].text == text


def _pick(fields: Fields, *numbers: int) -> Fields:
    return [fields[n] for n in numbers if n < len(fields)]


def _block_copy(tokens: list[Token], fields: Fields) -> Fields:
    """blockCount, blockLen, srcStride, dstStride, reserved."""
    return fields[2:] if _is(tokens, fields, 0, "1") else fields[4:]


def _padding(tokens: list[Token], fields: Fields) -> Fields:
    """isPad, leftPadding, rightPadding, paddingValue: nothing is padded where isPad is false or both paddings are 0."""
    none = _is(tokens, fields, 1, "0") and _is(tokens, fields, 2, "0")
    return fields if none else fields[1:] if _is(tokens, fields, 0, "false") else []


def _load_2d(tokens: list[Token], fields: Fields) -> Fields:
    """startIndex, repeatTimes, srcStride, sid, dstGap, ifTranspose, addrMode; sid and addrMode are reserved."""
    return _pick(fields, 3, 6) + (_pick(fields, 2, 4) if _is(tokens, fields, 1, "1") else [])


def _nd_to_nz(tokens: list[Token], fields: Fields) -> Fields:
    """ndNum, nValue, dValue, srcNdMatrixStride, srcDValue, dstNzC0Stride, dstNzNStride, dstNzMatrixStride."""
    return _pick(fields, 3, 7) if _is(tokens, fields, 0, "1") else []


def _whole_reduce(tokens: list[Token], fields: Fields) -> Fields:
    """dst, src, mask, repeat, dstRepStride, srcBlkStride, srcRepStride: eight lanes of 32 bits are one block."""
    idle = _pick(fields, 4, 6) if _is(tokens, fields, 3, "1") else []
    within_a_block = any(_is(tokens, fields, 2, str(lanes)) for lanes in range(1, 9))
    return idle + (_pick(fields, 5) if within_a_block else [])


def _fill(tokens: list[Token], fields: Fields) -> Fields:
    """repeatTimes, blockNum, dstGap, initValue."""
    return _pick(fields, 2) if _is(tokens, fields, 0, "1") else []


def _repeated(repeat: int, params: int, strides: slice) -> Callable[[list[Token], Fields], Fields]:
    """An instruction with its number of repeats in one field and a record of strides in another."""

    def rule(tokens: list[Token], fields: Fields) -> Fields:
        if not _is(tokens, fields, repeat, "1") or params >= len(fields):
            return []
        opening = opening_of(tokens, fields[params][0])
        return [] if opening is None else arguments(tokens, opening)[strides]

    return rule


def _rules() -> Iterator[tuple[str, Callable[[list[Token], Fields], Fields]]]:
    yield "DataCopyParams", _block_copy
    yield "DataCopyExtParams", _block_copy
    yield "DataCopyPadExtParams", _padding
    yield "LoadData2DParams", _load_2d
    yield "Nd2NzParams", _nd_to_nz
    yield "InitConstValueParams", _fill
    for name in ("WholeReduceSum", "WholeReduceMax", "WholeReduceMin"):
        yield name, _whole_reduce
    yield "Brcb", _repeated(2, 3, slice(1, 2))
    yield "Copy", _repeated(3, 4, slice(2, 4))


_RULES = dict(_rules())
