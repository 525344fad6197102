"""AMD devices. `cores` are compute units; a program sees each half of an MI250X as a device of its own."""

from __future__ import annotations

from uol.codegen.backend import Device

GIB = 2**30

DEVICES = {
    device.name: device
    for device in (
        # AMD Instinct MI250X data sheet, halved: one graphics compute die
        Device("mi250x", "gfx90a", cores=110, clock_mhz=1700, memory_bytes=64 * GIB, bandwidth_gb_s=1638.0),
        # AMD Instinct MI210 data sheet
        Device("mi210", "gfx90a", cores=104, clock_mhz=1700, memory_bytes=64 * GIB, bandwidth_gb_s=1638.0),
    )
}
DEFAULT = "mi250x"
