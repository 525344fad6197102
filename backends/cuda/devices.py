"""NVIDIA devices. `cores` are streaming multiprocessors: A100 Tensor Core GPU Architecture whitepaper, data sheets of A100,
H100 (SXM), H200, A10 and L4 (whose 30.3 TFLOP/s of f32 are 58 multiprocessors at 2040 MHz)."""

from __future__ import annotations

from pathlib import Path

from uol.codegen.backend import Device
from uol.codegen.rates import read_rates

GIB = 2**30
RATES = read_rates(Path(__file__).parent / "rates.toml")

DEVICES = {
    device.name: device
    for device in (
        Device("a100", "sm_80", cores=108, memory_bytes=80 * GIB, rates=RATES["a100"]),
        Device("a100-40", "sm_80", cores=108, memory_bytes=40 * GIB, rates=RATES["a100-40"]),
        Device("a10", "sm_86", cores=72, memory_bytes=24 * GIB, rates=RATES["a10"]),
        Device("l4", "sm_89", cores=58, memory_bytes=24 * GIB, rates=RATES["l4"]),
        Device("h100", "sm_90", cores=132, memory_bytes=80 * GIB, rates=RATES["h100"]),
        Device("h200", "sm_90", cores=132, memory_bytes=141 * GIB, rates=RATES["h200"]),
    )
}
DEFAULT = "a100"
