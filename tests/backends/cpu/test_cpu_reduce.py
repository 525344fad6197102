"""Scheduled reductions against the golden value: rows and cols of awkward sizes, folds, specials, empty reductions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cpu_cases import as_numbers, channels_last, graph_of, inputs_of, module_of, program_of, require_close, run_compiled
from turns import by_turns

from uol.backends.cpu.caches import SIZES
from uol.backends.cpu.schedules.kinds import Reduction
from uol.ir import interpret
from uol.ir.program.dtype_encoding import encode

SHAPES = [(1, 1), (3, 7), (7, 16), (5, 33), (2, 255), (33, 256), (300, 130)]


@pytest.mark.parametrize(("special", "shape"), by_turns(2, [False, True], SHAPES))
def test_softmax(special: bool, shape: tuple[int, int]) -> None:
    rows, cols = shape
    program = program_of("softmax", ranks={"S": 1}, dims={"S": rows, "C": cols})
    inputs = inputs_of(program, special=special)
    golden = interpret(program, as_numbers(program, inputs))["y"]
    require_close(run_compiled(graph_of(program), inputs)["y"], golden, "f32", 16, np.nan_to_num(golden))


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16"])
def test_softmax_of_other_types(dtype: str) -> None:
    program = program_of("softmax", types={"T": dtype}, ranks={"S": 2}, dims={"S_0": 3, "S_1": 2, "C": 77})
    inputs = inputs_of(program)
    golden = interpret(program, as_numbers(program, inputs))["y"]
    require_close(run_compiled(graph_of(program), inputs)["y"], golden, dtype, 80, golden)


@pytest.mark.parametrize(("rows", "cols"), [(4, 0), (5, 100), (1, 100_001), (70, 1000)])
def test_layer_norm(rows: int, cols: int) -> None:
    program = program_of("layer_norm", ranks={"S": 1}, dims={"S": rows, "C": cols})
    inputs = inputs_of(program)
    golden = interpret(program, as_numbers(program, inputs), {"eps": 1e-5})["y"]
    require_close(run_compiled(graph_of(program), inputs, {"eps": 1e-5})["y"], golden, "f32", 64, np.abs(golden) + 1)


@pytest.mark.parametrize(("caches", "ahead"), [("32K,256K", True), ("32K,512K", False)])
def test_the_next_row_is_asked_for(caches: str, ahead: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is gone over again, where they come from memory; there is none behind the last."""
    monkeypatch.setenv(SIZES, caches)
    program = program_of("layer_norm", ranks={"S": 1}, dims={"S": 71, "C": 1003})
    graph, inputs = graph_of(program), inputs_of(program)
    (kernel,) = module_of(graph).kernels
    assert isinstance(kernel.schedule, Reduction)
    assert (kernel.schedule.ahead, "llvm.prefetch" in kernel.text) == (ahead, ahead)
    golden = interpret(program, as_numbers(program, inputs), {"eps": 1e-5})["y"]
    require_close(run_compiled(graph, inputs, {"eps": 1e-5})["y"], golden, "f32", 64, np.abs(golden) + 1)


@pytest.mark.parametrize(
    ("text", "along"),
    [
        ("op f(x: f32[N, C], a: f32[N], b: f32[N]) -> (y: f32[N]) { y[n] = sum[c](x[n, c] * a[n] * b[n]) }", "cols"),
        ("op f(x: f32[C, N], a: f32[C], b: f32[C]) -> (y: f32[N]) { y[n] = sum[c](x[c, n] * a[c] * b[c]) }", "rows"),
    ],
)
def test_lanes_lie_where_most_of_what_is_read_does(text: str, along: str) -> None:
    """Two numbers of a row, or of a column, do not outvote the matrix."""
    program = program_of(text, types={}, dims={"N": 300, "C": 200})
    graph, inputs = graph_of(program), inputs_of(program)
    (kernel,) = module_of(graph).kernels
    assert f"lanes along {along}" in kernel.schedule.describe()
    golden = interpret(program, as_numbers(program, inputs))["y"]
    require_close(run_compiled(graph, inputs)["y"], golden, "f32", 256, np.full(300, 64.0))


