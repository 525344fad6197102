"""The driver: builds and caches, isolates what goes wrong, lays out arrays, refuses wrong calls."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hand_written import MACHINES, dense, module
from planted import PLANTED
from planted_copies import CASES
from turns import by_turns

import uol.backends.twin
from uol.backends.twin import Job, build, cache, execute, execute_many, kind_of, register_kind
from uol.codegen.backend import Launch, Module
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ResourceError, ShapeError, ToolchainError, UolError
from uol.ir.program.nodes import Call, Const, Scalar, Var

TWICE = """#include "uol_device.h"
extern "C" __global__ void twice(const float* x, float* y)
{{
  const int i = threadIdx.x;
  if (i < 8) y[i] = {factor} * x[i];
}}
"""
ARGS = (dense("x", "f32", (8,), "in"), dense("y", "f32", (8,), "out"))
X = np.arange(8, dtype=np.float32)


def twice(factor: str = "2") -> Module:
    return module("cuda", TWICE.format(factor=factor), ARGS, {"twice": Launch((1, 1, 1), (32, 1, 1))})


def job(built: Module, **buffers: np.ndarray) -> Job:
    return Job(built, buffers or {"x": X}, {}, capability=MACHINES["cuda"])


@pytest.fixture(scope="module")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the runtime and one module."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UOL_CACHE_DIR", str(folder))
        execute_many([job(twice("0"))])
    return folder / "twin"


@pytest.fixture
def fresh_cache(warm_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds the runtime and nothing else."""
    shutil.copytree(warm_cache / "objects", tmp_path / "twin" / "objects")
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path))
    return tmp_path / "twin"


@pytest.fixture
def compiler_runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The compiler's command lines, as they are run."""
    runs: list[list[str]] = []
    original = build.run_compiler

    def noted(command: list[str], folder: Path) -> None:
        runs.append(command)
        original(command, folder)

    monkeypatch.setattr(build, "run_compiler", noted)
    return runs


def test_execute_uses_the_limits_of_the_module_s_backend() -> None:
    run = execute(twice(), {"x": X})
    assert not run.findings
    assert np.array_equal(run.outputs["y"], 2 * X)
    too_large = module("hip", TWICE.format(factor="2"), ARGS, {"twice": Launch((1, 1, 1), (2048, 1, 1))})
    assert [f.kind for f in execute(too_large, {"x": X}).findings] == ["limit-threads"]


def test_executables_are_cached(fresh_cache: Path, compiler_runs: list[list[str]]) -> None:
    assert np.array_equal(execute_many([job(twice())])[0].outputs["y"], 2 * X)
    assert compiler_runs
    compiler_runs.clear()
    assert np.array_equal(execute_many([job(twice())])[0].outputs["y"], 2 * X)
    assert not compiler_runs
    assert np.array_equal(execute_many([job(twice("3"))])[0].outputs["y"], 3 * X)
    assert compiler_runs


def test_many_modules_take_few_compiler_runs(fresh_cache: Path, compiler_runs: list[list[str]]) -> None:
    runs = execute_many([job(twice(str(n))) for n in range(40)])
    for n, run in enumerate(runs):
        assert np.array_equal(run.outputs["y"], n * X)
    assert sum("glue.cpp" in command for command in compiler_runs) == 3
    assert len(os.listdir(fresh_cache / "exe")) == 3
    assert not list(fresh_cache.rglob("new-*"))


def test_a_text_that_does_not_compile_spoils_no_other(fresh_cache: Path) -> None:
    good, bad, other = execute_many([job(twice()), job(twice("nonsense")), job(twice("5"))])
    assert np.array_equal(good.outputs["y"], 2 * X)
    assert np.array_equal(other.outputs["y"], 5 * X)
    assert [(f.kind, f.line) for f in bad.findings] == [("compile-error", 5)]
    assert "nonsense" in bad.findings[0].message
    assert np.isnan(bad.outputs["y"]).all()


def test_a_damaged_executable_is_built_anew(fresh_cache: Path) -> None:
    execute_many([job(twice())])
    (executable,) = fresh_cache.glob("exe/*/twin")
    executable.write_bytes(b"no program")
    assert np.array_equal(execute_many([job(twice())])[0].outputs["y"], 2 * X)


@pytest.mark.parametrize("damage", by_turns(2, [lambda path: path.write_bytes(b"no object"), lambda path: path.unlink()]))
def test_a_damaged_runtime_is_built_anew(fresh_cache: Path, damage: Callable[[Path], None]) -> None:
    damage(sorted(fresh_cache.glob("objects/*/*.o"))[0])
    (run,) = execute_many([job(twice("3"))])
    assert run.findings == ()
    assert np.array_equal(run.outputs["y"], 3 * X)


