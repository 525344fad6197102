"""The twins of CUDA and HIP: fibres for threads, warps of 32 or 64."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.machine.matrix_primitives import HEADER as MATRIX_HEADER
from uol.backends.simt.reading.units import MATRIX_UNITS, STATEMENT_UNITS
from uol.backends.simt.running.module_files import INCLUDE as SHARED
from uol.backends.twin.arrays import Placed
from uol.backends.twin.job_file import LARGE
from uol.backends.twin.kind import TwinKind, Unit
from uol.backends.twin.simt_marks import marks_of

HERE = Path(__file__).parent
INCLUDE = HERE / "simt" / "include"
RUNTIME = HERE / "simt" / "runtime"
COMMON = HERE / "common"
HEADERS = (INCLUDE, SHARED, RUNTIME, COMMON)

PARTS = (
    *("main", "signals", "schedule", "fibre", "memory", "shared", "banks", "statements", "check", "vector_access", "atomics"),
    *("copies", "matrix"),
)
SOURCES = (
    *(RUNTIME / f"{part}.cpp" for part in PARTS),
    COMMON / "uol_job.cpp",
    COMMON / "uol_report.cpp",
    RUNTIME / "padding.cpp",  # last: it lies behind the shared arrays
)

CODE = ("-march=native", "-fno-pie", "-fno-exceptions", "-fno-rtti", "-fcf-protection=none")
"""No position independence: shared arrays are then at constants off the thread pointer."""

TEXT = (
    "-std=c++20",
    *CODE,
    "-g1",  # lines and inlining, nothing else
    "-w",
    "-fwrapv",  # integers wrap, as the language says
    "-fno-strict-aliasing",
    "-fno-math-errno",
    "-ffp-contract=fast",  # as nvcc and hipcc do
    "-fno-extern-tls-init",
    "-fno-stack-protector",
    "-fno-reorder-blocks-and-partition",  # a kernel's unlikely code stays in the kernels' section
)

CHECKED = (
    "-Og",  # half of the time of -O1 to compile, and what runs is the checker; all functions of the header are inlined by force
    "-fno-tree-vectorize",  # the checker wants the kernel's own accesses
    "-fsanitize=thread,bounds",
    "--param=tsan-instrument-func-entry-exit=0",
)


def kind_with_warps(name: str, warp_width: int) -> TwinKind:
    """The twin of a SIMT machine with warps of 32 or 64 lanes."""
    warp = f"-DUOL_TWIN_WARP={warp_width}"
    return TwinKind(
        name=name,
        compiler="g++",
        text_flags=lambda checked: (*TEXT, warp, *(CHECKED if checked else ("-O3",))),
        runtime_flags=("-std=c++17", *CODE, "-O2", warp),  # C++20's headers take twice as long
        link_flags=("-no-pie",),
        include=(INCLUDE, SHARED, COMMON),
        runtime=SOURCES,
        headers=(Path(__file__), *(header for folder in HEADERS for header in sorted(folder.glob("*.h")))),
        glue=glue,
        held_bytes=held_bytes,
        marks=marks_of,
        observed=observed,
        largest_buffer=2**34,  # a quarter of its slot of addresses, memory.cpp
    )


def held_bytes(buffer: Placed, checked: bool) -> int:
    """A copy of every buffer but a large input, whose pages are the file's; in checked runs a `Cell` of 16 bytes an element
    that may be written, and 8 for what is added to it (memory.h)."""
    if buffer.role == "in":
        return buffer.bytes if buffer.bytes < LARGE else 0
    return buffer.bytes + (24 * buffer.span if checked else 0)


def observed(counts: Mapping[str, int]) -> dict[str, int]:
    """What a kernel was said to issue, of the counts of a run."""
    found = Counter(counts)
    return {
        "read bytes": found["global_load_sectors"] * SECTOR_BYTES,
        "written bytes": found["global_store_sectors"] * SECTOR_BYTES,
        "scratch bytes": found["shared_load_bytes"] + found["shared_store_bytes"],
        "primitive barrier": found["barriers"],
        "primitive shuffle": found["shuffles"],
        **{f"operations {unit}": found[f"matrix operations {unit.removesuffix('-matrix')}"] for unit in MATRIX_UNITS},
        **{f"statements {unit}": found[f"statements {unit}"] for unit in STATEMENT_UNITS},
        "blocks": found["blocks"],
        "launches": found["launches"],
    }


DYNAMIC = re.compile(r"\bextern\s+__shared__\s+(?:(?:__align__|alignas)\(\d+\)\s*)?([\w:][\w:\s]*?)\s*\b(\w+)\s*\[\s*\]\s*;")
"""A dynamic shared array: its element type and name."""


def glue(units: tuple[Unit, ...]) -> str:
    """C++ that includes each text in a namespace of its own and lists its kernels. What has C linkage, kernels and
    dynamic shared arrays, is renamed, or texts would share it."""
    parts = ['#include "uol_glue.h"', '#include "uol_locals.h"', '#include "uol_device.h"']
    if any(f'#include "{MATRIX_HEADER}"' in unit.module.device.text for unit in units):
        parts.append(f'#include "{MATRIX_HEADER}"')
    table = []
    for unit in units:
        space = f"uol_m{unit.slot}"
        kernels = [kernel.name for kernel in unit.module.kernels]
        dynamic = dynamic_arrays(unit.module.device.text)
        parts += [f"#define {name} {name}_{space}" for name in (*kernels, *dynamic)]
        parts += [f"namespace {space} {{", f'#include "{unit.include}"']
        parts += ["}", 'extern "C" {', *(definition(element, name) for name, element in dynamic.items()), "}"]
        parts += [f"#undef {name}" for name in (*kernels, *dynamic)]
        symbols = [f"{name}_{space}" for name in kernels]
        entries = ", ".join(f'{{"{symbol}", uol_twin::call<{space}::{symbol}>}}' for symbol in symbols)
        parts += [f"static const uol_twin::Kernel kernels_{space}[] = {{{entries}}};"]
        table.append(f'{{"{space}", kernels_{space}}}')
    parts += [f"const uol_twin::Module uol_twin::modules[] = {{{', '.join(table)}}};", ""]
    return "\n".join(parts)


def dynamic_arrays(text: str) -> dict[str, str]:
    """The dynamic shared arrays that a text declares: names, and element types."""
    return {name: element for element, name in DYNAMIC.findall(text)}


def definition(element: str, name: str) -> str:
    return f"__shared__ {element} {name}[uol_twin::dynamic_capacity / sizeof({element})];"


CUDA = kind_with_warps("cuda", 32)
HIP = kind_with_warps("hip", 64)
