"""Sums over rows that go along with the rows: when they do, and what they sum to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cpu_cases import graph_of, program_of, run_compiled

from uol.backends.cpu.oracle import oracle
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.long_rows import column_sums
from uol.codegen.specs.nodes import Reduce
from uol.codegen.specs.printer import graph_text

LARGE = {"ranks": {"S": 1}, "dims": {"S": 4096, "C": 1024}}
TWICE = """op rows_twice(x: T[S, C], dy: T[S, C]) -> (z: T[S, C], w: T[C], u: T[C]) for T in (f64, f32, f16, bf16) {
  m[s]    = sum[c](acc(x[s, c]))
  z[s, c] = T(acc(dy[s, c]) + m[s])
  w[c]    = T(sum[s](acc(dy[s, c]) * m[s]))
  u[c]    = T(sum[s](acc(z[s, c])))
}"""
"""`w` needs what is made of a row; `u` an element, as it was rounded."""


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tensors count as large."""
    monkeypatch.setattr(column_sums, "LEAST_SHARED_BYTES", 0)


def columns(graph: KernelGraph) -> list[int]:
    """How many sums go along with the rows of each kernel."""
    return [len(spec.columns) if isinstance(spec, Reduce) else 0 for spec in graph.specs]


def grads(rows: int, cols: int, layer: str = "layer_norm_grad", dtype: str = "f32") -> KernelGraph:
    given = {"types": {"T": dtype}, "ranks": {"S": 1}, "dims": {"S": rows, "C": cols}}
    return graph_of(program_of(layer, **given))


def test_gradients_of_norms_read_their_rows_once() -> None:
    graph = graph_of(program_of("layer_norm_grad", **LARGE))
    assert columns(graph) == [2, 0]
    assert [w.shape[0].value for w in graph.workspaces] == [64, 64]  # what the sums alone have read is not stored
    assert "= sum over s of dy[" in graph_text(graph)
    assert columns(graph_of(program_of("rms_norm_grad", **LARGE))) == [1, 0]


@pytest.mark.parametrize(
    ("rows", "cols"),
    [(400, 1000), (4099, 1024), (28, 65536), (64, 65536)],
    ids=["little to read", "no parts", "few rows of a part", "many sums"],
)
def test_other_sums_have_kernels_of_their_own(rows: int, cols: int) -> None:
    assert columns(grads(rows, cols)) == [0, 0]


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(("rows", "cols"), [(32, 16), (40, 1), (96, 70), (200, 133), (33, 64)])
@pytest.mark.parametrize("layer", ["layer_norm_grad", "rms_norm_grad"])
def test_gradients_are_those_of_pytorch(layer: str, rows: int, cols: int, dtype: str) -> None:
    graph = grads(rows, cols, layer, dtype)
    assert bool(sum(columns(graph))) == (rows != 33 and cols > 1)  # a column alone has no order
    rng = np.random.default_rng(rows + cols)
    names = {"x": (rows, cols), "gamma": (cols,), "dy": (rows, cols)}
    values = {n: rng.standard_normal(shape).astype("f4" if dtype == "f32" else "f8") for n, shape in names.items()}
    x, gamma, dy = (torch.from_numpy(v).double().requires_grad_(n != "dy") for n, v in values.items())
    if layer == "rms_norm_grad":
        leaves = {"dx": x, "dgamma": gamma}
        y = torch.nn.functional.rms_norm(x, (cols,), gamma, 1e-5)
    else:
        leaves = {"dx": x, "dgamma": gamma, "dbeta": torch.zeros(cols, dtype=torch.float64, requires_grad=True)}
        y = torch.nn.functional.layer_norm(x, (cols,), gamma, leaves["dbeta"], 1e-5)
    expected = dict(zip(leaves, torch.autograd.grad(y, list(leaves.values()), dy), strict=True))
    for results in (run_compiled(graph, values, {"eps": 1e-5}), oracle.run(graph, values, {"eps": 1e-5})):
        for name, want in expected.items():
            scale = max(1.0, float(want.abs().max()))
            np.testing.assert_allclose(results[name], want.numpy(), rtol=0, atol=scale * (2e-4 if dtype == "f32" else 1e-9))


@pytest.mark.usefixtures("any_size")
def test_a_sum_of_elements_that_are_stored_reads_them_again() -> None:
    graph = graph_of(program_of(TWICE, dims={"S": 64, "C": 48}))
    assert sum(columns(graph)) <= 1
    rng = np.random.default_rng(1)
    x, dy = (rng.standard_normal((64, 48)).astype(np.float32) for _ in range(2))
    m = x.astype(np.float64).sum(1, keepdims=True)
    for results in (run_compiled(graph, {"x": x, "dy": dy}), oracle.run(graph, {"x": x, "dy": dy})):
        np.testing.assert_allclose(results["z"], dy + m, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(results["w"], (dy * m).sum(0), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(results["u"], (dy + m).sum(0), rtol=1e-4, atol=1e-3)