def test_another_executable_in_the_place_of_one_is_not_run(fresh_cache: Path) -> None:
    for factor in ("2", "7"):
        execute_many([job(twice(factor))])
    one, other = fresh_cache.glob("exe/*/twin")
    one.write_bytes(other.read_bytes())  # it starts, and computes something else
    for factor in (2, 7):
        assert np.array_equal(execute_many([job(twice(str(factor)))])[0].outputs["y"], factor * X)


def test_what_lies_in_the_place_of_another_is_not_run(fresh_cache: Path) -> None:
    """Whole index entries, and whole folders of executables, that were swapped."""
    for factor in ("2", "7"):
        execute_many([job(twice(factor))])
    one, other = fresh_cache.glob("index/*")
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    for factor in (2, 7):
        assert np.array_equal(execute_many([job(twice(str(factor)))])[0].outputs["y"], factor * X)
    one, other = fresh_cache.glob("exe/*")
    for source, place in ((one, "aside"), (other, one.name), (fresh_cache / "exe" / "aside", other.name)):
        source.rename(fresh_cache / "exe" / place)
    for factor in (2, 7):
        assert np.array_equal(execute_many([job(twice(str(factor)))])[0].outputs["y"], factor * X)


def test_an_index_entry_that_names_another_slot_is_not_followed(fresh_cache: Path) -> None:
    execute_many([job(twice("2")), job(twice("7"))])
    for entry in fresh_cache.glob("index/*"):
        said = json.loads(entry.read_text())
        entry.write_text(json.dumps({**said, "slot": 1 - said["slot"]}))
    for factor in (2, 7):
        assert np.array_equal(execute_many([job(twice(str(factor)))])[0].outputs["y"], factor * X)


def test_damaged_index_entries_are_replaced(fresh_cache: Path) -> None:
    execute_many([job(twice())])
    (entry,) = fresh_cache.glob("index/*")
    entry.write_text("{")
    assert np.array_equal(execute_many([job(twice())])[0].outputs["y"], 2 * X)


def test_one_fills_a_folder_and_the_others_wait_for_it(tmp_path: Path) -> None:
    """A runtime takes a compiler many seconds."""
    fills: list[Path] = []

    def fill(folder: Path) -> None:
        fills.append(folder)
        time.sleep(0.2)  # the other asks meanwhile
        (folder / "runtime.o").write_text("built")

    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: cache.publish(tmp_path / "place", fill), range(2)))
    assert len(fills) == 1
    assert [(place / "runtime.o").read_text() for place in places] == ["built"] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_users_of_one_cache_do_not_collide(fresh_cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda n: execute_many([job(twice("2")), job(twice(str(n)))]), range(4)))
    for n, (double, other) in enumerate(runs):
        assert np.array_equal(double.outputs["y"], 2 * X)
        assert np.array_equal(other.outputs["y"], n * X)
    assert not list(fresh_cache.rglob("new-*"))


