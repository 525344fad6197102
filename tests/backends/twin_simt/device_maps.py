"""Expressions of the device header, mapped over arrays in the twin."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hand_written import MACHINES, dense, module
from numpy.typing import NDArray

from uol.backends.simt.c_text.types import STORAGE
from uol.backends.twin import Job, execute_many
from uol.codegen.backend import Launch

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Mapped:
    """y[i] = expression of a = x[i] and b = z[i]; one array is given for both where there is no z."""

    expression: str
    source: str
    target: str
    x: Array
    z: Array | None = None


def run_all(cases: list[Mapped]) -> list[Array]:
    """The results of many maps, from one compiler run."""
    jobs = []
    for case in cases:
        n = len(case.x)
        c, d = STORAGE[case.source], STORAGE[case.target]
        text = f"""#include "uol_device.h"
extern "C" __global__ void kernel(const {c}* x, const {c}* z, {d}* y)
{{
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= {n}) return;
  const {c} a = x[i], b = z[i];
  y[i] = {case.expression};
}}
"""
        args = (dense("x", case.source, (n,), "in"), dense("z", case.source, (n,), "in"), dense("y", case.target, (n,), "out"))
        built = module("cuda", text, args, {"kernel": Launch((-(-n // 256), 1, 1), (256, 1, 1))})
        z = case.x if case.z is None else case.z
        jobs.append(Job(built, {"x": case.x, "z": z}, {}, checked=n < 5000, capability=MACHINES["cuda"]))
    runs = execute_many(jobs)
    assert not [str(f) for r in runs for f in r.findings]
    return [r.outputs["y"] for r in runs]


def cuda_include() -> Path | None:
    nvcc = shutil.which("nvcc")
    folders = [Path("/usr/local/cuda/include")] + ([Path(nvcc).resolve().parent.parent / "include"] if nvcc else [])
    return next((f for f in folders if (f / "cuda_fp16.h").exists()), None)
