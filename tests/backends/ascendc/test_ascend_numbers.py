"""Functions that are built from others keep the bounds of the language's table, over the whole domain."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ascend_forms import Form, job_of

from uol.backends.twin.run import execute_many
from uol.ir.functions import FUNCTIONS

POINTS = np.concatenate([
    np.linspace(-12, 12, 9000),
    np.geomspace(1e-30, 100, 2000),
    -np.geomspace(1e-30, 100, 2000),
    [0.625, 0.62499994, -0.625, 0.92, -0.92, 0.91999996, 4.0, -4.0, 3.9999998, 9.0, 88.0, -87.0],
]).astype(np.float32)
"""Dense around every seam of a piecewise formula."""

FOUND = ("exp", "log", "sqrt", "rsqrt", "tanh", "erf", "abs", "floor", "ceil", "round")
POSITIVE = ("log", "sqrt", "rsqrt")


def domain(name: str) -> np.ndarray:
    return np.abs(POINTS[POINTS != 0]) if name in POSITIVE else POINTS


@pytest.fixture(scope="module")
def errors() -> dict[str, float]:
    """The largest error of each function in ulp, by the checked twin."""
    forms = [
        Form(
            name,
            f"op f(x: f32[N]) -> (y: f32[N]) {{ y[n] = {name}(x[n]) }}",
            {"x": domain(name)},
            lambda i: i["x"],
            {"N": len(domain(name))},
        )
        for name in FOUND
    ]
    found = {}
    for name, run in zip(FOUND, execute_many([job_of(f) for f in forms]), strict=True):
        assert not run.findings, run.findings
        exact = FUNCTIONS[name].reference(domain(name).astype(np.float64))
        exact = np.where(np.abs(exact) < np.finfo(np.float32).max, exact, 0)
        ulp = np.spacing(np.maximum(np.abs(exact), 2.0**-126).astype(np.float32)).astype(np.float64)
        y = np.where(np.isinf(run.outputs["y"]), 0, run.outputs["y"].astype(np.float64))
        found[name] = float(np.max(np.abs(y - exact) / ulp))
    return found


@pytest.mark.parametrize("name", FOUND)
def test_error_is_within_the_table(errors: dict[str, float], name: str) -> None:
    assert errors[name] <= FUNCTIONS[name].ulp["f32"], f"{name}: {errors[name]} ulp"


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_limits_and_nan(name: str) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40] + [1.0] * 70, np.float32)
    text = f"op f(x: f32[N]) -> (y: f32[N]) {{ y[n] = {name}(x[n]) }}"
    (run,) = execute_many([job_of(Form(name, text, {"x": x}, lambda i: i["x"], {"N": len(x)}))])
    assert not run.findings, run.findings
    y = run.outputs["y"]
    assert (y[0], y[1]) == (1.0, -1.0)
    assert math.isnan(y[2])
    assert (y[3], y[4]) == (0.0, 0.0)
    assert abs(y[5]) <= 2e-40
