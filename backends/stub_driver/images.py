"""Binaries that the stub takes for those of an architecture: the header of an ELF file, and the names of its kernels."""

from __future__ import annotations

import struct
from collections.abc import Iterable

CUDA_MACHINE, AMDGPU_MACHINE = 190, 224
"""e_machine of the ELF header (System V ABI's registry)."""
AMDGPU_ARCHITECTURES = {"gfx90a": 0x3F, "gfx942": 0x4C}
"""EF_AMDGPU_MACH (LLVM, User Guide for AMDGPU Backend)."""
HEADER = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")


def binary(architecture: str, kernels: Iterable[str]) -> bytes:
    """A file whose header says that it was made for the architecture.

    >>> binary("sm_90", ["relu_kernel"])[:4]
    b'\\x7fELF'
    """
    names = b"\0" + b"\0".join(name.encode() for name in kernels) + b"\0"
    if architecture in AMDGPU_ARCHITECTURES:
        machine, abi, flags = AMDGPU_MACHINE, 0x40, AMDGPU_ARCHITECTURES[architecture]
    else:
        machine, abi, flags = CUDA_MACHINE, 0x41, int(architecture.removeprefix("sm_")) << 8
    end = HEADER.size + len(names)
    return HEADER.pack(b"\x7fELF", 2, 1, 1, abi, 2, machine, 1, 0, 0, end, flags, HEADER.size, 0, 0, 64, 0, 0) + names


def ptx(architecture: str, kernels: Iterable[str]) -> bytes:
    """A text for an architecture and those that come later.

    >>> ptx("sm_80", ["relu_kernel"]).decode().splitlines()[1]
    '.target sm_80'
    """
    entries = "".join(f".visible .entry {name}() {{ ret; }}\n" for name in kernels)
    return f".version 8.0\n.target {architecture}\n.address_size 64\n{entries}".encode()
