"""Scans, scatters and orders on the CPU: kernels and oracle against the golden value, on shapes that reach every schedule."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from cpu_cases import as_numbers, graph_of, module_of, program_of, require_close, run_compiled, runner
from forked_child import forked, status_of
from turns import by_turns

import uol
from uol.backends.cpu.oracle import oracle
from uol.backends.cpu.schedules import scans, scatters, selects
from uol.codegen.specs.nodes import Scan, Scatter, Select
from uol.ir import interpret, parse
from uol.ir.program.dtype_encoding import STORAGE, decode, encode

TYPES = ("f64", "f32", "f16", "bf16", "i64", "i32", "i8", "u8")
SCANS = {
    "rows": "op f(x: T[N, M]) -> (y: T[N, M]) for T in (f64, f32, i32) {{ y[n, i] = {scan}(x[n, j]) + x[n, i] }}",
    "columns": "op f(x: T[M, N]) -> (y: T[M, N]) for T in (f64, f32, i32) {{ y[i, n] = {scan}(x[j, n] * 2) }}",
}
BOUNDS = ("j <= i", "j < i", "j >= i", "j > i")
SCATTERS = {
    "rows": "op f(x: T[N, D], at: i32[N]; S: int) -> (y: T[S, D]) for T in (f32, i8) where S > 0 { y[at[n], d] += x[n, d] }",
    "columns": "op f(x: T[N, D], at: i32[N]; S: int) -> (y: T[D, S]) for T in (f32, i8) where S > 0 { y[d, at[n]] += x[n, d] }",
    "elements": "op f(x: T[N, D], at: i32[N, D]; S: int) -> (y: T[S]) for T in (f32, i8) where S > 0 {"
    " y[at[n, d]] += x[n, d] }",
    "own": "op f(x: T[N, D], at: i32[N, D]; S: int) -> (y: T[D, S]) for T in (f32, i8) where S > 0 {"
    " y[d, at[n, d]] += x[n, d] }",
    "diagonal": "op f(x: T[N, D], at: i32[N, D]; S: int) -> (y: T[S, D]) for T in (f32, i8) where S > 0 {"
    " y[at[n, d], d] += x[n, d] * 2 }",
}
KINDS = "(f64, f32, f16, bf16, i64, i32, i8, u8)"
SORT = f"op f(x: T[N, D]) -> (v: T[N, D], a: i64[N, D]) for T in {KINDS} {{ (v[n, k], a[n, k]) = sort[d](x[n, d]) }}"
TOPK = f"""op f(x: T[N, D]; K: int) -> (v: T[N, K], a: i32[N, K]) for T in {KINDS} where K >= 0, D >= K {{
  (v[n, k], a[n, k]) = topk[d](x[n, d], K)
}}"""


def require_right(text: str, values: Mapping[str, np.ndarray], terms: float = 0, **given: Any) -> None:
    """Kernels and oracle give the golden value; one of the specs is a scan, a scatter or an order."""
    program = program_of(text, **given)
    inputs = {t.name: encode(values[t.name], t.dtype) for t in program.by_role("in")}
    graph = graph_of(program)
    is_trivial = any(n < 2 for n in values["x"].shape)  # simplified to less than a scan
    assert is_trivial or any(isinstance(s, Scan | Scatter | Select) for s in graph.specs)
    numbers = as_numbers(program, inputs)
    golden = interpret(program, numbers)
    magnitude = interpret(program, {n: np.abs(v) if n == "x" else v for n, v in numbers.items()})
    for results in (oracle.run(graph, inputs), run_compiled(graph, inputs)):
        for tensor in program.by_role("out"):
            bound = np.abs(magnitude[tensor.name])
            if terms:
                require_close(results[tensor.name], golden[tensor.name], tensor.dtype, terms, bound)
            else:  # nothing is computed
                np.testing.assert_array_equal(decode(results[tensor.name], tensor.dtype), golden[tensor.name])


@pytest.mark.parametrize(("form", "bound", "sizes"), by_turns(4, list(SCANS), BOUNDS, [(3, 5), (2, 0), (40, 70), (1, 2000)]))
def test_scans(form: str, bound: str, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "PARALLEL_FROM", 500)
    op, dtype = (("sum", "f32"), ("max", "f64"), ("min", "i32"), ("prod", "i32"))[(BOUNDS.index(bound) + sum(sizes)) % 4]
    dims = dict(zip("NM", sizes, strict=True))
    shape = sizes if form == "rows" else sizes[::-1]
    x = np.random.default_rng(0).standard_normal(shape) * (3 if dtype == "i32" else 1)
    text = SCANS[form].format(scan=f"{op}[{bound}]")
    require_right(text, {"x": x.round() if dtype == "i32" else x}, sizes[1] + 4, dims=dims, types={"T": dtype})


def test_a_long_row_is_scanned_in_chunks_and_keeps_nan() -> None:
    text = SCANS["rows"].format(scan="max[j <= i]")
    x = np.random.default_rng(0).standard_normal((1, 100_003))
    x[0, 70_000] = np.nan
    program = program_of(text, types={"T": "f32"}, dims={"N": 1, "M": x.shape[1]})
    (kernel,) = module_of(graph_of(program)).kernels
    assert "chunks" in kernel.schedule.describe()
    y = run_compiled(graph_of(program), {"x": x.astype(np.float32)})["y"]
    assert np.isnan(y[0, 70_000:]).all()
    np.testing.assert_array_equal(
        y[0, :70_000], (np.maximum.accumulate(x[0].astype(np.float32)) + x[0].astype(np.float32))[:70_000]
    )


@pytest.mark.parametrize(
    ("op", "bound", "dtype", "length"),
    by_turns(7, ["sum", "max", "min"], BOUNDS, ["f32", "f64", "i32", "bf16"], [83, 16]),
)
def test_neighbours_are_a_vector(op: str, bound: str, dtype: str, length: int) -> None:
    """Two folds over the same positions, and a value between them."""
    text = f"""op f(x: {dtype}[N, M]) -> (y: {dtype}[N, M], z: {dtype}[N, M]) {{
      a[n, i] = {op}[{bound}](acc(x[n, j])) + acc(x[n, i])
      y[n, i] = {dtype}(a[n, i])
      z[n, i] = {dtype}(sum[{bound}](select(x[n, j] > 0, acc(x[n, j]) * 2, 0)) - a[n, i])
    }}"""
    x = np.random.default_rng(0).integers(-9, 10, (9, length)).astype(np.float64)
    for open_dims in ({"N": 9, "M": length}, {"N": 9}):
        program = program_of(text, dims=open_dims, types={})
        inputs = {"x": encode(x, dtype)}
        graph = graph_of(program)
        assert any("positions in a vector" in k.schedule.describe() for k in module_of(graph).kernels)
        golden = interpret(program, {"x": x}, dims={"N": 9, "M": length})
        found = run_compiled(graph, inputs, dims={"N": 9, "M": length})
        for name, values in found.items():
            np.testing.assert_allclose(decode(values, dtype), golden[name], rtol=0.02 if dtype == "bf16" else 1e-6)


def test_places_may_be_a_vector_of_neighbours_too() -> None:
    """A user's schedule: no scan of places has it by itself."""
    text = "op f(x: f32[N, M]) -> (y: i64[N, M]) { y[n, i] = argmax[j >= i](x[n, j]) }"
    x = np.random.default_rng(0).integers(-9, 10, (2, 77)).astype(np.float32)
    x[1, 40] = np.nan
    (op,) = parse(text)
    compiled = uol.compile(op, dims={"N": 2, "M": 77}, schedule="along=true,lanes=8")
    assert "8 positions in a vector" in compiled.module.kernels[0].schedule.describe()
    golden = interpret(program_of(text, dims={"N": 2, "M": 77}, types={}), {"x": x.astype(np.float64)})
    np.testing.assert_array_equal(compiled.run({"x": x})["y"], golden["y"])