def test_the_cache_does_not_grow_without_end(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_EXECUTABLES", 3)
    for n in range(6):
        execute_many([job(twice(str(n)))])
    assert len(os.listdir(fresh_cache / "exe")) <= 4
    assert len(os.listdir(fresh_cache / "index")) <= 4


def test_a_run_past_a_buffer_is_found_without_checks_too() -> None:
    text = """#include "uol_device.h"
extern "C" __global__ void past(const float* x, float* y)
{
  y[threadIdx.x] = 1;
  y[threadIdx.x + 8] = x[threadIdx.x];
}
"""
    args = (dense("x", "f32", (4,), "in"), dense("y", "f32", (4,), "out"))
    built = module("cuda", text, args, {"past": Launch((1, 1, 1), (4, 1, 1))})
    run = execute_many([Job(built, {"x": X[:4]}, {}, checked=False, capability=MACHINES["cuda"])])[0]
    assert [(f.kind, f.kernel, f.line) for f in run.findings] == [("out-of-bounds-global", "past", 5)]
    assert run.outputs["y"][0] == 1


def test_elements_that_nobody_wrote_are_a_finding_of_the_last_kernel() -> None:
    built = module("cuda", TWICE.format(factor="2").replace("i < 8", "i < 5"), ARGS, {"twice": Launch((1, 1, 1), (32, 1, 1))})
    (finding,) = execute_many([job(built)])[0].findings
    assert (finding.kind, finding.kernel, finding.line) == ("unwritten-result", "twice", 0)
    assert "3 of 8 elements of `y`" in finding.message


def test_strided_inputs_and_results_are_laid_out_by_the_module() -> None:
    text = """#include "uol_device.h"
extern "C" __global__ void pack(const float* x, const float* row, float* y)
{
  const int t = threadIdx.x, n = t / 6, c = t / 2 % 3, w = t % 2;
  if (t < 12) y[n * 6 + w * 3 + c] = x[n * 10 + c * 3 + w] + row[c];
}
"""
    args = (
        Arg("x", "f32", (Const(2), Const(3), Const(2)), (Const(10), Const(3), Const(1)), "in"),
        Arg("row", "f32", (Const(2), Const(3), Const(2)), (Const(0), Const(1), Const(0)), "in"),
        Arg("y", "f32", (Const(2), Const(3), Const(2)), (Const(6), Const(1), Const(3)), "out"),
    )
    built = module("cuda", text, args, {"pack": Launch((1, 1, 1), (32, 1, 1))})
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    row = np.broadcast_to(np.array([10, 20, 30], np.float32)[:, None], (2, 3, 2))
    run = execute_many([job(built, x=x, row=row)])[0]
    assert not run.findings
    assert np.array_equal(run.outputs["y"], x + row)


def test_empty_arrays_and_symbolic_dims() -> None:
    text = """#include "uol_device.h"
extern "C" __global__ void scale(const float* x, float* y, float factor, int n)
{
  for (int i = threadIdx.x; i < n; i += 32) y[i] = factor * x[i];
}
"""
    shape = (Call("-", (Call("*", (Var("N"), Const(2)), "idx"), Const(2)), "idx"),)
    args = (Arg("x", "f32", shape, (Const(1),), "in"), Arg("y", "f32", shape, (Const(1),), "out"))
    scalars = (Scalar("factor", "f32"), Scalar("n", "i64"))
    built = module("cuda", text, args, {"scale": Launch((1, 1, 1), (32, 1, 1))}, scalars=scalars)
    values = [({"x": X[:6]}, {"factor": 0.5, "n": 6, "N": 4}), ({"x": X[:0]}, {"factor": 0.5, "n": 0, "N": 1})]
    runs = execute_many([Job(built, b, s, capability=MACHINES["cuda"]) for b, s in values])
    assert np.array_equal(runs[0].outputs["y"], X[:6] / 2)
    assert runs[1].outputs["y"].shape == (0,)
    assert not runs[0].findings + runs[1].findings
    with pytest.raises(ShapeError, match="the dim 'N' has no value"):
        execute_many([Job(built, {"x": X[:6]}, {"factor": 0.5, "n": 6}, capability=MACHINES["cuda"])])


def test_wrong_calls_are_errors_of_their_own() -> None:
    with pytest.raises(ShapeError, match="the input 'x' of op is missing"):
        execute_many([job(twice(), z=X)])
    with pytest.raises(ShapeError, match=r"float32\[7\], the module wants float32\[8\]"):
        execute_many([job(twice(), x=X[:7])])
    with pytest.raises(ShapeError, match="float64"):
        execute_many([job(twice(), x=X.astype(np.float64))])
    scaled = module(
        "cuda", TWICE.format(factor="2"), ARGS, {"twice": Launch((1, 1, 1), (32, 1, 1))}, scalars=[Scalar("s", "f32")]
    )
    with pytest.raises(ShapeError, match="the scalar 's' of the kernel twice is missing"):
        execute_many([job(scaled)])
    with pytest.raises(UolError, match="the backend 'abacus' has no twin"):
        execute_many([dataclasses.replace(job(twice()), module=dataclasses.replace(twice(), backend="abacus"))])


def test_a_missing_compiler_is_said(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = dataclasses.replace(kind_of("cuda"), compiler="no-such-compiler")
    monkeypatch.setattr("uol.backends.twin.run.kind_of", lambda backend: kind)
    with pytest.raises(ToolchainError, match="needs a C\\+\\+ compiler.*no-such-compiler") as error:
        execute_many([job(twice())])
    assert error.value.hint is not None


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("uol.backends.twin.run.write_job", full)
    with pytest.raises(ResourceError, match="No space left on device") as error:
        execute_many([job(twice())])
    assert "TMPDIR" in (error.value.hint or "")


def test_a_kind_is_not_replaced_by_accident() -> None:
    with pytest.raises(UolError, match="already has the twin"):
        register_kind("cuda", "somewhere:ELSE")


def test_the_readme_names_every_kind_that_is_planted() -> None:
    readme = (Path(next(iter(uol.backends.twin.__path__))) / "README.md").read_text()
    table = readme.partition("## Findings")[2].partition("## Counts")[0]
    documented = set(re.findall(r"`([a-z-]+)`", table))
    texts = [*(bug.source for bug in PLANTED), *CASES.values()]
    planted = {kind for text in texts for mark in re.findall(r"// ! (.*)", text) for kind in mark.split(", ")}
    assert planted | {"unwritten-result"} == documented