@pytest.mark.parametrize(("size", "kernels"), [(13, 1), (5, 2)])
def test_a_group_of_channels_is_one_kernel_where_its_pictures_are_vectors(size: int, kernels: int) -> None:
    dims = {"N": 3, "C": 12, "S_0": size, "S_1": size}
    program = program_of("group_norm", ranks={"S": 2}, dims=dims, attrs={"groups": 4})
    graph, inputs = graph_of(program), inputs_of(program)
    assert len(graph.specs) == kernels
    golden = interpret(program, as_numbers(program, inputs), {"eps": 1e-5})["y"]
    require_close(run_compiled(graph, inputs, {"eps": 1e-5})["y"], golden, "f32", 64, np.abs(golden) + 1)
    layouts = dict.fromkeys("xy", channels_last(3, 12, size, size))
    assert len(graph_of(program, layouts).specs) == 2  # the innermost columns are the channels of a group


def test_a_long_row_is_cut_into_tasks() -> None:
    program = program_of("softmax", ranks={"S": 1}, dims={"S": 1, "C": 300_000})
    graph = graph_of(program)
    (kernel,) = module_of(graph).kernels
    assert "tasks a row" in kernel.schedule.describe()
    inputs = inputs_of(program)
    golden = interpret(program, as_numbers(program, inputs))["y"]
    require_close(run_compiled(graph, inputs)["y"], golden, "f32", 64, golden)


@pytest.mark.parametrize("found", [0, 1, 270_001, 299_999])
def test_the_position_in_a_row_that_is_cut_into_tasks(found: int) -> None:
    """Where it is 0, nothing is above the identity; another one has an equal and a NaN an other NaN behind it."""
    text = "op f(x: f32[N, C]) -> (y: i64[N]) where C > 0 { y[n] = argmax[c](x[n, c]) }"
    graph = graph_of(program_of(text, types={}, dims={"N": 1, "C": 300_000}))
    (kernel,) = module_of(graph).kernels
    assert "tasks a row" in kernel.schedule.describe()
    for value in (3.0, np.nan):
        x = np.full((1, 300_000), -np.inf, np.float32)
        if found:
            x[0, found] = x[0, -1] = value
        assert run_compiled(graph, {"x": x})["y"].tolist() == [found]


@pytest.mark.parametrize(("reads", "tasks"), [("x[n, t[n]]", True), ("x[n, 3]", False)])
def test_reads_at_places_that_are_read_are_worth_tasks_earlier(reads: str, tasks: bool) -> None:
    text = f"op f(x: f32[N, C], t: i64[N]) -> (y: f32[]) where C > 3 {{ y[] = sum[n]({reads} else 0) }}"
    graph = graph_of(program_of(text, types={}, dims={"N": 3000, "C": 50}))
    (kernel,) = module_of(graph).kernels
    assert ("tasks a row" in kernel.schedule.describe()) == tasks
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((3000, 50)).astype(np.float32), rng.integers(0, 50, 3000)
    terms = x[np.arange(3000), t if tasks else 3].astype(np.float64)
    require_close(run_compiled(graph, {"x": x, "t": t})["y"], terms.sum(), "f32", 3000, np.abs(terms).sum())


FOLDS = """
op folds(x: f32[N, M], m: bool[N, M])
    -> (total: f32[N], most: f32[N], least: f32[N], product: f32[N], some: bool[N], every: bool[N], first: i64[N], last: i64[N])
    where M > 0 {
  total[n]   = sum[j](x[n, j])
  most[n]    = max[j](x[n, j])
  least[n]   = min[j](x[n, j])
  product[n] = prod[j](x[n, j])
  some[n]    = any[j](m[n, j])
  every[n]   = all[j](m[n, j])
  first[n]   = argmax[j](x[n, j])
  last[n]    = argmin[j](x[n, j])
}
"""


