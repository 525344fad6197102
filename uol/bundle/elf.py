"""What of a shared library is loaded, and so can run: two links of one code may differ in the rest.

ELF-64, little endian: System V ABI, chapters 4 and 5 (object files, program loading),
https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"\x7fELF\x02\x01"
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
NOTE = struct.Struct("<III")
LOAD, NOTES = 1, 4
"""Kinds of segments: what is mapped into memory, and remarks."""
EXECUTABLE = 1
BUILD_ID = (3, b"GNU\0")
"""The remark that is a hash over the whole file, so over what is not loaded, too."""
SECTION_FIELDS = ((40, 48), (60, 64))
"""The bytes of the file's header that say where its sections are, and how many: names of symbols lie before them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What is mapped at an address: content, and zeros up to `size` bytes. Program headers of other kinds have no content of
    their own."""

    kind: int
    flags: int
    address: int
    size: int
    content: bytes

    @property
    def what(self) -> str:
        return "code" if self.flags & EXECUTABLE else "data"


def loaded(library: bytes) -> tuple[Segment, ...] | None:
    """The segments of a shared library without its build id; None for what is none, or damaged."""
    try:
        return _segments(library)
    except (struct.error, ValueError):
        return None


def difference(one: tuple[Segment, ...], other: tuple[Segment, ...]) -> str:
    """`"code"`, `"data"` or `"layout"`; empty where what is loaded is the same."""
    if len(one) != len(other):
        return "layout"
    wrong = [a.what for a, b in zip(one, other, strict=True) if a != b]
    return "code" if "code" in wrong else next(iter(wrong), "")


def _segments(library: bytes) -> tuple[Segment, ...]:
    if not library.startswith(MAGIC):
        raise ValueError("no ELF-64 file")
    header = HEADER.unpack_from(library)
    start, size, count = header[5], header[9], header[10]
    if size != SEGMENT.size:
        raise ValueError("program headers of another size")
    rows = [SEGMENT.unpack_from(library, start + number * size) for number in range(count)]
    bare = bytearray(library)
    for begin, end in (*SECTION_FIELDS, *_build_ids(library, rows)):
        bare[begin:end] = bytes(end - begin)
    found = []
    for kind, flags, offset, address, _, stored, in_memory, _ in rows:
        if offset + stored > len(library):
            raise ValueError("a segment beyond the end of the file")
        content = bytes(bare[offset : offset + stored]) if kind == LOAD else b""
        found.append(Segment(kind, flags, address, in_memory, content))
    return tuple(found)


def _build_ids(library: bytes, rows: list[tuple[int, ...]]) -> list[tuple[int, int]]:
    """From where to where the hashes lie."""
    found = []
    for _, _, offset, _, _, stored, _, _ in (row for row in rows if row[0] == NOTES):
        place = offset
        while place + NOTE.size <= offset + stored:
            name_size, size, kind = NOTE.unpack_from(library, place)
            name = place + NOTE.size
            content = name + -(-name_size // 4) * 4
            if (kind, library[name : name + name_size]) == BUILD_ID and size <= 32:
                found.append((content, content + size))
            place = content + -(-size // 4) * 4
    return found
