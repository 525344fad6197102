"""Functions that are built from others keep the bounds of the language's table, over the whole domain."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from ascend_forms import Form, job_of

from uol.backends.twin.run import execute_many
from uol.ir.functions import FUNCTIONS
from uol.ir.storage import decode, encode

POINTS = np.concatenate([
    np.linspace(-12, 12, 9000),
    np.geomspace(1e-30, 100, 2000),
    -np.geomspace(1e-30, 100, 2000),
    [0.625, 0.62499994, -0.625, 0.92, -0.92, 0.91999996, 4.0, -4.0, 3.9999998, 9.0, 88.0, -87.0],
]).astype(np.float32)
"""Dense around every seam of a piecewise formula."""

WIDE = np.concatenate([
    POINTS,
    np.linspace(-160, 140, 12000),
    np.linspace(-1.1, 2.5, 16000),
    np.geomspace(1e-45, 3.4e38, 6000),
    -np.geomspace(1e-45, 3.4e38, 6000),
    np.arange(1, 4000) * (math.pi / 4),
    np.random.default_rng(0).integers(0, 0x7F800000, 20000).astype(np.int32).view(np.float32),
    [16367173 * 2.0**72, 2.0**-14],
    [2.0**-24, -(2.0**-25), 0.5, 0.49999997, -0.5, 0.35, 1.0, -0.99999994, 1.4142135, 0.70710677, -126.5, 127.99999, 88.72283],
]).astype(np.float32)
"""With subnormal numbers and huge ones, for functions that are made of bits. 16367173 * 2**72 is the f32 that comes nearest
to a multiple of pi/2."""

BY_BITS = ("expm1", "exp2", "log1p", "log2", "sin", "cos")
FOUND = ("exp", "log", "sqrt", "rsqrt", "tanh", "erf", "abs", "floor", "ceil", "round", *BY_BITS)
LEAST: Mapping[str, float] = {"log": 0.0, "sqrt": 0.0, "rsqrt": 0.0, "log2": 0.0, "log1p": -1.0}
"""Ends of domains, where the value is an infinity, or a zero."""


def domain(name: str) -> np.ndarray:
    points = WIDE if name in BY_BITS else POINTS
    return points[points > LEAST[name]] if name in LEAST else points


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
        with np.errstate(over="ignore"):
            exact = FUNCTIONS[name].reference(domain(name).astype(np.float64))
        infinite = np.abs(exact) > np.finfo(np.float32).max * (1 + 2.0**-25)
        assert np.array_equal(np.isinf(run.outputs["y"]), infinite), name
        exact = np.where(infinite, 0, exact)
        ulp = np.spacing(np.maximum(np.abs(exact), 2.0**-126).astype(np.float32)).astype(np.float64)
        y = np.where(infinite, 0, run.outputs["y"].astype(np.float64))
        found[name] = float(np.max(np.abs(y - exact) / ulp))
    return found


@pytest.mark.parametrize("name", FOUND)
def test_error_is_within_the_table(errors: dict[str, float], name: str) -> None:
    assert errors[name] <= FUNCTIONS[name].ulp["f32"], f"{name}: {errors[name]} ulp"


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_limits_and_nan(name: str) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40] + [1.0] * 70, np.float32)
    y = values_at(name, x)
    assert (y[0], y[1]) == (1.0, -1.0)
    assert math.isnan(y[2])
    assert (y[3], y[4]) == (0.0, 0.0)
    assert abs(y[5]) <= 2e-40


def values_at(name: str, x: np.ndarray) -> np.ndarray:
    text = f"op f(x: f32[N]) -> (y: f32[N]) {{ y[n] = {name}(x[n]) }}"
    (run,) = execute_many([job_of(Form(name, text, {"x": x}, lambda i: i["x"], {"N": len(x)}))])
    assert not run.findings, run.findings
    return run.outputs["y"]


@pytest.mark.parametrize("name", BY_BITS)
def test_special_values_of_functions_by_bits(name: str) -> None:
    """Infinities, NaN, zeros with their signs, ends of the domain, and beyond it."""
    largest = np.finfo(np.float32).max
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, -1e-40, -1.0, -2.0, 1.0, largest, -largest], np.float32)
    y = values_at(name, x)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name].reference(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(y, exact, rtol=3e-7)
    numbers = ~np.isnan(exact)
    np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(exact[numbers]))


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("name", BY_BITS)
def test_narrow_types_are_rounded_once(name: str, dtype: str) -> None:
    """Every f16 in the domain, or every bf16 of a sixteenth part of them."""
    bits = np.arange(0, 2**16, 1 if dtype == "f16" else 16, dtype=np.uint16)
    x = decode(bits.view(np.float16) if dtype == "f16" else bits, dtype).astype(np.float64)
    kept = np.isfinite(x) & (x > LEAST.get(name, -np.inf))
    text = f"op f(x: {dtype}[N]) -> (y: {dtype}[N]) {{ y[n] = {name}(x[n]) }}"
    x, stored = x[kept], encode(x[kept], dtype)
    (run,) = execute_many([job_of(Form(name, text, {"x": stored}, lambda i: i["x"], {"N": len(x)}))])
    assert not run.findings, run.findings
    with np.errstate(over="ignore"):
        exact = FUNCTIONS[name].reference(x)
    found = decode(run.outputs["y"], dtype).astype(np.float64)
    finite = np.isfinite(decode(encode(exact, dtype), dtype))
    assert np.array_equal(np.isfinite(found), finite)
    digits, least = (10, -14) if dtype == "f16" else (7, -126)
    ulp = 2.0 ** (np.maximum(np.floor(np.log2(np.maximum(np.abs(exact[finite]), 1e-300))), least) - digits)
    assert np.max(np.abs(found[finite] - exact[finite]) / ulp) <= FUNCTIONS[name].ulp[dtype]
