"""Sections and symbols of a binary: ELF-64, little endian (System V ABI, chapter 4, object files,
https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x7fELF\x02\x01"
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
SYMBOL_TABLE, NO_CONTENT = 2, 8
"""Kinds of sections."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a binary by its name, and where it is loaded; `link` is the number of one that belongs to it: of symbols, that
    of their names."""

    name: str
    kind: int
    address: int
    link: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for an address, which lies in a section; of none, the number of that means something else."""

    name: str
    section: int
    address: int


def sections(binary: bytes) -> tuple[Section, ...]:
    """All of them, in order. Raises ValueError for what is no such file."""
    if not binary.startswith(MAGIC):
        raise ValueError("no ELF-64 file")
    header = HEADER.unpack_from(binary)
    first, size, count, names = header[6], header[11], header[12], header[13]
    found = [SECTION.unpack_from(binary, first + number * size) for number in range(count)]
    contents = [b"" if kind == NO_CONTENT else binary[at : at + length] for _, kind, _, _, at, length, *_ in found]
    return tuple(
        Section(_text(contents[names], name), kind, address, link, content)
        for (name, kind, _, address, _, _, link, *_), content in zip(found, contents, strict=True)
    )


def symbols(parts: tuple[Section, ...]) -> tuple[Symbol, ...]:
    """A binary's symbols, in the order of their numbers."""
    return tuple(symbol for part in parts if part.kind == SYMBOL_TABLE for symbol in _of(part, parts[part.link].content))


def _of(table: Section, names: bytes) -> Iterator[Symbol]:
    for name, _, _, section, address, _ in SYMBOL.iter_unpack(table.content):
        yield Symbol(_text(names, name), section, address)


def _text(table: bytes, at: int) -> str:
    return table[at : table.index(b"\0", at)].decode()
