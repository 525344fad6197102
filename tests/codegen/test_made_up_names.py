"""Names that lowering makes up meet a user's own: `run` asserts that every name stands for one thing."""

from __future__ import annotations

import pytest
from middle import lowered, program_of, run

from uol.backends import registry
from uol.codegen.lowering import lower

HOISTED = {
    "an index": "op f(x: T[N, K]) -> (y: T[N]) for T in (f64,) { y[y_sum] = 2 * sum[k](x[y_sum, k]) }",
    "a tensor": """op f(x: T[N, K], y_sum: T[N]) -> (y: T[N]) for T in (f64,) { y[n] = y_sum[n] * sum[k](x[n, k]) }""",
    "an attribute": """op f(x: T[N, K]; y_sum: float) -> (y: T[N]) for T in (f64,) { y[n] = y_sum * sum[k](x[n, k]) }""",
}
STORED = {
    "an index": "op f(x: T[N]) -> (y: T[N]) for T in (f64,) { y[y_value] = x[y_value] + 1 }",
    "a tensor": """op f(x: T[N]) -> (y: T[N], z: T[]) for T in (f64,) {
      y_value[n] = x[n] + 1
      y[n] = y_value[n] * 2
      z[] = sum[n](y[n] * y_value[n])
    }""",
    "an attribute": "op f(x: T[N]; y_value: float) -> (y: T[N]) for T in (f64,) { y[n] = x[n] + y_value }",
}
SPLIT = """op f(x: T[G, K], w: T[O, K, M], o_group: T[O], o_in: T[M]) -> (y: T[O, M]) for T in (f64,) {
  a[o, m] = sum[k](x[o / 2, k] * w[o, k, m])
  y[o, m] = a[o, m] * o_group[o] + o_in[m]
}"""
STEPPED_ASIDE = """op f(x: T[N, M], m2: T[M]) -> (y: T[M]) for T in (f64,) {
  t[m, n] = sum[k](x[k, n] * x[k, m])
  y[m] = sum[n](t[n, m] * m2[m]) + sum[n](x[n, m])
}"""
CALLEE = """op scale(x: T[N]) -> (y: T[N]) for T in (f64,) { y[s] = x[s] * 2 }
op f(s: T[N]) -> (y: T[N]) for T in (f64,) { y[n] = scale(s)[N - 1 - n] + s[n] }"""
SHARED_PRODUCER = """op f(x: T[N], w: T[M], v: T[K]) -> (y: T[N, M], z: T[N, K]) for T in (f64,) {
  t[n] = exp(x[n])
  y[n, m] = t[n] * w[m]
  z[n, k] = t[n] * v[k]
}"""
ALL = {
    **{f"a hoisted reduction and {k}": v for k, v in HOISTED.items()},
    **{f"a stored value and {k}": v for k, v in STORED.items()},
    "groups of a split axis": SPLIT,
    "an index that steps aside": STEPPED_ASIDE,
    "an index of a callee": CALLEE,
    "two kernels around one producer": SHARED_PRODUCER,
}


@pytest.mark.parametrize("text", [t.replace("(f64,)", "(f64, f32)") for t in ALL.values()], ids=ALL)
def test_every_name_stands_for_one_thing(text: str) -> None:
    head = text[text.rindex("op ") :].split("->")[0]
    sizes = {"N": 4, "M": 4, "K": 3, "O": 6, "G": 3}
    dims = {d: n for d, n in sizes.items() if any(f"{before}{d}{after}" in head for before in "[ " for after in ",]")}
    scalars = {n: 1.5 for n in ("y_sum", "y_value") if f"{n}: float" in text}
    run(text, scalars=scalars, dims=dims, types={"T": "f64"})


def test_workspaces_of_a_contraction_are_named_after_no_tensor() -> None:
    """A kernel's name is the stem of the workspaces that a target may add."""
    text = """op f(f_product: T[N, K], w: T[M, K]) -> (y: T[N, M]) for T in (f32, f64) {
      y[n, m] = sum[k](f_product[n, k] * w[m, k])
    }"""
    (spec,) = lowered(text, dims={"N": 4, "M": 3, "K": 5}).specs
    assert not any(a.name.startswith(f"{spec.name}_") for a in spec.args)


def test_kernels_of_one_operator_have_names_of_their_own() -> None:
    graph = lowered(SHARED_PRODUCER.replace("(f64,)", "(f64, f32)"), dims={"N": 4, "M": 4, "K": 3})
    assert [s.name for s in graph.specs] == ["f_y", "f_z"]


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_kernels_that_store_elements_of_one_tensor_have_names_of_their_own(target: str) -> None:
    """Beside the sum that one element is made of, the others are written out."""
    text = """op f(x: f32[M], b: f32[M], dy: f32[N]) -> (dx: f32[M], db: f32[M]) {
      dx[m] = select(2 == m, -sum[n, l](dy[n] * b[l]) / x[2], 0)
      db[m] = sum[n](dy[n]) / x[2]
    }"""
    program = program_of(text, types={}, dims={"N": 3, "M": 3})
    names = [spec.name for spec in lower(program, registry.get(target)).specs]
    assert len(names) > 3
    assert len({*names}) == len(names)
