"""The table of derivatives is complete, and each is the slope of its function."""

from __future__ import annotations

import numpy as np
import pytest

from uol.ir import Library, instantiate, interpret, parse
from uol.ir.functions import FUNCTIONS
from uol.ir.gradients import gradient
from uol.ir.gradients.derivatives import DERIVATIVES

POSITIVE = dict.fromkeys(("log", "log2", "sqrt", "rsqrt", "pow"), (0.3, 3.0))
POINTS = {**POSITIVE, "log1p": (-0.7, 3.0)}


def test_every_function_has_a_derivative_for_every_argument() -> None:
    assert {name: f.arity for name, f in FUNCTIONS.items()} == {name: len(d) for name, d in DERIVATIVES.items()}


@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if function.ulp])
def test_a_derivative_is_the_slope(name: str) -> None:
    inputs = ("a", "b")[: FUNCTIONS[name].arity]
    head = ", ".join(f"{i}: f64[N]" for i in inputs)
    (op,) = parse(f"op f({head}) -> (y: f64[N]) {{ y[n] = {name}({', '.join(f'{i}[n]' for i in inputs)}) }}")
    text = gradient(op, Library())
    rng = np.random.default_rng(3)
    given = {i: rng.uniform(*POINTS.get(name, (-2.3, 2.3)), 64) for i in inputs}
    seed = rng.standard_normal(64)
    program = instantiate(text, Library(), types={}, dims={"N": 64})
    known = {**given, "y": FUNCTIONS[name].reference(*given.values()), "dy": seed}
    found = interpret(program, {t.name: known[t.name] for t in program.by_role("in")})
    for i in inputs:
        ends = [FUNCTIONS[name].reference(*{**given, i: given[i] + s * 1e-6}.values()) for s in (1, -1)]
        np.testing.assert_allclose(found[f"d{i}"], seed * (ends[0] - ends[1]) / 2e-6, 1e-6, 1e-6)


@pytest.mark.parametrize(
    ("text", "x", "slope"),
    [
        ("max(x[n], 0)", 0.0, 0.0),
        ("max(x[n], f64(0))", 0.0, 0.0),
        ("max(x[n], select(n == 0, 0, 1))", 0.0, 0.5),  # no constant: it depends on an index
        ("min(x[n], 6)", 6.0, 0.0),
        ("abs(x[n])", 0.0, 0.0),
        ("round(x[n])", 0.5, 0.0),
        ("max(x[n], 2 - x[n])", 1.0, 0.0),  # a half to each
        ("pow(x[n], 1)", 0.0, 1.0),
        ("pow(x[n], 0)", 0.0, 0.0),
        ("select(x[n] > 0, x[n], exp(x[n]))", 1e4, 1.0),  # the other arm overflows, and is absent
        ("select(x[n] > 0, x[n], x[n] * exp(x[n]) + exp(x[n]))", 1e4, 1.0),
        ("1 / (1 + exp(-x[n]))", -1e4, 0.0),
        ("x[n] / (1 + exp(-x[n]))", -1e4, 0.0),
        ("log(1 + exp(x[n]))", 600.0, 1.0),
    ],
)
def test_at_edges(text: str, x: float, slope: float) -> None:
    (op,) = parse(f"op f(x: f64[N]) -> (y: f64[N]) {{ y[n] = {text} }}")
    derived = gradient(op, Library())
    given = {"x": np.array([x]), "dy": np.array([3.0])}
    given["y"] = interpret(instantiate(op, Library(), types={}, dims={"N": 1}), {"x": given["x"]})["y"]
    program = instantiate(derived, Library(), types={}, dims={"N": 1})
    assert interpret(program, {t.name: given[t.name] for t in program.by_role("in")})["dx"] == [3.0 * slope]
