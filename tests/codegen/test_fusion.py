"""Programs that invite a wrong fusion: the specs give the golden value, and every tensor is stored once, before it is read."""

from __future__ import annotations

import time

import numpy as np
import pytest
from middle import lowered, run

from uol.codegen.specs.nodes import Fold, KernelSpec, Let, Map, Reduce
from uol.codegen.specs.rewrites import split_epilogue

ELSEWHERE_TOO = """op f(x: T[N, M]) -> (y: T[N]) for T in (f32, f64) {
  t[n, m] = exp(x[n, m])
  y[n] = sum[m](t[n, m] * t[n, 0])
}"""
OPERAND_ELSEWHERE = """op f(x: T[N]) -> (y: T[]) for T in (f32, f64) {
  t[n] = exp(x[n])
  u[n] = t[n / 2] + x[n]
  y[] = sum[n](u[n])
}"""
ADOPTED_THEN_READ_ELSEWHERE = """op f(x: T[N]) -> (y: T[N], z: T[]) for T in (f32, f64) {
  t[n] = exp(x[n])
  u[n] = max(t[n], 0)
  z[] = u[1] - t[0]
  y[n] = t[N - 1 - n] + u[n / 2]
}"""
TRANSPOSED_TOO = """op f(x: T[N, N]) -> (y: T[N, N], z: T[N]) for T in (f32, f64) {
  t[i, j] = x[i, j] * 2
  y[i, j] = t[i, j] - t[j, i]
  z[i] = sum[j](t[j, i] * y[i, j])
}"""
PLACES_IN_TWO_ORDERS = """op f(x: T[N, M]) -> (a: i64[], b: i64[], s: T[]) for T in (f32, f64) where N > 0, M > 0 {
  s[] = sum[n, m](x[n, m])
  a[] = argmax[n, m](x[n, m])
  b[] = argmax[m, n](x[n, m])
}"""
RESULTS_READ_AGAIN = """op f(x: T[N, M]) -> (y: T[N, M], s: T[N], z: T[M]) for T in (f32, f64) {
  y[n, m] = x[n, m] + 1
  s[n] = sum[m](y[n, m] * y[n, m])
  z[m] = max[n](y[n, m] - s[n])
}"""
ROW_STEPS = """op f(x: T[N, M]) -> (y: T[N, M], r: T[N]) for T in (f32, f64) {
  hi[n] = max[m](x[n, m])
  r[n] = hi[n] * 2
  t[n, m] = x[n, m] - r[n]
  s[n] = sum[m](t[n, m])
  y[n, m] = t[n, m] / (1 + abs(s[n])) + t[n, 0]
}"""
EPILOGUE_READ_ELSEWHERE = """op f(x: T[N, K], w: T[M, K]) -> (y: T[N, M], z: T[N]) for T in (f32, f64) {
  a[n, m] = sum[k](x[n, k] * w[m, k])
  y[n, m] = a[n, m] + a[n, M - 1 - m]
  z[n] = max[m](y[n, m])
}"""
PRODUCT_OF_A_PRODUCT = """op f(x: T[N, N]) -> (y: T[N, N]) for T in (f32, f64) {
  a[i, j] = sum[k](x[i, k] * x[k, j])
  y[i, j] = sum[k](a[i, k] * a[k, j])
}"""
SIZES = {"N": 4, "M": 3, "K": 5}
TEXTS = {
    "read elsewhere too": ELSEWHERE_TOO,
    "an operand read elsewhere": OPERAND_ELSEWHERE,
    "adopted, then read elsewhere": ADOPTED_THEN_READ_ELSEWHERE,
    "transposed too": TRANSPOSED_TOO,
    "places in two orders": PLACES_IN_TWO_ORDERS,
    "results read again": RESULTS_READ_AGAIN,
    "row steps": ROW_STEPS,
    "an epilogue read elsewhere": EPILOGUE_READ_ELSEWHERE,
    "a product of a product": PRODUCT_OF_A_PRODUCT,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_golden_value(text: str) -> None:
    dims = {d: n for d, n in SIZES.items() if f"{d}]" in text.split("->")[0] or f"{d}," in text.split("->")[0]}
    run(text, dims=dims, types={"T": "f64"})


def test_a_tensor_read_at_other_indices_is_not_recomputed_at_them() -> None:
    graph = lowered(ELSEWHERE_TOO, dims={"N": 4, "M": 3})
    assert [type(s) for s in graph.specs] == [Map, Reduce]
    assert [w.name for w in graph.workspaces] == ["t"]


def test_a_stage_that_a_kernel_stores_anyway_gets_no_kernel_of_its_own() -> None:
    graph = lowered(ADOPTED_THEN_READ_ELSEWHERE, dims={"N": 4})
    stores = [s.tensor for spec in graph.specs for s in spec.steps if not hasattr(s, "name")]
    assert sorted(stores) == ["t", "u", "y", "z"]


def test_places_are_counted_in_the_order_of_the_text() -> None:
    graph = lowered(PLACES_IN_TWO_ORDERS, dims={"N": 4, "M": 3})
    assert [[s.op for s in spec.steps if isinstance(s, Fold)] for spec in graph.specs] == [["sum", "argmax"], ["argmax"]]
    assert [[a.name for a in spec.axes] for spec in graph.specs] == [["n", "m"], ["m", "n"]]


def test_nothing_is_computed_for_nothing() -> None:
    text = """op f(x: T[N, M]) -> (y: T[N]) for T in (f32, f64) {
      t[n, m] = exp(x[n, m])
      s[n] = sum[m](t[n, 0] * t[n, m])
      y[n] = x[n, 0] else 0
      z[n] = s[n] + y[n]
    }"""
    graph = lowered(text, dims={"N": 4, "M": 3})
    assert [type(s) for s in graph.specs] == [Map]
    assert not graph.workspaces


def test_a_long_chain_takes_no_time() -> None:
    """Every stage reads the one before twice: a walk that visits each read would take 2**40 steps."""
    lines = [f"t{i + 1}[n] = t{i}[n] * t{i}[n] + 1" for i in range(40)]
    chain = "\n".join(["t0[n] = x[n]", *lines, "y[n] = t40[n]"])
    started = time.perf_counter()
    (spec,) = lowered(f"op f(x: T[N]) -> (y: T[N]) for T in (f32, f64) {{\n{chain}\n}}", dims={"N": 4}).specs
    assert len(spec.steps) == 41  # the last is stored as it is made
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_product_under_a_condition_is_absent_where_it_does_not_hold(value: float) -> None:
    """0 * inf is NaN: a guard of one factor does not make the product 0."""
    text = """op f(x: T[N, K], w: T[M, K]) -> (y: T[N, M]) for T in (f32, f64) {
      y[n, m] = sum[k](select(n + k < 3, x[n, k] * w[m, k], 0))
    }"""
    x, w = np.ones((4, 5)), np.ones((3, 5))
    w[1, 4] = value
    run(text, {"x": x, "w": w}, dims=SIZES, types={"T": "f64"})


def test_an_epilogue_that_gathers_reads_along_the_axes_of_its_own_kernel() -> None:
    text = """op f(x: T[N, K], w: T[M, K], v: T[N, M], at: i32[M, N]) -> (y: T[N, M]) for T in (f32, f64) {
      y[n, m] = sum[k](x[n, k] * w[m, k]) + (v[n, at[m, n]] else 0)
    }"""
    at = np.arange(12).reshape(3, 4) % 5 - 1
    run(text, {"at": at}, legalise=split_epilogue, dims=SIZES, types={"T": "f64"})


def test_a_condition_on_a_factor_is_its_guard() -> None:
    text = """op f(x: T[N, K], w: T[M, K]) -> (y: T[N, M]) for T in (f32, f16) {
      y[n, m] = T(sum[k](select(n + k < 3, acc(x[n, k]), 0) * acc(w[m, k])))
    }"""
    (spec,) = lowered(text, dims=SIZES).specs
    assert type(spec).__name__ == "Contract"
    run(text, dims=SIZES, types={"T": "f32"})


def test_a_condition_on_summed_indices_guards_both_factors() -> None:
    text = """op f(x: T[N, K], w: T[M, K]) -> (y: T[N, M]) for T in (f32, f64) {
      y[n, m] = sum[k](select(k % 2 == 0, x[n, k] * w[m, k], 0))
    }"""
    (spec,) = lowered(text, dims=SIZES).specs
    assert type(spec).__name__ == "Contract"
    w = np.ones((3, 5))
    w[1, 1] = np.inf
    run(text, {"w": w}, dims=SIZES, types={"T": "f64"})


def test_a_machine_is_asked_before_a_reduction_adopts_its_operands() -> None:
    text = "op f(x: T[N, M]) -> (y: T[N]) for T in (f32, f64) { t[n, m] = exp(x[n, m])\n y[n] = sum[m](t[n, m]) }"

    def takes_bare_folds(spec: KernelSpec) -> bool:
        return not (isinstance(spec, Reduce) and any(s.name == "t" for s in spec.steps if isinstance(s, Let)))

    assert [type(s) for s in lowered(text, dims={"N": 4, "M": 3}).specs] == [Reduce]
    graph = lowered(text, dims={"N": 4, "M": 3}, accepts=takes_bare_folds)
    assert [type(s) for s in graph.specs] == [Map, Reduce]
    assert [w.name for w in graph.workspaces] == ["t"]