@pytest.mark.parametrize(
    ("last", "shape"), by_turns(2, ["row-major", "rows innermost"], [(37, 1), (37, 5), (37, 64), (37, 100), (1000, 64)])
)
def test_every_fold_in_both_layouts(last: str, shape: tuple[int, int]) -> None:
    rows, cols = shape
    program = program_of(FOLDS, types={}, dims={"N": rows, "M": cols})
    rng = np.random.default_rng(cols)
    x = np.round(rng.standard_normal((rows, cols)) * 2).astype(np.float32)  # many ties
    x[3, cols // 2] = np.nan
    x[4, :] = np.inf
    x[5, :] = -np.inf
    x[6, cols // 3 :] = np.nan
    x[9, :-1], x[10, 1:] = -np.inf, np.inf
    m = rng.random((rows, cols)) < 0.9
    m[7] = False
    m[8] = True
    layouts = {} if last == "row-major" else {"x": (1, rows), "m": (1, rows)}
    result = run_compiled(graph_of(program, layouts), {"x": x, "m": m})
    golden = interpret(program, {"x": x, "m": m})
    for name in ("most", "least", "some", "every", "first", "last"):
        np.testing.assert_array_equal(result[name], golden[name], name)
    require_close(result["total"], golden["total"], "f32", cols, np.nan_to_num(np.abs(x), posinf=0).sum(1))
    np.testing.assert_allclose(result["product"], golden["product"].astype(np.float32), rtol=1e-5)


@pytest.mark.parametrize("rows", [40, 500, 3000])  # less than a vector beside whole ones, no whole number of them, of blocks
def test_many_cols_across_rows_go_by_wide_blocks(rows: int) -> None:
    """The longer a piece of memory, the fewer of its pages are walked through again."""
    program = program_of(
        "op f(x: f32[M, N]) -> (y: f32[N]) { y[n] = sum[j](x[j, n] * x[0, n]) }", types={}, dims={"M": 70, "N": rows}
    )
    graph = graph_of(program)
    (kernel,) = module_of(graph).kernels
    assert " x " in kernel.schedule.describe()
    inputs = inputs_of(program)
    wide = inputs["x"].astype(np.float64)
    require_close(run_compiled(graph, inputs)["y"], (wide * wide[0]).sum(0), "f32", 70, np.abs(wide * wide[0]).sum(0))


EMPTY = """
op empty(x: T[N, M]) -> (total: T[N], product: T[N], most: T[N], least: T[N]) for T in (f32, i32) {
  total[n] = sum[j](x[n, j])  product[n] = prod[j](x[n, j])  most[n] = max[j](x[n, j])  least[n] = min[j](x[n, j])
}
"""


@pytest.mark.parametrize("dtype", ["f32", "i32"])
def test_empty_reductions_give_identities(dtype: str) -> None:
    program = program_of(EMPTY, types={"T": dtype}, dims={"N": 20, "M": 0})
    result = run_compiled(graph_of(program), {"x": encode(np.zeros((20, 0)), dtype)})
    lowest, highest = (-math.inf, math.inf) if dtype == "f32" else (-(2**31), 2**31 - 1)
    for name, value in {"total": 0, "product": 1, "most": lowest, "least": highest}.items():
        np.testing.assert_array_equal(result[name], np.full(20, value), name)


MASKED = """
op masked(x: f32[N, M]) -> (before: f32[N], best: f32[N], at: i64[N]) where M > 0 {
  before[n] = sum[j <= n](x[n, j] * x[n, j])
  best[n]   = max[j < M, j >= n - 3](x[n, j])
  at[n]     = argmax[j](x[n, j])
}
"""


def test_masked_reductions() -> None:
    program = program_of(MASKED, types={}, dims={"N": 21, "M": 21})
    inputs = inputs_of(program)
    result = run_compiled(graph_of(program), inputs)
    golden = interpret(program, inputs)
    np.testing.assert_array_equal(result["at"], golden["at"])
    np.testing.assert_array_equal(result["best"], golden["best"].astype(np.float32))
    require_close(result["before"], golden["before"], "f32", 21, golden["before"])


@pytest.mark.parametrize(
    ("layout", "channels", "special"), by_turns(3, ["channels first", "channels last"], [3, 16, 70], [False, True])
)
def test_max_pool(channels: int, layout: str, special: bool) -> None:
    dims = {"N": 2, "C": channels, "H": 9, "W": 8}
    program = program_of("max_pool2d", dims=dims, attrs={"kernel": 3, "stride": 2, "pad": 1})
    layouts = {"x": channels_last(2, channels, 9, 8), "y": channels_last(2, channels, 5, 4)}
    inputs = inputs_of(program, special=special)
    golden = interpret(program, inputs)["y"]
    result = run_compiled(graph_of(program, layouts if layout == "channels last" else {}), inputs)["y"]
    np.testing.assert_array_equal(result, golden.astype(np.float32))


@pytest.mark.parametrize("layout", ["channels first", "channels last"])
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_average_pools(layout: str, dtype: str) -> None:
    dims = {"N": 2, "C": 40, "H": 7, "W": 7}
    program = program_of("global_avg_pool2d", types={"T": dtype}, dims=dims)
    inputs = inputs_of(program)
    golden = interpret(program, as_numbers(program, inputs))["y"]
    layouts = {"x": channels_last(2, 40, 7, 7)} if layout == "channels last" else {}
    require_close(run_compiled(graph_of(program, layouts), inputs)["y"], golden, dtype, 64, 2)


STATISTICS = """
op statistics(x: f32[N, C, H, W]) -> (mean: f32[C], var: f32[C], y: f32[N, C, H, W]) where N > 0, H > 0, W > 0 {
  mean[c] = sum[n, h, w](x[n, c, h, w]) / (N*H*W)
  var[c]  = sum[n, h, w]((x[n, c, h, w] - mean[c]) * (x[n, c, h, w] - mean[c])) / (N*H*W)
  y[n, c, h, w] = (x[n, c, h, w] - mean[c]) / sqrt(var[c] + 0.00001)
}
"""


@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_statistics_over_several_axes(layout: str) -> None:
    program = program_of(STATISTICS, types={}, dims={"N": 3, "C": 50, "H": 6, "W": 7})
    inputs = inputs_of(program)
    golden = interpret(program, inputs)
    strides = channels_last(3, 50, 6, 7)
    result = run_compiled(graph_of(program, {"x": strides, "y": strides} if layout == "channels last" else {}), inputs)
    for name in golden:
        require_close(result[name], golden[name], "f32", 128, np.abs(golden[name]) + 1)


def test_what_no_element_outside_lets_be_read_is_not_read() -> None:
    """The inner sum has a kernel of its own, and reads x[i, 0, d], which is there only where some c is."""
    head = "op f(x: T[N, C, D], w: T[K]) -> (y: T[N, D]) for T in (f32)"
    text = head + " { y[i, d] = sum[c](x[i, c, d] + sum[k](w[k] * x[i, 0, d])) }"
    graph = graph_of(program_of(text))
    for c in (0, 1, 3):
        rng = np.random.default_rng(c)
        x, w = rng.standard_normal((2, c, 5)).astype(np.float32), rng.standard_normal(4).astype(np.float32)
        found = run_compiled(graph, {"x": x, "w": w}, dims={"N": 2, "C": c, "D": 5, "K": 4})["y"]
        np.testing.assert_allclose(found, (x + w.sum() * x[:, :1]).sum(1), rtol=1e-4, atol=1e-5)
