"""HIP on gfx90a and gfx942 as a SIMT target: its limits and its words. Limits: HIP programming guide, hardware features (a
grid has at most 2**32 - 1 threads along an axis); CDNA2 and CDNA3 instruction set architectures (64 KiB of LDS a workgroup)."""

from __future__ import annotations

from uol.backends.hip.matrix import matrix_units
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.machine.target import ATOMICS, COUNTED, SEGMENTS, Runtime, Target
from uol.codegen.backend import Capability
from uol.codegen.specs.nodes import Attention, Scan, Select

DTYPES = frozenset(STORAGE)

OPTIONS = ("-O3", "-munsafe-fp-atomics")
"""Of every compiler. Floats are added by the machine's instruction, not in a loop: right in the device's own memory, where
results and workspaces are (HIP C++ language extensions, "Unsafe floating-point atomic RMW operations": not in fine-grained
memory)."""

CODE = ".hsaco"
"""A code object for one architecture."""

TARGET = Target(
    name="hip",
    suffix=".hip",
    capability=Capability(
        lanes=64,
        scratch_bytes={"shared": 64 * 1024},
        max_grid=(2**31 - 1, 65535, 65535),
        max_threads=1024,
        dtypes=DTYPES,
        kinds=frozenset({Attention, Scan, Select}),
        scatters=ATOMICS,
        puts=True,
        counted=COUNTED,
        unordered=frozenset({"f64", "f32"}),
        segments=SEGMENTS,
        computed_factors=True,
        searches=0,
        symbolic_dims=True,
    ),
    shared_bytes=64 * 1024,
    runtime=Runtime("hip/hip_runtime.h", "hip", "HIP_PLATFORM=amd hipcc"),
    matrix_units=matrix_units,
    products=(CODE,),
    compiles=(
        "HIP_PLATFORM=amd hipcc --genco --offload-arch={architecture} "
        f"{' '.join(OPTIONS)} -std=c++17 -o \"{{folder}}/{{op}}.hsaco\" {{op}}.hip",
    ),
    max_work_items=2**32 - 1,
)
