"""Shared memory that a block asks for at its launch: bounded by the device's core, not by what may be declared."""

from __future__ import annotations

import pytest

from uol.backends.cuda.target import TARGET as CUDA
from uol.backends.hip.target import TARGET as HIP
from uol.backends.registry import get
from uol.backends.simt.machine.fitting import fitting
from uol.codegen.backend import Footprint, Refusal
from uol.ir.program.nodes import Const

KIB = 1024


@pytest.mark.parametrize(
    ("backend", "device", "most"),
    # CUDA C++ Programming Guide, technical specifications per compute capability: 163 KB a block on 8.0, 99 KB on 8.6 and 8.9
    [("cuda", "a100", 163 * KIB), ("cuda", "a10", 99 * KIB), ("cuda", "l4", 99 * KIB), ("hip", "mi250x", 64 * KIB)],
)
def test_a_block_asks_for_what_a_core_has(backend: str, device: str, most: int) -> None:
    target = {"cuda": CUDA, "hip": HIP}[backend]
    found = get(backend).devices[device]
    machine = target.on(found.architecture)
    assert machine.units is not None and machine.units.shared_bytes == most
    fits = fitting(machine, 128, Const(1), most, most)
    assert isinstance(fits, Footprint)
    assert fits.buffers == {"shared": most}
    refused = fitting(machine, 128, Const(1), most + 1, most)
    assert isinstance(refused, Refusal)
    assert str(most) in refused.reason and "stages" in (refused.hint or "")


def test_what_is_declared_keeps_its_own_bound() -> None:
    assert isinstance(fitting(CUDA.on("sm_80"), 128, Const(1), 48 * KIB), Footprint)
    assert isinstance(fitting(CUDA.on("sm_80"), 128, Const(1), 48 * KIB + 1), Refusal)
