"""Products over a long k, whose terms are summed in parts."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_cases import graph_of, inputs_of, module_of, program_of, runner

from uol.backends.cpu.host import THREADS
from uol.backends.cpu.operands.factors import is_in_parts
from uol.backends.cpu.operands.panels import takes_panels
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Contract, Reduce


def product(m: int, k: int, n: int) -> KernelGraph:
    return graph_of(program_of("matmul", ranks={"S": 0}, dims={"M": m, "K": k, "N": n}))


def parts_of(graph: KernelGraph) -> int:
    """In how many parts the terms go; 1 where they stay together."""
    found = [a for s in graph.specs if isinstance(s, Contract) for a in s.batch if a.name == "part"]
    return static(found[0].extent) or 0 if found else 1


@pytest.mark.parametrize(
    ("m", "k", "n", "two", "many"),
    [
        (64, 65536, 64, 128, 256),  # both operands of a part in 256 KiB; as many as 64 cores have use for, of 256 terms each
        (64, 4096, 64, 16, 16),
        (1, 1_000_000, 1, 800, 800),  # the largest divisor up to 977
        (32, 200_000, 128, 400, 500),
        (64, 4095, 64, 1, 1),  # short
        (64, 65537, 64, 1, 1),  # a prime
        (1024, 65536, 1024, 1, 1),  # the sums would be large
    ],
)
def test_how_many_parts(m: int, k: int, n: int, two: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, parts in (("2", two), ("64", many)):
        monkeypatch.setenv(THREADS, cores)
        graph = product(m, k, n)
        assert parts_of(graph) == parts
        assert parts == 1 or k // parts >= 256


def test_every_core_has_parts_and_those_of_many_rows_go_over_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS, "2")
    products, total = product(64, 65536, 64).specs
    assert isinstance(total, Reduce)
    assert isinstance(products, Contract)
    assert takes_panels(products)
    assert is_in_parts(products)
    few, _ = product(16, 65536, 64).specs
    assert isinstance(few, Contract)
    assert not takes_panels(few)


CASES = {
    "tiles": ("matmul", {"S": 0}, {"M": 7, "K": 5000, "N": 9}, "mk,kn->mn"),
    "panels": ("matmul", {"S": 0}, {"M": 45, "K": 4112, "N": 33}, "mk,kn->mn"),
    "a row": ("matmul", {"S": 0}, {"M": 1, "K": 4096, "N": 1}, "mk,kn->mn"),
    "a batch": ("batched_matmul", {}, {"B": 3, "M": 41, "K": 4096, "N": 17}, "bmk,bkn->bmn"),
    "weights along k": ("linear", {"S": 1}, {"S": 43, "K": 4096, "N": 30}, "mk,nk->mn"),
    "dots": ("linear", {"S": 1}, {"S": 2, "K": 4160, "N": 30}, "mk,nk->mn"),
}


@pytest.mark.parametrize(("case", "dtype"), [*((case, "f32") for case in CASES), ("panels", "f64"), ("dots", "f64")])
def test_parts_sum_up(case: str, dtype: str) -> None:
    """Beside numpy in float64; the same bits each time."""
    op, ranks, dims, form = CASES[case]
    program = program_of(op, types={"T": dtype}, ranks=ranks, dims=dims)
    graph = graph_of(program)
    assert parts_of(graph) > 1
    inputs = inputs_of(program)
    a, b, *bias = (inputs[t.name].astype(np.float64) for t in program.by_role("in"))
    expected = np.einsum(form, a.reshape(-1, a.shape[-1]) if op == "linear" else a, b) + (bias[0] if bias else 0)
    call = runner(graph)
    first, second = (next(iter(call(inputs).values())) for _ in range(2))
    assert np.array_equal(first, second)
    bound = {"f32": 2e-7, "f64": 4e-16}[dtype] * dims["K"] ** 0.5 * 8
    assert np.all(np.abs(first.reshape(expected.shape) - expected) <= bound * dims["K"] ** 0.5)


@pytest.mark.parametrize("images", [1, 3])
def test_the_weight_gradient_of_a_convolution(images: int) -> None:
    """Its sum is over images and pixels; x is copied with its padding first."""
    dims = {"N": images, "C": 8, "O": 20, "H": 64, "W": 64}  # 16 outputs would lie on the lanes, without parts
    program = program_of(WEIGHT_GRADIENT, types={}, ranks={}, dims=dims, attrs={"R": 3, "S": 3})
    graph = graph_of(program)
    assert parts_of(graph) > 1
    inputs = inputs_of(program)
    x, dy = inputs["x"].astype(np.float64), inputs["dy"].astype(np.float64)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (64, 64), (2, 3))
    expected = np.einsum("nopq,ncrspq->ocrs", dy, windows)
    (dw,) = runner(graph)(inputs).values()
    assert np.abs(dw - expected).max() <= 1e-5 * np.abs(expected).max()


WEIGHT_GRADIENT = """
op weight_gradient(x: f32[N, C, H, W], dy: f32[N, O, H, W]; R: int, S: int) -> (dw: f32[O, C, R, S]) where R == 3, S == 3 {
  dw[o, c, r, s] = sum[n, p, q](dy[n, o, p, q] * (x[n, c, p + r - 1, q + s - 1] else 0))
}
"""


@pytest.mark.parametrize(("rows", "columns", "parts"), [(1, 4096, 1), (8, 64, 1), (8, 16, 16), (9, 64, 16)])
def test_few_rows_have_dot_products_enough(rows: int, columns: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are enough for all cores, none is divided."""
    monkeypatch.setenv(THREADS, "2")
    program = program_of("linear", ranks={"S": 1}, dims={"S": rows, "K": 4096, "N": columns})
    assert parts_of(graph_of(program)) == parts


@pytest.mark.parametrize(
    ("op", "dims", "stretches"),
    [
        ("matmul", {"M": 1, "K": 1024, "N": 1000}, 4),
        ("matmul", {"M": 1, "K": 1031, "N": 2100}, 1),  # a prime; more columns than a block has
        ("batched_matmul", {"B": 3, "M": 1, "K": 999, "N": 513}, 1),  # no divisor up to 2
        ("matmul", {"M": 2, "K": 1024, "N": 1000}, 0),
        ("matmul", {"M": 1, "K": 256, "N": 256}, 0),  # of a cache
        ("linear", {"S": 1, "K": 1024, "N": 1000}, 0),  # the matrix lies in columns
    ],
)
def test_a_row_times_a_matrix_that_lies_in_rows(
    op: str, dims: dict[str, int], stretches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every core reads whole rows of a stretch of the matrix, a few at a time."""
    monkeypatch.setenv(THREADS, "2")
    program = program_of(op, ranks={} if op == "batched_matmul" else {"S": 1 if op == "linear" else 0}, dims=dims)
    graph, inputs = graph_of(program), inputs_of(program)
    first = graph.specs[0]
    assert isinstance(first, Reduce) == bool(stretches)
    if isinstance(first, Reduce):
        found = [static(a.extent) for a in first.rows if a.name == "part"]
        assert found == ([stretches] if stretches > 1 else [])
        assert module_of(graph).kernels[0].schedule.describe().endswith("lanes along rows, parallel rows")
    a, b, *bias = (x.astype(np.float64) for x in inputs.values())
    golden = a @ (b.T if op == "linear" else b) + (bias[0] if bias else 0)
    np.testing.assert_allclose(runner(graph)(inputs)["y"], golden, rtol=1e-4, atol=1e-4)
