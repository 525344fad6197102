"""What the kernels of a cubin take of a thread, as ptxas has noted it in the section `.nv.info`: records of a format, an
attribute and a value. A test holds them against what `ptxas -v` says.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from uol.backends.toolchain.elf_sections import sections, symbols
from uol.codegen.backend import Artifact
from uol.codegen.extensions import Resources

NOTES = ".nv.info"
SIZED = 4
"""The format of a record whose value has a length of its own; the values of others are two bytes."""
FRAME_BYTES, REGISTERS = 0x11, 0x2F
"""Attributes, of a kernel by the number of its symbol: EIATTR_FRAME_SIZE and EIATTR_REGCOUNT of the CUDA binary utilities."""


def resources(artifact: Artifact) -> Mapping[str, Resources]:
    """Of each kernel, by name."""
    parts = sections(artifact.binary)
    names = symbols(parts)
    found: dict[int, dict[str, int]] = {}
    for part in parts:
        if part.name == NOTES:
            for attribute, symbol, value in _records(part.content):
                found.setdefault(attribute, {})[names[symbol].name] = value
    registers, frames = found.get(REGISTERS, {}), found.get(FRAME_BYTES, {})
    return {kernel.name: Resources(registers[kernel.name], frames.get(kernel.name, 0)) for kernel in artifact.module.kernels}


def _records(notes: bytes) -> Iterator[tuple[int, int, int]]:
    """Those of two words: attribute, symbol, value."""
    at = 0
    while at < len(notes):
        form, attribute, size = struct.unpack_from("<BBH", notes, at)
        at += 4
        if form != SIZED:
            continue
        if size == 8:
            yield attribute, *struct.unpack_from("<II", notes, at)
        at += size
