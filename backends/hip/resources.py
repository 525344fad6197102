"""What the kernels of a code object take of a thread, as their descriptors say: 64 bytes each, under the name of the kernel and
`.kd` (LLVM, "User Guide for AMDGPU Backend", kernel descriptor).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from uol.backends.toolchain.elf_sections import sections, symbols
from uol.codegen.backend import Artifact
from uol.codegen.extensions import Resources

BUNDLE = b"__CLANG_OFFLOAD_BUNDLE__"
"""What hipcc puts code objects into: a count, then of each where it lies, its size, and its name."""
DESCRIPTOR = ".kd"
PRIVATE_BYTES_AT, REGISTERS_AT = 4, 48
"""Where a descriptor says the memory of a lane of its own, and in what steps registers are given to it."""
STEP = 8
"""Registers of a step: a lane of gfx90a and gfx942 has vector and accumulation registers together."""


def resources(artifact: Artifact) -> Mapping[str, Resources]:
    """Of each kernel, by name. Registers are rounded up to steps of 8."""
    parts = sections(code_object(artifact.binary))
    places = {symbol.name: symbol for symbol in symbols(parts)}
    found: dict[str, Resources] = {}
    for kernel in artifact.module.kernels:
        place = places[kernel.name + DESCRIPTOR]
        part = parts[place.section]
        at = place.address - part.address
        (private,) = struct.unpack_from("<I", part.content, at + PRIVATE_BYTES_AT)
        (settings,) = struct.unpack_from("<I", part.content, at + REGISTERS_AT)
        found[kernel.name] = Resources(STEP * ((settings & 0x3F) + 1), private)
    return found


def code_object(binary: bytes) -> bytes:
    """The one of the device, where it lies in a bundle."""
    if not binary.startswith(BUNDLE):
        return binary
    (count,), at = struct.unpack_from("<Q", binary, len(BUNDLE)), len(BUNDLE) + 8
    for _ in range(count):
        offset, size, length = struct.unpack_from("<QQQ", binary, at)
        name = binary[at + 24 : at + 24 + length]
        if size and not name.startswith(b"host"):
            return binary[offset : offset + size]
        at += 24 + length
    raise ValueError("no code object in the bundle")
