"""A launch whose grid, and what it passes by value, are expressions over the dims of the call, in twin and launcher."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import uol.backends.cuda
from uol.backends.abi.interface import abi_header
from uol.backends.cuda.target import TARGET
from uol.backends.simt.rendering import assemble
from uol.backends.twin import Job, execute_many
from uol.codegen.backend import Device, Footprint, Kernel, Launch, Module, Param
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, Map
from uol.ir.program.nodes import Call, Const, Var

TEXT = """extern "C" __global__ void __launch_bounds__(32) twice(const float* x, float* y, long long N, long long tiles)
{
  for (long long tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const long long i = tile * 32 + threadIdx.x;
    if (i < N) y[i] = 2.0f * x[i];
  }
}
"""
INCLUDE = Path(uol.backends.cuda.__file__).parent / "include"
N = Var("N")
TILES = Call("/", (Call("+", (N, Const(31)), "idx"), Const(32)), "idx")


class NoSchedule:
    def describe(self) -> str:
        return "written by hand"


def open_module() -> Module:
    """`twice` for an N that is an argument, with a block for every second tile."""
    args = tuple(Arg(name, "f32", (N,), (Const(1),), role) for name, role in (("x", "in"), ("y", "out")))
    params = (
        Param("x", "buffer", "f32"),
        Param("y", "buffer", "f32", writes=True),
        Param("N", "dim", "i64"),
        Param("tiles", "count", "i64", count=TILES),
    )
    half = Call("/", (Call("+", (TILES, Const(1)), "idx"), Const(2)), "idx")
    launch = Launch((half, 1, 1), (32, 1, 1))
    spec = Map("twice", args, (), ("N",), (), "op twice", (), ())
    kernel = Kernel("twice", TEXT, params, launch, Footprint(grid=launch.grid), NoSchedule(), spec)
    graph = KernelGraph("twice", (spec,), args, (), (), ("N",), "op twice(x: f32[N]) -> (y: f32[N])")
    return assemble(graph, (kernel,), Device("a100", "sm_80", 108, 0), TARGET, INCLUDE)


@pytest.mark.parametrize("size", [0, 1, 32, 33, 1000])
def test_the_twin_evaluates_grid_and_count_at_the_call(size: int) -> None:
    x = np.arange(size, dtype=np.float32)
    (run,) = execute_many([Job(open_module(), {"x": x}, {"N": size}, capability=TARGET.capability)])
    assert not run.findings, run.findings
    assert np.array_equal(run.outputs["y"], 2 * x)


def test_the_launcher_evaluates_them_from_the_tensors() -> None:
    (host,) = (f.text for f in open_module().host if f.name == "twice_host.cu")
    tiles = "uol_floor_div((dims[0] + 31), 32)"
    grid = f"uol_floor_div(({tiles} + 1), 2)"
    assert f"if ({grid} > 0) twice<<<dim3((unsigned){grid}, 1, 1), dim3(32, 1, 1), 0, queue>>>(" in host
    assert f"(const float*)tensors[0].data, (float*)tensors[1].data, (long long)dims[0], (long long){tiles});" in host
    assert "read_dims(tensors, n_tensors, dims);" in host


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_the_vendors_compiler_takes_the_launcher(tmp_path: Path) -> None:
    module = open_module()
    for file in (module.device, *module.host, abi_header()):
        (tmp_path / file.name).write_text(file.text)
    command = ["nvcc", "-arch=sm_80", "-std=c++17", "-c", "-o", "out.o", "twice_host.cu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
