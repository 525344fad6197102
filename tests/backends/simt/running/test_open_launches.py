"""A launch whose grid, and what it passes by value, are expressions over the dims of the call, in twin and launcher."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import uol.backends.cuda
from uol.backends.cuda.target import TARGET
from uol.backends.simt.running.module_files import assemble
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
    (host,) = (f.text for f in open_module().host if f.name == "twice_host.cpp")
    tiles = "uol_floor_div((dims[0] + 31), 32)"
    grid = f"uol_floor_div(({tiles} + 1), 2)"
    assert f"if ({grid} > 0) {{  // twice" in host
    assert f"const uol_size grid = {{(unsigned){grid}, 1, 1}}, block = {{32, 1, 1}};" in host
    values = ["tensors[0].data", "tensors[1].data", "(long long)dims[0]", f"(long long){tiles}"]
    places = [host.index(f"argument{n} = {value};") for n, value in enumerate(values)]
    assert places == sorted(places)
    assert "read_dims(tensors, n_tensors, dims);" in host


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler")
def test_a_compiler_takes_the_launcher(tmp_path: Path) -> None:
    module = open_module()
    for file in (module.device, *module.host):
        (tmp_path / file.name).write_text(file.text)
    for name in module.products:
        (tmp_path / name).touch()
    command = ["c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-c", "-o", "out.o", "twice_host.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
