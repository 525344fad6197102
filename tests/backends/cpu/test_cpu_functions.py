"""The polynomials, over dense samples of all f32 arguments, within the bounds of the language's table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cpu_cases import graph_of, program_of, run_compiled

from uol.backends.cpu.oracle import oracle
from uol.ir.functions import FUNCTIONS

SAMPLES = 400_003
FLUSHED, SMALLEST_NORMAL = ("exp", "exp2"), 2.0**-126
"""0 in place of a subnormal number, which a product would take a hundred cycles to multiply: the contract admits it."""
NAMES = ["exp", "exp2", "log", "tanh", "erf", "sqrt", "rsqrt", "log1p", "expm1", "sin", "cos", "log2"]
TEXT = "op apply(x: T[N]) -> ({results}) for T in (f64, f32) {{ {statements} }}".format(
    results=", ".join(f"{n}_: T[N]" for n in NAMES),
    statements=" ".join(f"{n}_[n] = {n}(x[n])" for n in NAMES),
)


def dense_arguments() -> np.ndarray:
    """Every 10,000th f32 or so from the least to the greatest, and more of those between -110 and 110."""
    bits = np.linspace(0, 0x7F7FFFFF, SAMPLES // 4).astype(np.uint32).view(np.float32)
    near = np.random.default_rng(0).uniform(-110, 110, SAMPLES // 4).astype(np.float32)
    small = np.random.default_rng(1).uniform(-4, 4, SAMPLES - 3 * (SAMPLES // 4)).astype(np.float32)
    return np.concatenate([bits, -bits, near, small])[:SAMPLES]


def errors_in_ulp(values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """|value - exact| in units in the last place of f32 at the exact value; 0 where both are the same infinity or NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(np.float32)
    same = (np.isnan(values) & np.isnan(exact)) | (values == rounded)
    ulp = np.maximum(np.spacing(np.abs(np.where(np.isfinite(rounded), rounded, 1))), np.float32(2.0**-149)).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(values.astype(np.float64) - exact) / ulp
    return np.where(same, 0.0, np.where(np.isnan(error), math.inf, error))


@pytest.fixture(scope="module")
def measured() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    x = dense_arguments()
    return x, run_compiled(graph_of(program_of(TEXT, dims={"N": x.size})), {"x": x})


@pytest.mark.parametrize("name", NAMES)
def test_functions_keep_their_ulp_bounds(name: str, measured: tuple[np.ndarray, dict[str, np.ndarray]]) -> None:
    x, results = measured
    with np.errstate(all="ignore"):
        exact = np.asarray(FUNCTIONS[name].reference(x.astype(np.float64)), np.float64)
    if name in FLUSHED:
        exact = np.where(exact < SMALLEST_NORMAL, 0, exact)
    error = errors_in_ulp(results[f"{name}_"], exact)
    worst = int(np.argmax(error))
    assert error[worst] <= FUNCTIONS[name].ulp["f32"], (
        f"{name}({x[worst]!r}) = {results[f'{name}_'][worst]!r}, {error[worst]} ulp"
    )


SPECIALS = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38, 88.72284, 88.7229, -103.9, -104.1, 1, -1], np.float32
)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_specials(dtype: str) -> None:
    x = SPECIALS.astype(np.float32 if dtype == "f32" else np.float64)
    graph = graph_of(program_of(TEXT, types={"T": dtype}, dims={"N": x.size}))
    kernel, reference = run_compiled(graph, {"x": x}), oracle.run(graph, {"x": x})
    for name in NAMES:
        with np.errstate(all="ignore"):
            exact = FUNCTIONS[name].reference(x.astype(np.float64)).astype(x.dtype)
        for values in (kernel[f"{name}_"], reference[f"{name}_"]):
            np.testing.assert_array_equal(np.isnan(values), np.isnan(exact), name)
            np.testing.assert_array_equal(np.isinf(values), np.isinf(exact), name)
            np.testing.assert_allclose(values, exact, rtol=1e-6, atol=2e-45, err_msg=name)


@pytest.mark.parametrize(("name", "edge"), [("exp", math.log(SMALLEST_NORMAL)), ("exp2", -126.0)])
def test_a_power_is_normal_or_zero(name: str, edge: float) -> None:
    """Arguments next to each other around the one whose power is the smallest normal number."""
    middle = np.float32(edge).view(np.int32)
    x = np.arange(middle - 500, middle + 500, dtype=np.int32).view(np.float32)
    text = f"op power(x: f32[N]) -> (y: f32[N]) {{ y[n] = {name}(x[n]) }}"
    y = run_compiled(graph_of(program_of(text, types={}, dims={"N": x.size})), {"x": x})["y"]
    exact = np.asarray(FUNCTIONS[name].reference(x.astype(np.float64)))
    np.testing.assert_array_equal(y == 0, exact < SMALLEST_NORMAL)
    assert np.all((y == 0) | (y >= np.float32(SMALLEST_NORMAL)))


def test_a_deep_nest_of_functions_compiles_in_time_and_is_right() -> None:
    text = "op deep(x: f32[N]) -> (y: f32[N]) { y[n] = " + "tanh(erf(exp(" * 4 + "x[n]" + ")))" * 4 + " }"
    x = np.linspace(-3, 3, 100, dtype=np.float32)
    expected = x.astype(np.float64)
    for _ in range(4):
        expected = np.tanh(FUNCTIONS["erf"].reference(np.exp(expected)))
    result = run_compiled(graph_of(program_of(text, types={}, dims={"N": 100})), {"x": x})["y"]
    np.testing.assert_allclose(result, expected, rtol=1e-6)
