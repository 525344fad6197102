"""Sorting statements, accumulate-scatters, calls with several results: what they mean, against numpy and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from uol.ir import Library, check, instantiate, interpret, parse, print_op
from uol.ir.program.nodes import Load, Scatter

TEXTS = """
op largest(x: T[N, E]; K: int) -> (y: T[N, K], at: i32[N, K]) for T in (f64, f32, i32) where K >= 0, E >= K {
  (y[n, k], at[n, k]) = topk[e](x[n, e], K)
}
op ascending(x: T[N, E]) -> (y: T[N, E], at: i64[N, E]) for T in (f64, f32, i32) { (y[n, i], at[n, i]) = sort[e](x[n, e]) }
op places(x: T[N, E]) -> (at: i32[E, N]) for T in (f64, f32) { at[i, n] = argsort[e](-x[n, e]) }
op best(x: T[N, E]; K: int) -> (y: T[N, K]) for T in (f64, f32) where K >= 0, E >= K {
  (v[n, k], at[n, k]) = largest(x; K=K)
  y[n, k] = x[n, at[n, k]] - v[n, k]
}
op segments(x: T[N, D], at: i32[N]; S: int) -> (y: T[S, D]) for T in (f64, f32, i32, i8) where S > 0 {
  y[at[n], d] += x[n, d]
}
op both(x: T[N], at: i32[N]; S: int) -> (y: T[S]) for T in (f64, f32, f16) where S > 0 {
  a[at[n]] += acc(x[n])
  a[S - 1 - at[n]] += acc(x[n])
  y[s] = T(a[s])
}
op place_of_largest(x: T[N, E]) -> (y: T[N]) for T in (f64, f32) where E > 0 {
  at[n] = argmax[e](x[n, e])
  y[n] = x[n, at[n]]
}
"""
OPS = {op.name: op for op in parse(TEXTS)}
LIBRARY = Library(OPS.values())
SPECIAL = np.array([[3.0, np.nan, -np.inf, np.inf, 3.0, np.nan, -0.0, 0.0], [1, 1, 1, 1, 1, 1, 1, 1]])


def run(name: str, inputs: dict[str, np.ndarray], dtype: str = "f64", **attrs: int) -> dict[str, np.ndarray]:
    op = OPS[name]
    dims = {d.id: n for p in op.params for d, n in zip(p.dims, inputs[p.name].shape, strict=True)}
    return interpret(instantiate(op, LIBRARY, types={"T": dtype}, dims=dims, attrs=attrs), inputs)


@pytest.mark.parametrize("name", OPS)
def test_texts_are_right_for_all_sizes_and_print(name: str) -> None:
    check(OPS[name], LIBRARY)
    assert parse(print_op(OPS[name])) == (OPS[name],)


@pytest.mark.parametrize("k", [0, 1, 3, 8])
def test_topk_is_stable_and_takes_nan_first(k: int) -> None:
    got = run("largest", {"x": SPECIAL}, K=k)
    order = torch.sort(torch.tensor(SPECIAL), dim=1, descending=True, stable=True)
    np.testing.assert_array_equal(got["y"], order.values[:, :k])
    np.testing.assert_array_equal(got["at"], order.indices[:, :k])


@pytest.mark.parametrize("shape", [(2, 8), (3, 1), (3, 0), (0, 4)])
def test_sort_is_stable_and_puts_nan_last(shape: tuple[int, int]) -> None:
    x = np.resize(SPECIAL, shape)
    got = run("ascending", {"x": x})
    order = torch.sort(torch.tensor(x), dim=1, stable=True)
    np.testing.assert_array_equal(got["y"], order.values)
    np.testing.assert_array_equal(got["at"], order.indices)


def test_the_place_may_be_any_index_of_the_target() -> None:
    x = np.random.default_rng(0).integers(-2, 3, (3, 6)).astype(np.float64)
    expected = torch.argsort(-torch.tensor(x), dim=1, stable=True).T
    np.testing.assert_array_equal(run("places", {"x": x})["at"], expected)


def test_several_results_bind_in_order_and_places_need_no_else() -> None:
    x = np.random.default_rng(1).standard_normal((4, 7))
    np.testing.assert_array_equal(run("best", {"x": x}, K=3)["y"], np.zeros((4, 3)))
    np.testing.assert_array_equal(run("place_of_largest", {"x": x})["y"], x.max(1))
    program = instantiate(OPS["best"], LIBRARY, types={"T": "f32"})
    gather = next(n for s in program.stages if s.name == "y" for n in s.value.args if isinstance(n, Load))  # type: ignore[attr-defined]
    assert gather.guard == () and gather.fill is None


@pytest.mark.parametrize("dtype", ["f64", "i32", "i8"])
def test_scatter_drops_what_lies_outside(dtype: str) -> None:
    x, at = np.arange(40, dtype=np.float64).reshape(8, 5), np.array([0, 3, 3, -1, 4, 2, 3, 100])
    expected = np.zeros((4, 5))
    for n, s in enumerate(at):
        if 0 <= s < 4:
            expected[s] += x[n]
    np.testing.assert_array_equal(run("segments", {"x": x, "at": at}, dtype, S=4)["y"], expected)


def test_integer_scatters_wrap() -> None:
    got = run("segments", {"x": np.full((3, 1), 100), "at": np.zeros(3, np.int64)}, "i8", S=1)
    assert got["y"] == 300 - 256


def test_a_scatter_over_nothing_is_zero() -> None:
    got = run("segments", {"x": np.zeros((0, 2)), "at": np.zeros(0, np.int64)}, S=3)
    np.testing.assert_array_equal(got["y"], np.zeros((3, 2)))


def test_several_statements_add_to_one_tensor() -> None:
    x, at = np.random.default_rng(2).standard_normal(9), np.array([0, 1, 2, 3, 0, 0, 9, -1, 3])
    forth, back = np.zeros(4), np.zeros(4)
    for n, s in enumerate(at):
        if 0 <= s < 4:
            forth[s] += x[n]
            back[3 - s] += x[n]
    np.testing.assert_allclose(run("both", {"x": x, "at": at}, S=4)["y"], forth + back)


def test_the_extent_of_a_scatter_comes_from_its_reader() -> None:
    program = instantiate(OPS["both"], LIBRARY, types={"T": "f16"}, attrs={"S": 4})
    parts = [s for s in program.stages if isinstance(s, Scatter)]
    assert [program.tensors[p.name].shape[0].value for p in parts] == [4, 4]  # type: ignore[attr-defined]
    assert {p.dtype for p in parts} == {"f32"}


def test_too_few_elements_are_told_in_words() -> None:
    from uol.ir import Library, ShapeError, instantiate, parse

    op = parse("op first_two(x: f32[M]) -> (v: f32[2]) { (v[k], p[k]) = topk[m](x[m], 2) }")[0]
    with pytest.raises(ShapeError, match="takes 2 of 1 elements") as caught:
        instantiate(op, Library(), types={}, ranks={}, dims={"M": 1}, attrs={})
    assert "give at least 2" in str(caught.value)
