"""Specs mean what the program means: the point-by-point run of the specs against the interpreter of the language."""

from __future__ import annotations

import numpy as np
import pytest
from middle import lowered, program_of
from middle_texts import CONV_BN, GROUPED, LINEAR, MLP, NORM, RELU, RELU_POOL, RENAMED, SOFTMAX
from spec_interpreter import run_graph

from uol.ir import interpret

ARGMAX = "op argmax(x: T[R, C]) -> (y: i64[R]) for T in (f32,) where C > 0 { y[r] = argmax[c](x[r, c]) }".replace(",)", ")")
TWO_RESULTS = """op stats(x: T[N, C, H]) -> (m: f32[C], v: f32[C], y: T[N, C, H]) for T in (f32, f16) where N > 0, H > 0 {
  m[c] = sum[n, h](acc(x[n, c, h])) / (N*H)
  v[c] = sum[n, h]((acc(x[n, c, h]) - m[c]) * (acc(x[n, c, h]) - m[c])) / (N*H)
  y[n, c, h] = T((acc(x[n, c, h]) - m[c]) / sqrt(v[c] + 1e-5))
}"""
TRANSPOSED = "op flip(x: T[A, B]) -> (y: T[B, A]) for T in (f32, f16) { y[b, a] = x[a, b] * 2 }"
TURNED = """op turned(x: T[A, B], w: T[C, B], v: T[A, C, P]) -> (y: T[A, C], z: T[C, A, P]) for T in (f32,) {
  y[a, c] = 2 * sum[b](x[a, b] * w[c, b])
  z[c, a, p] = v[a, c, p] * 3
}""".replace(",)", ")")
SHARED = """op shared(x: T[R, C]) -> (u: T[R, C], y: T[R], z: T[C]) for T in (f32, f64) {
  u[r, c] = x[r, c] * x[r, c]
  y[r] = sum[c](u[r, c])
  z[c] = sum[r](u[r, c])
}"""
CONV = dict(N=2, C=4, H=5, W=5, O=6, R=3, S=3, P=5, Q=5)
CASES = [
    ("relu", RELU, dict(dims={"S_0": 3, "S_1": 5}, ranks={"S": 2}), {}),
    ("relu transposed", RELU, dict(dims={"S_0": 3, "S_1": 5}, ranks={"S": 2}), {"x": (1, 3), "y": (1, 3)}),
    ("relu broadcast", RELU, dict(dims={"S_0": 3, "S_1": 5}, ranks={"S": 2}), {"x": (0, 1)}),
    ("relu sliced", RELU, dict(dims={"S_0": 3, "S_1": 5}, ranks={"S": 2}), {"x": (20, 2)}),
    ("relu of one", RELU, dict(dims={}, ranks={"S": 0}), {}),
    ("relu of none", RELU, dict(dims={"S": 0}, ranks={"S": 1}), {}),
    ("softmax", SOFTMAX, dict(dims={"R": 4, "C": 6}), {}),
    ("softmax renamed", RENAMED, dict(dims={"R": 4, "C": 6}), {}),
    ("softmax by columns", SOFTMAX, dict(dims={"R": 4, "C": 6}), {"x": (1, 4), "y": (1, 4)}),
    ("linear", LINEAR, dict(dims={"M": 4, "N": 5, "K": 6}), {}),
    ("linear swapped", LINEAR, dict(dims={"M": 4, "N": 5, "K": 6}), {"y": (1, 4)}),
    ("linear, turned", TURNED, dict(dims={"A": 3, "B": 4, "C": 5, "P": 2}), {}),
    ("linear of nothing", LINEAR, dict(dims={"M": 4, "N": 5, "K": 0}), {}),
    ("mlp", MLP, dict(dims=dict(M=3, K=4, H=5, N=6)), {}),
    ("norm", NORM, dict(dims={"R": 4, "C": 6}), {}),
    ("conv", CONV_BN, dict(dims=CONV), {}),
    (
        "conv channels-last",
        CONV_BN,
        dict(dims=CONV),
        {"x": (100, 1, 20, 4), "w": (1, 6, 72, 24), "y": (150, 1, 30, 6), "z": (150, 1, 30, 6)},
    ),
    ("grouped", GROUPED, dict(dims=dict(N=2, C=6, D=3, W=9, O=4, S=3), attrs={"groups": 2}), {}),
    ("depthwise", GROUPED, dict(dims=dict(N=2, C=4, D=1, W=9, O=4, S=3), attrs={"groups": 4}), {}),
    ("relu then pool", RELU_POOL, dict(dims={"H": 8}), {}),
    ("argmax", ARGMAX, dict(dims={"R": 5, "C": 7}), {}),
    ("statistics", TWO_RESULTS, dict(dims={"N": 2, "C": 3, "H": 4}), {}),
    ("transpose", TRANSPOSED, dict(dims={"A": 3, "B": 4}), {}),
    ("shared producer", SHARED, dict(dims={"R": 3, "C": 4}), {}),
]


@pytest.mark.parametrize(("text", "given", "layouts"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_specs_compute_the_golden_value(text: str, given: dict, layouts: dict) -> None:
    program = program_of(text, **given)
    rng = np.random.default_rng(0)
    inputs = {t.name: np.float64(np.float32(rng.normal(size=[d.value for d in t.shape]))) for t in program.by_role("in")}
    inputs = {n: np.abs(a) + 0.125 if n == "v" else a for n, a in inputs.items()}
    for name, strides in layouts.items():
        if name in inputs:
            for dim, stride in enumerate(strides):
                if stride == 0:
                    inputs[name] = np.broadcast_to(inputs[name].take([0], axis=dim), inputs[name].shape)
    scalars = {"eps": 1e-5}
    golden = interpret(program, inputs, {s.name: scalars[s.name] for s in program.scalars})
    got = run_graph(lowered(text, layouts=layouts, **given), inputs, scalars)
    assert set(got) == set(golden)
    for name, want in golden.items():
        np.testing.assert_allclose(got[name], want, rtol=1e-6, atol=1e-9)
