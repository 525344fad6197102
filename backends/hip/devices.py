"""AMD devices. `cores` are compute units; a program sees each half of an MI250X as a device of its own.

Cores and memory: data sheets of AMD Instinct MI250X (halved: one graphics compute die), MI210 and MI300X."""

from __future__ import annotations

from pathlib import Path

from uol.codegen.backend import Device
from uol.codegen.rates import read_rates

GIB = 2**30
RATES = read_rates(Path(__file__).parent / "rates.toml")

DEVICES = {
    device.name: device
    for device in (
        Device("mi250x", "gfx90a", cores=110, memory_bytes=64 * GIB, rates=RATES["mi250x"]),
        Device("mi210", "gfx90a", cores=104, memory_bytes=64 * GIB, rates=RATES["mi210"]),
        Device("mi300x", "gfx942", cores=304, memory_bytes=192 * GIB, rates=RATES["mi300x"]),
    )
}
DEFAULT = "mi250x"
