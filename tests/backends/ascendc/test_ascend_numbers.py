"""Functions that are built from others keep the bounds of the language's table, over the whole domain."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from ascend_forms import Form, job_of
from turns import by_turns

from uol.backends.twin.run import execute_many
from uol.ir.functions import FUNCTIONS
from uol.ir.program.dtype_encoding import decode, encode

POINTS = np.concatenate(
    [
        np.linspace(-12, 12, 9000),
        np.geomspace(1e-30, 100, 2000),
        -np.geomspace(1e-30, 100, 2000),
        [0.625, 0.62499994, -0.625, 0.92, -0.92, 0.91999996, 4.0, -4.0, 3.9999998, 9.0, 88.0, -87.0],
    ]
).astype(np.float32)
"""Dense around every seam of a piecewise formula."""

WIDE = np.concatenate(
    [
        POINTS,
        np.linspace(-160, 140, 12000),
        np.linspace(-1.1, 2.5, 16000),
        np.geomspace(1e-45, 3.4e38, 6000),
        -np.geomspace(1e-45, 3.4e38, 6000),
        np.arange(1, 4000) * (math.pi / 4),
        np.random.default_rng(0).integers(0, 0x7F800000, 20000).astype(np.int32).view(np.float32),
        [16367173 * 2.0**72, 2.0**-14],
        [
            2.0**-24,
            -(2.0**-25),
            0.5,
            0.49999997,
            -0.5,
            0.35,
            1.0,
            -0.99999994,
            1.4142135,
            0.70710677,
            -126.5,
            127.99999,
            88.72283,
        ],
    ]
).astype(np.float32)
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


@pytest.mark.parametrize(("name", "dtype"), by_turns(2, BY_BITS, ["f16", "bf16"]))
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


def powers(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    text = "op f(x: f32[N], p: f32[N]) -> (y: f32[N]) { y[n] = pow(x[n], p[n]) }"
    (run,) = execute_many([job_of(Form("pow", text, {"x": x, "p": y}, lambda i: i["x"], {"N": len(x)}))])
    assert not run.findings, run.findings
    return run.outputs["y"]


def test_error_of_powers() -> None:
    """Any base with results over the whole range, bases near 1 with large exponents, whole exponents of negative bases."""
    rng, count = np.random.default_rng(1), 20000
    anything = rng.integers(1, 0x7F800000, count).astype(np.int32).view(np.float32)
    scaled = rng.uniform(-160, 140, count) / np.maximum(np.abs(np.log2(anything.astype(np.float64))), 1e-3)
    near, large = 1 + rng.standard_normal(count) * 1e-3, rng.standard_normal(count) * 30000
    x = np.concatenate([anything, near, rng.random(count) * 10, -rng.random(count) * 4]).astype(np.float32)
    whole = np.round(rng.standard_normal(count) * 20)
    y = np.concatenate([scaled, large, rng.standard_normal(count) * 9, whole]).astype(np.float32)
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y.astype(np.float64))
        rounded = exact.astype(np.float32)
    found, finite = powers(x, y), np.isfinite(rounded)
    np.testing.assert_array_equal(found[~finite], rounded[~finite])
    exact = exact[finite]
    ulp = np.spacing(np.maximum(np.abs(exact), 2.0**-126).astype(np.float32)).astype(np.float64)
    assert np.max(np.abs(found[finite] - exact) / ulp) <= FUNCTIONS["pow"].ulp["f32"]


def test_special_values_of_powers() -> None:
    """Every pair of zeros, ones, infinities, NaN, halves, odd and even numbers, subnormal and huge ones of both signs."""
    sizes = [0.0, 1.0, 0.5, 2.0, 3.0, 1e-40, 3.4e38, 2.0**23 + 1, 2.0**24 + 2, np.inf]
    values = np.array([*sizes, *(-s for s in sizes), np.nan], np.float32)
    x, y = (grid.ravel() for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    found = powers(x, y)
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    numbers = ~np.isnan(exact)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(exact[numbers]))


@pytest.mark.parametrize(("turn", "argument"), by_turns(3, range(3), ["w[m]", "x[n]", "p"]))
def test_functions_of_rows_lanes_and_attributes(turn: int, argument: str) -> None:
    """Values that vary over one of a tile's axes, or over none; two functions a turn."""
    names = BY_BITS[turn::3]
    terms = [f"{name}({argument})" for name in names]
    text = f"""op f(x: f32[N], w: f32[M]; p: float = 0.5) -> (y: f32[M, N]) {{
  y[m, n] = x[n] * w[m] + pow({argument}, w[m]) + pow(x[n], {argument}) + {" + ".join(terms)}
}}"""
    x, w = np.linspace(0.5, 3, 37, dtype=np.float32), np.linspace(1, 2, 5, dtype=np.float32)
    form = Form("spans", text, {"x": x, "w": w}, lambda i: i["x"], {"N": 37, "M": 5}, {"p": 0.75})
    (run,) = execute_many([job_of(form)])
    assert not run.findings, run.findings
    wide, tall = x.astype(np.float64), w.astype(np.float64)[:, None]
    a = {"w[m]": tall, "x[n]": wide, "p": np.float64(0.75)}[argument]
    exact = wide * tall + a**tall + wide**a + sum(FUNCTIONS[name].reference(a) for name in names)
    np.testing.assert_allclose(run.outputs["y"], exact, rtol=2e-6)


@pytest.mark.parametrize("step", by_turns(2, [1, 2, 40]))
def test_a_sine_of_what_lies_apart(step: int) -> None:
    """Tables of the scalar unit and of the vector unit in one kernel."""
    text = "op f(x: f32[N, M]) -> (y: f32[N, M]) { y[n, m] = sin(x[n, m]) + cos(f32(m)) }"
    x = np.linspace(-50, 50, 16 * 256, dtype=np.float32).reshape(16, 256)
    form = Form("apart", text, {"x": x}, lambda i: i["x"], {"N": 16, "M": 256}, layouts={"x": (256 * step + 8, step)})
    (run,) = execute_many([job_of(form)])
    assert not run.findings, run.findings
    exact = np.sin(x.astype(np.float64)) + np.cos(np.arange(256.0))
    np.testing.assert_allclose(run.outputs["y"], exact, atol=3e-7)
