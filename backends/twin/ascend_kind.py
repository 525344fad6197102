"""The twin of Ascend C on the 910B: one simulated core, seven pipes, block after block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from uol.backends.twin.arrays import Placed
from uol.backends.twin.ascend_buffers import double_buffers
from uol.backends.twin.kind import TwinKind, Unit
from uol.codegen.backend import Kernel

HERE = Path(__file__).parent
INCLUDE = HERE / "ascend" / "include"
RUNTIME = HERE / "ascend" / "runtime"
COMMON = HERE / "common"

TEXT = (
    "-std=c++17",  # bisheng's default
    "-Og",  # the work is done by the runtime: compile fast
    "-Werror=narrowing",  # bisheng refuses run-time ints in braces; `-w` would switch this off
    "-fwrapv",
    "-ffp-contract=off",
)

RUNTIME_FLAGS = ("-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-w")
"""No contraction: a sum and a product round on their own, as two vector instructions do. C++20's headers take twice as long."""


def glue(units: tuple[Unit, ...]) -> str:
    """C++ that includes each text in a namespace of its own and lists its kernels. Kernels have C linkage, so they are
    renamed, or two texts could not hold the same kernel."""
    parts = ['#include "kernel_operator.h"', '#include "ascend/launch.h"', '#include "uol_locals.h"']
    table = []
    for unit in units:
        space = f"uol_m{unit.slot}"
        kernels = unit.module.kernels
        parts += [f"#define {kernel.name} {kernel.name}_{space}" for kernel in kernels]
        parts += [f"namespace {space} {{", f'#include "{unit.include}"', "}"]
        parts += [f"#undef {kernel.name}" for kernel in kernels]
        entries = ", ".join(
            f'{{"{kernel.name}", "{kernel.launch.core}", twin::call<{space}::{kernel.name}_{space}>}}' for kernel in kernels
        )
        parts += [f"static const twin::Kernel kernels_{space}[] = {{{entries}}};"]
        table.append(f"{{kernels_{space}, {len(kernels)}}}")
    parts += [f"const twin::Module twin::modules[] = {{{', '.join(table)}}};", ""]
    return "\n".join(parts)


def loops_by_grid(kernel: Kernel) -> bool:
    """Block b of such a kernel takes tiles b, b + n, b + 2n, ... where n is what GetBlockNum gives."""
    return "GetBlockNum()" in kernel.text


def headers() -> tuple[Path, ...]:
    folders = (INCLUDE, INCLUDE / "ascend", RUNTIME, COMMON)
    return (Path(__file__), *(header for folder in folders for header in sorted(folder.glob("*.h"))))


def held_bytes(buffer: Placed, checked: bool) -> int:
    """Workspaces, the others are in the job's file; a byte an element, and in checked runs a `GlobalCell` of 28 (global.h)."""
    return (buffer.bytes if buffer.role == "workspace" else 0) + buffer.span * (29 if checked else 1)


SECTOR_BYTES = 32
COPIED = ("gm_ub", "gm_l1", "ub_gm", "l0c_gm", "l1_l0a", "l1_l0b", "fill")
"""The ways of bytes; those from L1 to L0 are read on chip and written there."""
PIPES = ("S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX")


def observed(counts: Mapping[str, int]) -> dict[str, int]:
    """What a kernel was said to issue, of the counts of a run."""
    found = Counter(counts)
    ways_of = ("gm_ub", "gm_l1", "scalar"), ("ub_gm", "l0c_gm")
    read, written = (sum(found[f"{way}_sectors"] for way in ways) for ways in ways_of)
    moved = sum(found[f"{way}_bytes"] * (2 if way.startswith("l1_") else 1) for way in COPIED)
    ways = {f"{way}_{unit}" for way in COPIED for unit in ("bytes", "sectors")}
    return {
        "read bytes": read * SECTOR_BYTES,
        "written bytes": written * SECTOR_BYTES,
        "scratch bytes": moved,
        **{f"primitive {name}": n for name, n in counts.items() if name[0].isupper() or name in ways},
        **{f"statements {pipe}": found[f"pipe_{pipe}_instructions"] for pipe in PIPES},
        "blocks": found["blocks"],
        "launches": found["launches"],
    }


KIND = TwinKind(
    name="ascendc",
    compiler="g++",
    text_flags=lambda checked: TEXT,
    runtime_flags=RUNTIME_FLAGS,
    link_flags=(),
    include=(INCLUDE, RUNTIME, COMMON),
    runtime=(*sorted(RUNTIME.glob("*.cpp")), COMMON / "uol_job.cpp", COMMON / "uol_report.cpp"),
    headers=headers(),
    glue=glue,
    loops_by_grid=loops_by_grid,
    double_buffers=double_buffers,
    held_bytes=held_bytes,
    observed=observed,
)
