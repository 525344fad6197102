"""The 910B products. All are dav-c220; they differ in cores, clock and memory.

Cores, clocks, memory: the platform_config .ini files of CANN (Ascend910B1.ini to Ascend910B4.ini), and PTO-ISA's attention cost
model (kernels/manual/common/flash_atten, fa_cost_model.py). A kernel of one kind of core may be launched with more blocks than
there are cores: a table that is wrong costs time, not results. Bandwidth: the vendor's 1600 to 1800 GB/s, lower end; half of it
on B4.

The default is the 910B2: it is the part of the Atlas 800T A2 on which most published measurements were taken, which the
performance model needs; B1 differs from it by 3 % in clock and in nothing that a kernel's text depends on.
"""

from __future__ import annotations

from pathlib import Path

from uol.codegen.backend import Device
from uol.codegen.rates import read_rates

ARCHITECTURE = "dav-2201"
GIB = 2**30
RATES = read_rates(Path(__file__).parent / "rates.toml")

DEVICES: dict[str, Device] = {
    d.name: d
    for d in (
        Device("910b1", ARCHITECTURE, cores=24, memory_bytes=64 * GIB, rates=RATES["910b1"]),
        Device("910b2", ARCHITECTURE, cores=24, memory_bytes=64 * GIB, rates=RATES["910b2"]),
        Device("910b3", ARCHITECTURE, cores=20, memory_bytes=64 * GIB, rates=RATES["910b3"]),
        Device("910b4", ARCHITECTURE, cores=20, memory_bytes=32 * GIB, rates=RATES["910b4"]),
    )
}

DEFAULT_DEVICE = "910b2"

VECTOR_CORES_PER_CUBE_CORE = 2
"""An AI core is one AIC and two AIVs, on every product."""
