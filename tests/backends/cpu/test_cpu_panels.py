"""Products over panels, against numpy in float64: sizes around tiles and blocks of k, types, layouts, epilogues."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cpu_cases import HOST, as_numbers, graph_of, inputs_of, program_of, require_close, run_compiled
from turns import by_turns

import uol
from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands import panels
from uol.backends.cpu.operands.panels import LEAST_DEPTH, lines_of, slivers_together, takes_panels
from uol.backends.cpu.schedules import contraction
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.legality import defect
from uol.backends.cpu.schedules.panel_copies import MOST_LINES
from uol.backends.cpu.schedules.tasks import Product
from uol.backends.cpu.scheduling import candidates, primfunc
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Contract
from uol.ir.program.nodes import Program

AVX512 = Host("znver4", 64, 32, 2)
AVX2 = Host("znver3", 32, 16, 2)
SIZES = [
    (192, 64, 96),  # the least that goes over panels
    (193, LEAST_DEPTH, 127),
    (200, LEAST_DEPTH + 1, 130),  # a block of k and a step
    (251, 3 * LEAST_DEPTH - 5, 17),  # blocks of k of two lengths
    (1030, 21, 70),
]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operands that would stay in the cache, and fewer rows, are enough for panels."""
    monkeypatch.setattr(panels, "KEPT_BYTES", 0)
    monkeypatch.setattr(panels, "FEWEST_USES", 16)


of_any_size = pytest.mark.usefixtures("small")


def require_panels(graph: KernelGraph) -> None:
    """One product, and over panels."""
    (found,) = (s for s in graph.specs if isinstance(s, Contract))
    assert takes_panels(found)
    assert isinstance(next(iter(BACKEND.schedules(found, HOST))), Panels)


def require_product(program: Program, formula: str, k: int, dtype: str = "f32", bias: bool = False) -> None:
    """`formula` is what `numpy.einsum` calls it."""
    graph = graph_of(program)
    require_panels(graph)
    inputs = inputs_of(program)
    a, b, *rest = as_numbers(program, inputs).values()
    added = rest[0] if bias else np.zeros(1)
    golden, magnitude = (np.einsum(formula, f(a), f(b), optimize=True) + f(added) for f in (np.array, np.abs))
    require_close(run_compiled(graph, inputs)["y"], golden, dtype, k + 8, magnitude)


@of_any_size
@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_sizes_around_tiles_and_blocks(m: int, k: int, n: int) -> None:
    require_product(program_of("matmul", ranks={"S": 0}, dims={"M": m, "K": k, "N": n}), "mk,kn->mn", k)


@of_any_size
@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16"])
def test_types_and_a_bias(dtype: str) -> None:
    """The weights of a linear layer are contiguous along k; f16 and bf16 are widened as they are copied."""
    program = program_of("linear", types={"T": dtype}, ranks={"S": 1}, dims={"S": 210, "K": 2 * LEAST_DEPTH + 3, "N": 90})
    require_product(program, "mk,nk->mn", 2 * LEAST_DEPTH + 3, dtype, bias=True)


@of_any_size
@pytest.mark.parametrize(("rows", "k", "near"), [(63, 900, True), (128, 601, True), (129, 900, False), (63, 40, False)])
def test_panels_that_few_rows_read_are_copied_where_these_begin(rows: int, k: int, near: bool) -> None:
    """Where there are several blocks of k: of 901 columns, the last tile is shorter."""
    text = "op few(x: f32[M, K], w: f32[N, K]) -> (y: f32[M, N]) { y[m, n] = sum[k](x[m, k] * w[n, k]) }"
    program = program_of(text, types={}, dims={"M": rows, "K": k, "N": 901})
    (spec,) = graph_of(program).specs
    schedule = next(iter(BACKEND.schedules(spec, HOST)))
    assert isinstance(schedule, Panels)
    assert schedule.near == near
    require_product(program, "mk,nk->mn", k)


