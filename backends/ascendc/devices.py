"""The 910B products. All are dav-c220; they differ in cores, clock and memory.

Cores, clocks, memory: the platform_config .ini files of CANN (Ascend910B1.ini to Ascend910B4.ini), and PTO-ISA's attention cost
model (kernels/manual/common/flash_atten, fa_cost_model.py). A kernel of one kind of core may be launched with more blocks than
there are cores: a table that is wrong costs time, not results. Bandwidth: the vendor's 1600 to 1800 GB/s, lower end; half of it
on B4.

The default is the 910B2: it is the part of the Atlas 800T A2 on which most published measurements were taken, which the
performance model needs; B1 differs from it by 3 % in clock and in nothing that a kernel's text depends on.
"""

from __future__ import annotations

from uol.codegen.backend import Device

ARCHITECTURE = "dav-2201"
GIB = 2**30

DEVICES: dict[str, Device] = {
    d.name: d
    for d in (
        Device("910b1", ARCHITECTURE, cores=24, clock_mhz=1850, memory_bytes=64 * GIB, bandwidth_gb_s=1600.0),
        Device("910b2", ARCHITECTURE, cores=24, clock_mhz=1800, memory_bytes=64 * GIB, bandwidth_gb_s=1600.0),
        Device("910b3", ARCHITECTURE, cores=20, clock_mhz=1800, memory_bytes=64 * GIB, bandwidth_gb_s=1600.0),
        Device("910b4", ARCHITECTURE, cores=20, clock_mhz=1500, memory_bytes=32 * GIB, bandwidth_gb_s=800.0),
    )
}

DEFAULT_DEVICE = "910b2"

VECTOR_CORES_PER_CUBE_CORE = 2
"""An AI core is one AIC and two AIVs, on every product."""
