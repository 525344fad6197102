"""The table of built-ins: references against Python's own functions, exactness, NaN, and that every one runs in a text."""

import math

import numpy as np
import pytest

from uol.ir import Library, instantiate, interpret, parse
from uol.ir.functions import FUNCTIONS
from uol.ir.types import DTYPES

PYTHON = {
    "exp": math.exp, "exp2": lambda x: 2.0**x, "expm1": math.expm1, "log": math.log, "log2": math.log2,
    "log1p": math.log1p, "sqrt": math.sqrt, "rsqrt": lambda x: 1 / math.sqrt(x), "sin": math.sin, "cos": math.cos,
    "tanh": math.tanh, "erf": math.erf,
    "pow": math.pow, "abs": abs, "floor": math.floor, "ceil": math.ceil, "round": round, "max": max, "min": min,
}  # fmt: skip


def test_the_table_is_closed() -> None:
    assert set(FUNCTIONS) == set(PYTHON)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_reference_and_text(name: str) -> None:
    function = FUNCTIONS[name]
    x = np.array([0.25, 0.5, 1.0, 2.5, 3.5, 7.3])
    args = [x, x[::-1].copy()][: function.arity]
    expected = [PYTHON[name](*point) for point in zip(*args, strict=True)]
    np.testing.assert_allclose(function.reference(*args), expected, rtol=4e-16)
    inputs = ", ".join(f"{n}: f64[N]" for n in "ab"[: function.arity])
    reads = ", ".join(f"{n}[i]" for n in "ab"[: function.arity])
    op = parse(f"op f({inputs}) -> (y: f64[N]) {{ y[i] = {name}({reads}) }}")[0]
    program = instantiate(op, Library(), types={}, dims={"N": 6})
    found = interpret(program, dict(zip("ab", args, strict=False)))["y"]
    np.testing.assert_allclose(found, expected, rtol=4e-16)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_nan_goes_in_and_comes_out(name: str) -> None:
    function = FUNCTIONS[name]
    args = [np.array([np.nan, 2.0]), np.array([3.0, np.nan])][: function.arity]
    with np.errstate(all="ignore"):
        assert np.isnan(function.reference(*args)[: function.arity]).all()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_bounds_are_there_for_every_float(name: str) -> None:
    assert set(FUNCTIONS[name].ulp) == {d for d, info in DTYPES.items() if info.kind == "float"}
    assert all(0 <= bound <= 8 for bound in FUNCTIONS[name].ulp.values())
    assert FUNCTIONS[name].domain


def test_round_is_half_to_even() -> None:
    assert FUNCTIONS["round"].reference(np.array([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0, 2, 2, 0, -2]


def test_empty_arrays() -> None:
    for function in FUNCTIONS.values():
        assert function.reference(*[np.zeros(0)] * function.arity).shape == (0,)


def test_integers() -> None:
    op = parse(
        "op f(a: i32[N], b: i32[N]) -> (y: i32[N], z: i32[N]) { y[i] = max(a[i], b[i], 0); z[i] = abs(min(a[i], b[i])) }"
    )[0]
    found = interpret(
        instantiate(op, Library(), types={}, dims={"N": 3}), {"a": np.array([1, -5, -3]), "b": np.array([4, -2, 9])}
    )
    assert found["y"].tolist() == [4, 0, 9]
    assert found["z"].tolist() == [1, 5, 3]