@of_any_size
@pytest.mark.parametrize("k", [70, LEAST_DEPTH + 30])
def test_a_batch_has_panels_of_its_own(k: int) -> None:
    require_product(program_of("batched_matmul", dims={"B": 3, "M": 199, "K": k, "N": 50}), "bmk,bkn->bmn", k)


@of_any_size
def test_an_operand_that_all_of_a_batch_share() -> None:
    text = "op shared(x: f32[B, K, M], w: f32[K, N]) -> (y: f32[B, M, N]) { y[b, m, n] = sum[k](x[b, k, m] * w[k, n]) }"
    require_product(program_of(text, types={}, dims={"B": 2, "M": 200, "K": 60, "N": 100}), "bkm,kn->bmn", 60)


@of_any_size
def test_rows_that_are_contiguous() -> None:
    require_product(program_of("matmul_transposed", ranks={"S": 0}, dims={"M": 222, "K": 333, "N": 44}), "km,kn->mn", 333)


@of_any_size
@pytest.mark.parametrize(("formula", "dtype"), by_turns(2, ["km,kn->mn", "kpm,kn->pmn"], ["f32", "f64", "f16"]))
def test_rows_that_lie_apart_along_k_are_copied(formula: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As vectors where they are contiguous, and one by one; the last tile of rows is shorter."""
    monkeypatch.setattr(contraction, "FEWEST_TILES", 1)
    text = """
op apart(x: T[K, *P, M, W], w: T[K, N]) -> (y: T[*P, M, N]) for T in (f64, f32, f16) {
  y[*p, m, n] = T(sum[k](acc(x[k, *p, m, 0]) * acc(w[k, n])))
}"""
    dims = {"K": 300, "M": 201, "N": 200} | ({"P": 2} if "p" in formula else {})
    for width in (1, 3):
        program = program_of(text, types={"T": dtype}, ranks={"P": len(dims) - 3}, dims={**dims, "W": width})
        graph = graph_of(program)
        require_panels(graph)
        schedule = next(iter(BACKEND.schedules(next(s for s in graph.specs if isinstance(s, Contract)), HOST)))
        assert isinstance(schedule, Panels)
        assert schedule.slivers
        inputs = inputs_of(program)
        x, w = as_numbers(program, inputs).values()
        golden, magnitude = (np.einsum(formula, f(x[..., 0]), f(w), optimize=True) for f in (np.array, np.abs))
        require_close(run_compiled(graph, inputs)["y"], golden, dtype, 308, magnitude)


@pytest.mark.parametrize(("width", "is_together"), [(1, True), (3, False)])
def test_slivers_of_several_tiles_are_copied_together_where_rows_are_contiguous(width: int, is_together: bool) -> None:
    """A step along k reads another page: it is looked up once for all of them."""
    text = "op apart(x: f32[K, M, W], w: f32[K, N]) -> (y: f32[M, N]) { y[m, n] = sum[k](x[k, m, 0] * w[k, n]) }"
    graph = graph_of(program_of(text, types={}, dims={"K": 200, "M": 600, "N": 512, "W": width}))
    spec = next(s for s in graph.specs if isinstance(s, Contract))
    schedule = next(iter(BACKEND.schedules(spec, HOST)))
    assert isinstance(schedule, Panels)
    assert schedule.slivers
    tiles = slivers_together(schedule.rows) if is_together else 1
    assert tiles > 1 or not is_together
    assert f"sliver = T.alloc_local(({tiles * schedule.depth * schedule.rows},)" in primfunc(spec, schedule).script()


@of_any_size
@pytest.mark.parametrize(("dtype", "sizes"), by_turns(2, ["f32", "f64"], [(5, 1000), (64, 100), (LEAST_DEPTH + 7, 33)]))
def test_columns_that_lie_along_k_are_transposed(dtype: str, sizes: tuple[int, int]) -> None:
    """Whole vectors of columns and of k, what is left of each, and a k that is shorter than a vector."""
    k, n = sizes
    program = program_of("linear", types={"T": dtype}, ranks={"S": 1}, dims={"S": 210, "K": k, "N": n})
    require_product(program, "mk,nk->mn", k, dtype, bias=True)


@of_any_size
def test_a_convolution_over_several_axes_of_k() -> None:
    """Channels-last: k is the taps and the channels, in blocks of whole taps."""
    text = """
op taps(x: f32[N, H, W, C], w: f32[O, 3, 3, C]) -> (y: f32[N, H - 2, W - 2, O]) {
  y[n, p, q, o] = sum[r, s, c](x[n, p + r, q + s, c] * w[o, r, s, c])
}"""
    program = program_of(text, types={}, dims={"N": 2, "H": 12, "W": 13, "C": 100, "O": 40})
    graph = graph_of(program)
    require_panels(graph)
    inputs = inputs_of(program)
    x, w = (inputs[name].astype(np.float64) for name in ("x", "w"))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    golden, magnitude = (np.einsum("npqcrs,orsc->npqo", f(windows), f(w)) for f in (np.array, np.abs))
    require_close(run_compiled(graph, inputs)["y"], golden, "f32", 908, magnitude)


LINES = [
    ("row-major", 1, (2, 10, 8), 1),  # each vector lies within a line
    ("row-major", 1, (2, 9, 12), 2),
    ("row-major", 1, (1, 8, 7), 2),
    ("row-major", 1, (3, 6, 3), 4),
    ("row-major", 1, (1, 13, 2), 4),
    ("row-major", 2, (2, 7, 9), 2),
    ("row-major", 3, (2, 7, 9), 2),
    ("row-major", 4, (1, 5, 7), 2),
    ("three dims", 1, (2, 4, 6), 2),
]
"""The text, the stride, what comes out (N, H, W), and the lines of an image that eight lanes meet at the most."""


@of_any_size
@pytest.mark.parametrize(("text", "stride", "out", "lines"), LINES)
def test_a_vector_of_columns_reaches_into_the_next_line(
    text: str, stride: int, out: tuple[int, int, int], lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row-major convolutions: columns are pixels. Of a tensor of three dims, lines follow in planes."""
    monkeypatch.setattr(panels, "FEWEST_PRODUCTS", 0)
    n, h, w = out
    if text == "three dims":
        head = "op taps(x: f32[N, C, E, H, W], w: f32[O, C, 2, 3]) -> (y: f32[N, O, E, H - 1, W - 2])"
        body = "y[n, o, e, p, q] = sum[c, r, s](x[n, c, e, p + r, q + s] * w[o, c, r, s])"
    else:
        head = f"op taps(x: f32[N, C, H, W], w: f32[O, C, 2, 3]) -> (y: f32[N, O, (H - 2)/{stride} + 1, (W - 3)/{stride} + 1])"
        body = f"y[n, o, p, q] = sum[c, r, s](x[n, c, p*{stride} + r, q*{stride} + s] * w[o, c, r, s])"
    dims = {"N": n, "C": 5, "H": (h - 1) * stride + 2, "W": (w - 1) * stride + 3, "O": 18}
    program = program_of(f"{head} {{ {body} }}", types={}, dims=dims | ({"E": 3} if text == "three dims" else {}))
    graph = graph_of(program)
    require_panels(graph)
    found = lines_of(next(s for s in graph.specs if isinstance(s, Contract)))
    assert found is not None and found.step == stride
    assert found.reached_by(8) == lines <= MOST_LINES
    inputs = inputs_of(program)
    x, weights = (inputs[name].astype(np.float64) for name in ("x", "w"))
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (-2, -1))[..., ::stride, ::stride, :, :]
    golden, magnitude = (np.einsum("nc...rs,ocrs->no...", f(windows), f(weights)) for f in (np.array, np.abs))
    require_close(run_compiled(graph, inputs)["y"], golden, "f32", 38, magnitude)


