"""NVIDIA devices. `cores` are streaming multiprocessors."""

from __future__ import annotations

from uol.codegen.backend import Device

GIB = 2**30

DEVICES = {
    device.name: device
    for device in (
        # NVIDIA A100 Tensor Core GPU Architecture whitepaper; A100 80GB SXM data sheet
        Device("a100", "sm_80", cores=108, clock_mhz=1410, memory_bytes=80 * GIB, bandwidth_gb_s=2039.0),
        Device("a100-40", "sm_80", cores=108, clock_mhz=1410, memory_bytes=40 * GIB, bandwidth_gb_s=1555.0),
        # NVIDIA H100 Tensor Core GPU data sheet, SXM; boost clock as the whitepaper's peak rates imply
        Device("h100", "sm_90", cores=132, clock_mhz=1830, memory_bytes=80 * GIB, bandwidth_gb_s=3350.0),
        # NVIDIA H200 data sheet; clock as published benchmark logs show it
        Device("h200", "sm_90", cores=132, clock_mhz=1980, memory_bytes=141 * GIB, bandwidth_gb_s=4800.0),
    )
}
DEFAULT = "a100"