def test_a_zero_before_large_factors_keeps_a_product_at_zero() -> None:
    """The product of a part of the row would overflow, and infinity times 0 is NaN."""
    text = SCANS["rows"].format(scan="prod[j <= i]").replace("+ x[n, i]", "* 1")
    x = np.full((1, 100_003), 1e38, np.float32)
    x[0, 0] = 0
    y = run_compiled(graph_of(program_of(text, types={"T": "f32"}, dims={"N": 1, "M": x.shape[1]})), {"x": x})["y"]
    np.testing.assert_array_equal(y, 0)


@pytest.mark.parametrize(
    ("op", "bound", "length"), by_turns(2, ["argmax", "argmin", "any", "all"], ["j <= i", "j >= i"], [37, 1001])
)
def test_scans_of_places_and_truths(op: str, bound: str, length: int) -> None:
    dtype, key = ("i64", "x[n, j]") if op.startswith("arg") else ("bool", "x[n, j] > 0" if op == "any" else "x[n, j] < 9")
    text = f"op f(x: f32[N, M]) -> (y: {dtype}[N, M]) {{ y[n, i] = {op}[{bound}]({key}) }}"
    x = np.random.default_rng(0).integers(-9, 10, (2, length)).astype(np.float64)
    x[1, length // 2] = np.nan
    require_right(text, {"x": x}, dims={"N": 2, "M": length}, types={})


@pytest.mark.parametrize(
    ("name", "sizes"),
    by_turns(3, ["scan", "scatter", "sort"], [(3, 7), (0, 3), (2, 0), (5, 1), (19, 300), (700, 70)]),
)
def test_dims_may_be_arguments(name: str, sizes: tuple[int, int]) -> None:
    text = {
        "scan": "op f(x: f32[N, D]) -> (y: f32[N, D]) { y[n, i] = sum[j > i](x[n, j]) }",
        "scatter": "op f(x: f32[N, D], at: i32[N], z: f32[S]) -> (y: f32[S, D]) { y[at[n], d] += x[n, d] }",
        "sort": "op f(x: f32[N, D]) -> (v: f32[N, D], a: i64[N, D]) { (v[n, k], a[n, k]) = sort[d](x[n, d]) }",
    }[name]
    rng = np.random.default_rng(0)
    program = program_of(text, types={})
    inputs = {"x": rng.standard_normal(sizes), "at": rng.integers(-1, 6, sizes[0]), "z": np.zeros(4)}
    inputs = {t.name: encode(inputs[t.name], t.dtype) for t in program.by_role("in")}
    dims = {"N": sizes[0], "D": sizes[1], "S": 4}
    golden = interpret(program, as_numbers(program, inputs), dims=dims)
    graph = graph_of(program)
    for found in (oracle.run(graph, inputs), run_compiled(graph, inputs, dims=dims)):
        for key, values in found.items():
            np.testing.assert_allclose(values, golden[key], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_vector_of_neighbours_does_not_begin_in_an_empty_row(bound: str) -> None:
    """Of no elements, all but the last are none, not -1. In children: what is written beside memory may end them."""
    text = f"op f(x: f32[N, M]) -> (y: f32[N, M]) {{ y[n, i] = sum[{bound}](x[n, j]) + x[n, i] }}"
    graph = graph_of(program_of(text, types={}))
    assert "positions in a vector" in module_of(graph).kernels[0].schedule.describe()
    run = runner(graph)
    for shape in ((2, 0), (0, 3), (2, 1), (1, 40)):
        x = np.arange(float(np.prod(shape)), dtype=np.float32).reshape(shape)
        j, i = np.indices((shape[1], shape[1]))
        wanted = x @ {"j <= i": j <= i, "j < i": j < i, "j >= i": j >= i, "j > i": j > i}[bound] + x
        dims = dict(zip("NM", shape, strict=True))

        def is_right(x: np.ndarray = x, dims: Mapping[str, int] = dims, wanted: np.ndarray = wanted) -> bool:
            return np.array_equal(run({"x": x}, dims=dims)["y"], wanted)

        assert status_of(forked(is_right)) == 0


def test_a_scan_of_a_scan_is_one_pass() -> None:
    text = "op f(x: f64[M]) -> (y: f64[M]) { t[i] = sum[j <= i](x[j]) + x[i] y[i] = sum[j <= i](t[j]) }"
    require_right(text, {"x": np.arange(3000.0)}, 6000, dims={"M": 3000}, types={})
    assert len(graph_of(program_of(text, dims={"M": 3000}, types={})).specs) == 1


@pytest.mark.parametrize(
    ("form", "sizes"), by_turns(3, list(SCATTERS), [(1, 1), (0, 3), (3, 0), (300, 20), (40, 37)])
)
def test_scatters(form: str, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scatters, "PARALLEL_FROM", 100)
    rng = np.random.default_rng(0)
    dims = dict(zip("ND", sizes, strict=True))
    at = rng.integers(-2, 9, sizes if "at: i32[N, D]" in SCATTERS[form] else sizes[:1])
    x = rng.standard_normal(sizes)
    require_right(SCATTERS[form], {"x": x, "at": at}, sizes[0] * sizes[1], dims=dims, attrs={"S": 7}, types={"T": "f32"})
    if form == "rows":
        require_right(SCATTERS[form], {"x": (x * 90).round(), "at": at}, 0, dims=dims, attrs={"S": 7}, types={"T": "i8"})


def keys(dtype: str, shape: tuple[int, int]) -> np.ndarray:
    """Many ties; of floats, both zeros, both infinities and NaN."""
    rng = np.random.default_rng(1)
    if dtype[0] in "iu":
        info = np.iinfo(STORAGE[dtype])
        picked = rng.integers(0, 4, shape)
        return np.where(picked == 0, info.min, np.where(picked == 1, info.max, rng.integers(0, 5, shape)))
    x = rng.standard_normal(shape) * np.where(rng.integers(0, 2, shape), 1000, 1e-3)
    for number, value in enumerate((np.nan, -np.inf, np.inf, -0.0, 0.0, 1.5)):
        x[rng.integers(0, 12, shape) == number] = value
    return x


@pytest.mark.parametrize(("dtype", "sizes"), by_turns(2, TYPES, [(7, 9, 4), (3, 600, 32), (3, 400, 40)]))
def test_orders_of_every_type(dtype: str, sizes: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selects, "PARALLEL_FROM", 100)
    rows, length, wanted = sizes
    x = keys(dtype, (rows, length))
    require_right(TOPK, {"x": x}, dims={"N": rows, "D": length}, attrs={"K": wanted}, types={"T": dtype})


@pytest.mark.parametrize("sizes", [(3, 1, 1), (2, 5, 5), (4, 0, 0), (0, 4, 2), (5, 300, 1)])
def test_orders_of_every_length(sizes: tuple[int, int, int]) -> None:
    rows, length, wanted = sizes
    x = keys("f32", (rows, length))
    require_right(TOPK, {"x": x}, dims={"N": rows, "D": length}, attrs={"K": wanted}, types={"T": "f32"})
    require_right(SORT, {"x": x}, dims={"N": rows, "D": length}, types={"T": "f32"})


@pytest.mark.parametrize("dtype", ["f32", "i64"])
def test_long_rows_are_ordered_in_a_workspace(dtype: str) -> None:
    program = program_of(SORT, dims={"N": 5, "D": 17_000}, types={"T": dtype})
    graph = graph_of(program)
    assert [w.name for w in graph.workspaces] == ["f_scratch"]
    x = encode(keys(dtype, (5, 17_000)), dtype)
    found = run_compiled(graph, {"x": x})
    np.testing.assert_array_equal(found["a"], np.argsort(x, axis=1, kind="stable"))
    np.testing.assert_array_equal(found["v"], np.take_along_axis(x, found["a"], 1))


SAME = """
import sys; sys.path[:0] = {path!r}
import numpy as np
from test_cpu_index_kernels import digests
print(digests())
"""


def digests() -> str:
    """Of the bits of scatters that have tasks of their own."""
    rng = np.random.default_rng(0)
    found = []
    for form in SCATTERS:
        dims = {"N": 3000, "D": 48}
        at = rng.integers(-2, 40, (3000, 48) if "at: i32[N, D]" in SCATTERS[form] else 3000).astype(np.int32)
        graph = graph_of(program_of(SCATTERS[form], dims=dims, attrs={"S": 37}, types={"T": "f32"}))
        x = rng.standard_normal((3000, 48)).astype(np.float32)
        run = runner(graph)
        runs = {hashlib.sha256(run({"x": x, "at": at})["y"].tobytes()).hexdigest() for _ in range(3)}
        assert len(runs) == 1, "two runs differ"
        found += runs
    return " ".join(found)


@pytest.mark.parametrize("threads", ["5", pytest.param("1", marks=pytest.mark.soak)])
def test_scatters_are_the_same_bits_for_any_number_of_threads(threads: str) -> None:
    here = [p for p in sys.path if p.endswith(("/tests/backends/cpu", "/tests/strategies"))]
    environment = {**os.environ, "UOL_NUM_THREADS": threads, "TVM_NUM_THREADS": threads}
    command = [sys.executable, "-c", SAME.format(path=here)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == digests().split()
