"""CUDA as a SIMT target: its limits and its words. Limits: CUDA C++ Programming Guide, technical specifications per
compute capability (8.0 and 9.0). 8.6 and 8.9 have less shared memory (99 KB a block): their loader refuses more."""

from __future__ import annotations

from uol.backends.cuda.matrix import matrix_units
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.machine.target import ATOMICS, COUNTED, SEGMENTS, Runtime, Target
from uol.codegen.backend import Capability
from uol.codegen.specs.nodes import Attention, Scan, Select

DTYPES = frozenset(STORAGE)

CUBIN, PTX = ".cubin", ".ptx"
"""A binary for one architecture, and the text that a driver compiles for those that come later."""

STATIC_SHARED_BYTES = 48 * 1024
"""What a block's arrays of a size known to the compiler may take together; more is for dynamic ones."""

TARGET = Target(
    name="cuda",
    suffix=".cu",
    capability=Capability(
        lanes=32,
        scratch_bytes={"shared": 163 * 1024, "static shared": STATIC_SHARED_BYTES},
        max_grid=(2**31 - 1, 65535, 65535),
        max_threads=1024,
        dtypes=DTYPES,
        kinds=frozenset({Attention, Scan, Select}),
        scatters=ATOMICS,
        puts=True,
        counted=COUNTED,
        unordered=frozenset({"f64", "f32"}),
        tf32=True,
        segments=SEGMENTS,
        computed_factors=True,
        searches=0,
        symbolic_dims=True,
    ),
    shared_bytes=STATIC_SHARED_BYTES,
    runtime=Runtime("cuda_runtime.h", "cuda", "nvcc"),
    matrix_units=matrix_units,
    products=(CUBIN, PTX),
    compiles=(
        'nvcc -arch={architecture} -O3 -std=c++17 -cubin -o "{folder}/{op}.cubin" {op}.cu',
        'nvcc -arch={architecture} -O3 -std=c++17 -ptx -o "{folder}/{op}.ptx" {op}.cu',
    ),
)