@of_any_size
@pytest.mark.parametrize(("side", "axes"), [(7, 1), (11, 1), (16, 2), (5, 2)])
def test_columns_run_on_over_small_images(side: int, axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 49 pixels a tile would lack 15 of 64 lanes; 256 are whole tiles, and of 25 few vectors would lie within an image."""
    monkeypatch.setattr(panels, "FEWEST_PRODUCTS", 0)
    dims = {"N": 3, "C": 4, "H": side, "W": side, "O": 18, "D": 4, "R": 3, "S": 3}
    program = program_of("conv2d_bias", dims=dims, attrs={"pad": 1})
    graph = graph_of(program)
    (spec,) = (s for s in graph.specs if isinstance(s, Contract))
    assert takes_panels(spec) and len(spec.n) == axes
    inputs = inputs_of(program)
    x, weights, bias = (inputs[name].astype(np.float64) for name in ("x", "w", "b"))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (-2, -1))
    products = [np.einsum("nchwrs,ocrs->nohw", f(windows), f(weights)) for f in (np.array, np.abs)]
    golden, magnitude = (total + f(bias)[:, None, None] for total, f in zip(products, (np.array, np.abs), strict=True))
    require_close(run_compiled(graph, inputs)["y"], golden, "f32", 44, magnitude)


@pytest.mark.parametrize(("row_tiles", "tall"), [(8, 8), (512, 74)])
def test_few_rows_are_not_divided_for_even_tasks(row_tiles: int, tall: int) -> None:
    """59 blocks of columns are one more on one of two cores; a second copy of each would take longer than that."""
    assert Product(row_tiles, 528, 1, 8, 2).task(9, 682)[0] == tall


def test_any_number_of_rows_is_divided_at_once() -> None:
    """Of 10**12 rows half a thousand million numbers of pieces could be compared."""
    row_tiles = 94_489_280_512
    tall, wide = Product(row_tiles, 8, 1, 12, 2).task(4, 682)
    assert wide == 4 and tall <= 682 // 4 and row_tiles <= tall * (-(-row_tiles // tall))


@pytest.mark.parametrize(("last", "tall"), [(0.5, 20), (1.0, 10)])
def test_tasks_are_as_even_as_their_tiles(last: float, tall: int) -> None:
    """13 tiles of columns by threes: of two cores one has 3 + 3, the other 3 + 3 + 1. Where the last is half a tile, halves of
    rows would even out less than a second copy takes."""
    assert Product(20, 13, 1, 13, 2, last=last).task(9, 682) == (tall, 3)


@of_any_size
def test_integers_are_exact() -> None:
    text = "op words(a: i8[M, K], b: i8[K, N]) -> (y: i32[M, N]) { y[m, n] = sum[k](i32(a[m, k]) * i32(b[k, n])) }"
    program = program_of(text, types={}, dims={"M": 200, "K": 300, "N": 65})
    rng = np.random.default_rng(0)
    inputs = {name: rng.integers(-128, 128, shape, dtype=np.int8) for name, shape in (("a", (200, 300)), ("b", (300, 65)))}
    graph = graph_of(program)
    require_panels(graph)
    golden = inputs["a"].astype(np.int64) @ inputs["b"].astype(np.int64)
    np.testing.assert_array_equal(run_compiled(graph, inputs)["y"], golden)


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(39, 1024, 1024), (1024, 512, 8), (1024, 256, 512)],
    ids=["few rows", "few columns", "a b that stays in the cache"],
)
def test_what_is_not_worth_a_copy(m: int, k: int, n: int) -> None:
    graph = graph_of(program_of("matmul", ranks={"S": 0}, dims={"M": m, "K": k, "N": n}))
    assert not any(takes_panels(s) for s in graph.specs if isinstance(s, Contract))


@pytest.mark.parametrize(
    ("k", "host", "rows", "vectors"),
    [(1000, AVX512, 13, 2), (1024, AVX512, 6, 4), (1000, AVX2, 6, 2), (1024, AVX2, 6, 2)],
    ids=["AVX-512", "AVX-512, rows in one set", "AVX2", "AVX2, rows in one set"],
)
def test_tiles_of_panels_fit_the_registers_and_blocks_the_cache(k: int, host: Host, rows: int, vectors: int) -> None:
    (spec,) = graph_of(program_of("matmul", ranks={"S": 0}, dims={"M": 1024, "K": k, "N": 1024})).specs
    schedule = candidates(spec, host)[0]
    assert isinstance(schedule, Panels)
    assert (schedule.rows, schedule.vectors, schedule.depth) == (rows, vectors, k // 2)
    block = schedule.depth * schedule.column_tiles * schedule.vectors * schedule.lanes * 4
    assert block <= 256 * 1024
    tall, wide = schedule.rows * schedule.row_tiles, schedule.vectors * schedule.lanes * schedule.column_tiles
    tasks = -(-1024 // tall) * -(-1024 // wide)
    assert tasks >= 8 * host.cores and tasks % host.cores == 0


@pytest.mark.parametrize("host", [AVX512, AVX2])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(("m", "k", "n"), [(100_000, 512, 4096), (20_000, 2, 200_000)])
def test_what_waits_between_blocks_fits_a_stack(m: int, k: int, n: int, dtype: str, host: Host) -> None:
    """However many rows or columns there are, and without a workspace."""
    graph = graph_of(program_of("matmul", types={"T": dtype}, ranks={"S": 0}, dims={"M": m, "K": k, "N": n}))
    assert not graph.workspaces
    (spec,) = graph.specs
    schedule = candidates(spec, host)[0]
    assert isinstance(schedule, Panels)
    sums = schedule.rows * schedule.row_tiles * schedule.vectors * schedule.lanes * schedule.column_tiles
    assert 0 < sums * (4 if dtype == "f32" else 8) <= 1 << 20
    assert defect(schedule, [schedule]) is None


@of_any_size
def test_what_a_user_may_ask_of_panels() -> None:
    (spec,) = graph_of(program_of("matmul", ranks={"S": 0}, dims={"M": 300, "K": 300, "N": 100})).specs
    own = candidates(spec, AVX2)[0]
    assert isinstance(own, Panels)
    known = candidates(spec, AVX2)
    assert defect(replace(own, rows=3, vectors=4, row_tiles=2, column_tiles=1), known) is None
    assert defect(replace(own, vectors=9), known) == "panels of 72 columns are wider than 64"
    depths = dict.fromkeys(s.depth for s in known if isinstance(s, Panels))
    assert defect(replace(own, depth=17), known) == f"depth is 17; the kernel is prepared for {', '.join(map(str, depths))}"
    assert str(defect(replace(own, column_tiles=500), known)).startswith("panels of ")
    assert str(defect(replace(own, row_tiles=5000), known)).startswith("sums of ")
    assert "registers" in str(defect(replace(own, rows=20, vectors=4), known))
    assert defect(replace(own, near=True), known) is None
    assert str(defect(replace(own, near=True, slivers=True), known)).startswith("near is true")


@of_any_size
@pytest.mark.parametrize("tiles", ["rows=3,vectors=1,row_tiles=2,column_tiles=1,near=true", "rows=1,vectors=4,row_tiles=500"])
def test_a_schedule_of_ones_own_computes_the_same(tiles: str, own_cache: object) -> None:
    kernel = uol.compile("matmul", "cpu", "f32", {"S": (), "M": 300, "K": 300, "N": 100}, schedule=tiles)
    assert isinstance(kernel.module.kernels[0].schedule, Panels)
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((300, 300), np.float32), rng.standard_normal((300, 100), np.float32)
    assert np.allclose(kernel(a, b), a.astype(np.float64) @ b, rtol=1e-4, atol=1e-4)
