"""How many blocks of a kernel a core has at once: by threads, blocks, registers and shared memory of the device's table.

    min(blocks, threads / threads of a block, registers / registers of a block, shared memory / shared memory of a block)

A binary says how many registers a thread takes; a text does not. They are reckoned from what it declares, which a test holds
against the binaries of NVRTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from uol.backends.simt.reading.calls import bytes_of
from uol.backends.simt.reading.loops import steps_in
from uol.backends.simt.reading.syntax import KernelText, Number, Simple
from uol.backends.simt.reading.units import arguments_of, members
from uol.codegen.backend import Device, Kernel

OWN_REGISTERS = 12
"""The registers that a thread needs beside what its text declares: addresses of tensors, and what is being computed."""
REGISTER_BYTES, REGISTER_UNIT, MOST_REGISTERS = 4, 8, 255
"""A thread has them by eights, and so many at the most (CUDA C++ Programming Guide, technical specifications)."""
OWN_BYTES: Mapping[str, int] = {"bool": REGISTER_BYTES, "BufferRange": 0}
"""Registers of values that are no element of a tensor; a range is one for all lanes, in scalar registers."""
ADDRESS_BYTES = 8
LIMITS: Mapping[str, int] = {"core-threads": 2048, "core-blocks": 32}
"""The limits of a core whose device table names none."""


def resident_blocks(kernel: Kernel, text: KernelText, device: Device) -> int:
    """Blocks that a core has at once, one at the least."""
    limits = {**LIMITS, **{name: int(rate.si) for name, rate in device.rates.items() if name.startswith("core-")}}
    threads = kernel.launch.block[0]
    most = [limits["core-blocks"], limits["core-threads"] // threads]
    if "core-registers" in limits:
        most.append(limits["core-registers"] // (threads * registers_of(text)))
    shared = kernel.footprint.buffers.get("shared", 0)
    if shared and "core-scratch" in limits:
        most.append(limits["core-scratch"] // shared)
    return max(1, min(most))


def registers_of(text: KernelText) -> int:
    """Registers of a thread, about: those of every variable that is declared, and its own."""
    declared = sum(-(-_bytes(step) // REGISTER_BYTES) for step in steps_in(text.body) if step.dtype and not step.shared)
    return min(-(-(OWN_REGISTERS + declared) // REGISTER_UNIT) * REGISTER_UNIT, MOST_REGISTERS)


def _bytes(step: Simple) -> int:
    """The bytes that a thread holds of what a statement declares: an array, a vector, a value."""
    dtype, *number = arguments_of(step.dtype, "Vector")
    extents = [each.value or 1 for each in step.extents if isinstance(each, Number)]
    size: int = sum(OWN_BYTES[part] if part in OWN_BYTES else bytes_of(part) for part in members(dtype))
    if dtype.endswith("*"):
        size = ADDRESS_BYTES
    return size * prod(extents) * (int(number[0]) if number else 1)
