"""The table of built-ins: references against Python's own functions, exactness, NaN, and that every one runs in a text."""

import math
import re

import numpy as np
import pytest

from uol.ir import Library, instantiate, interpret, parse
from uol.ir.errors import TypeCheckError
from uol.ir.functions import FUNCTIONS
from uol.ir.types import DTYPES, integer_range

INTEGERS = [0, 1, -1, 5, -7, 63, 64, 2**31, -(2**31), 2**63 - 1, -(2**63)]
OF_BITS = {
    "bit_and": lambda a, b: a & b, "bit_or": lambda a, b: a | b, "bit_xor": lambda a, b: a ^ b, "bit_not": lambda a: ~a,
    "shift_left": lambda a, b: a << b if 0 <= b < 64 else 0, "shift_right": lambda a, b: a >> (b if 0 <= b < 64 else 64),
}  # fmt: skip
PYTHON = {
    "exp": math.exp, "exp2": lambda x: 2.0**x, "expm1": math.expm1, "log": math.log, "log2": math.log2,
    "log1p": math.log1p, "sqrt": math.sqrt, "rsqrt": lambda x: 1 / math.sqrt(x), "sin": math.sin, "cos": math.cos,
    "tanh": math.tanh, "erf": math.erf,
    "pow": math.pow, "abs": abs, "floor": math.floor, "ceil": math.ceil, "round": round, "max": max, "min": min,
}  # fmt: skip


def test_the_table_is_closed() -> None:
    assert set(FUNCTIONS) == {*PYTHON, *OF_BITS}


@pytest.mark.parametrize("name", sorted(PYTHON))
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


@pytest.mark.parametrize("name", sorted(PYTHON))
def test_nan_goes_in_and_comes_out(name: str) -> None:
    function = FUNCTIONS[name]
    args = [np.array([np.nan, 2.0]), np.array([3.0, np.nan])][: function.arity]
    with np.errstate(all="ignore"):
        assert np.isnan(function.reference(*args)[: function.arity]).all()


@pytest.mark.parametrize("name", sorted(PYTHON))
def test_bounds_are_there_for_every_float(name: str) -> None:
    assert set(FUNCTIONS[name].ulp) == {d for d, info in DTYPES.items() if info.kind == "float"}
    assert all(0 <= bound <= 8 for bound in FUNCTIONS[name].ulp.values())
    assert FUNCTIONS[name].domain


def test_round_is_half_to_even() -> None:
    assert FUNCTIONS["round"].reference(np.array([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0, 2, 2, 0, -2]


def test_empty_arrays() -> None:
    for function in FUNCTIONS.values():
        assert function.reference(*[np.zeros(0, float if function.ulp else int)] * function.arity).shape == (0,)


def test_integers() -> None:
    op = parse(
        "op f(a: i32[N], b: i32[N]) -> (y: i32[N], z: i32[N]) { y[i] = max(a[i], b[i], 0); z[i] = abs(min(a[i], b[i])) }"
    )[0]
    found = interpret(
        instantiate(op, Library(), types={}, dims={"N": 3}), {"a": np.array([1, -5, -3]), "b": np.array([4, -2, 9])}
    )
    assert found["y"].tolist() == [4, 0, 9]
    assert found["z"].tolist() == [1, 5, 3]


@pytest.mark.parametrize("dtype", ["i64", "i32", "i16", "i8", "u8"])
@pytest.mark.parametrize("name", OF_BITS)
def test_bits_of_every_integer_type_are_python_s(name: str, dtype: str) -> None:
    least, greatest = integer_range(dtype)
    wrapped = sorted({(v - least) % (greatest - least + 1) + least for v in (*INTEGERS, 7, 8, 15, 31, 32)})
    a, b = (side.ravel() for side in np.meshgrid(wrapped, wrapped))
    arity = FUNCTIONS[name].arity
    params, reads = (", ".join(form.format(n) for n in "ab"[:arity]) for form in (f"{{}}: {dtype}[N]", "{}[i]"))
    op = parse(f"op f({params}) -> (y: {dtype}[N]) {{ y[i] = {name}({reads}) }}")[0]
    found = interpret(instantiate(op, Library(), types={}, dims={"N": len(a)}), {"a": a, "b": b})["y"]
    exact = [OF_BITS[name](*map(int, point)) for point in zip(*(a, b)[:arity], strict=True)]
    assert found.tolist() == [(v - least) % (greatest - least + 1) + least for v in exact]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("shift_left(1, 40)", 2**40),
        ("shift_left(3, 63)", -(2**63)),
        ("shift_left(1, -1)", 0),
        ("shift_right(-9, 1)", -5),
        ("shift_right(-9, 64)", -1),
        ("bit_not(9223372036854775807)", -(2**63)),
        ("bit_xor(bit_or(12, 3), bit_and(N, 6))", 11),
    ],
)
def test_bits_of_numbers_are_folded(text: str, value: int) -> None:
    op = parse(f"op f(x: i64[N]) -> (y: i64[N]) {{ y[i] = {text} }}")[0]
    program = instantiate(op, Library(), types={}, dims={"N": 4})
    assert interpret(program, {"x": np.zeros(4, np.int64)})["y"].tolist() == [value] * 4


def test_bits_of_truth_values_are_logic() -> None:
    text = """op f(a: bool[N], b: bool[N]) -> (p: bool[N], q: bool[N], r: bool[N], s: bool[N]) {
      p[i] = bit_and(a[i], b[i])  q[i] = bit_or(a[i], b[i])  r[i] = bit_xor(a[i], b[i])  s[i] = bit_not(a[i])
    }"""
    a, b = np.array([False, False, True, True]), np.array([False, True, False, True])
    found = interpret(instantiate(parse(text)[0], Library(), types={}, dims={"N": 4}), {"a": a, "b": b})
    for name, exact in zip("pqrs", (a & b, a | b, a ^ b, ~a), strict=True):
        assert found[name].tolist() == exact.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y[i] = f64(bit_and(x[i], x[i]))", "`bit_and` is not for f64"),
        ("y[i] = x[bit_xor(i, 1)] else 0", "`bit_xor` is not for idx"),
        ("y[i] = bit_and(N, 3)", "`bit_and` is for integers with a number of bits; an f64 is needed here"),
        ("y[i] = select(exp(2) > bit_or(1, 2), x[i], 0)", "`bit_or` is for integers with a number of bits; an f64 is needed"),
    ],
)
def test_bits_of_what_has_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(TypeCheckError, match=re.escape(message)):
        instantiate(parse(f"op f(x: f64[N]) -> (y: f64[N]) {{ {text} }}")[0], Library(), types={}, dims={"N": 4})


@pytest.mark.parametrize(("text", "value"), [("exp(0) > 0.5", 1), ("max(N, 3) == 4", 1), ("shift_left(1, 40) > 5", 1)])
def test_free_comparisons_have_the_type_that_their_functions_have(text: str, value: int) -> None:
    op = parse(f"op f(x: i32[N]) -> (y: i32[N]) {{ y[i] = select({text}, 1, 0) }}")[0]
    found = interpret(instantiate(op, Library(), types={}, dims={"N": 4}), {"x": np.zeros(4, np.int64)})["y"]
    assert found.tolist() == [value] * 4
