"""The admitted interval of values that are no f32: indices from data, integers in half precision, narrow arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.ir import Library, UolError, instantiate, parse
from uol.ir.program.rounding import round_to


def admitted(text: str, dims: dict[str, int], types: dict[str, str] | None = None, **inputs: np.ndarray) -> Enclosed:
    program = instantiate(parse(text)[0], Library(), types=types or {}, dims=dims)
    return enclose(program, inputs, {}, contract("a target without overrides"))


def test_data_may_be_an_index() -> None:
    text = "op f(x: f32[N], at: i32[M]) -> (y: f32[M]) { y[m] = x[at[m]] else 5 }"
    found = admitted(text, {"N": 3, "M": 4}, x=np.array([1.0, 2.0, 3.0]), at=np.array([2, 0, -1, 7]))["y"]
    assert found.value.tolist() == found.low.tolist() == [3, 1, 5, 5]


def test_an_index_that_depends_on_rounding_cannot_be_judged() -> None:
    text = "op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[i32(x[n] * 0.7)] else 0 }"
    with pytest.raises(UolError, match="depends on rounding"):
        admitted(text, {"N": 2}, x=np.array([10.0, 0.3]))


def test_an_integer_is_rounded_to_a_narrow_type_where_it_is_cast() -> None:
    text = "op f(q: i32[N]) -> (y: f32[N]) { y[n] = f32(f16(q[n])) }"
    found = admitted(text, {"N": 3}, q=np.array([2049, 70000, -3]))["y"]
    assert found.value.tolist() == [2048, np.inf, -3]


def test_what_no_cast_rounds_may_be_rounded_or_not() -> None:
    """A kernel may keep x + w of f16 in f32, or put it into memory as f16."""
    text = "op f(x: T[N], w: T[N]) -> (y: f32[N]) for T in (f16, f32) { t[n] = x[n] + w[n]\n y[n] = f32(t[n]) }"
    x, w = np.array([1.0]), np.array([2.0**-12])
    found = admitted(text, {"N": 1}, {"T": "f16"}, x=x, w=w)["y"]
    exact, rounded = float(x[0] + w[0]), float(round_to(x + w, "f16")[0])
    assert (found.low[0], found.high[0]) == (min(exact, rounded), max(exact, rounded))


def test_nothing_is_evaluated_of_an_empty_result() -> None:
    """The access is proven in range because no element is computed."""
    text = "op f(x: f32[M], e: f32[N]) -> (y: f32[N]) { y[n] = e[n] + sum[m < M](x[m + 5] else 0) }"
    found = admitted(text, {"M": 3, "N": 0}, x=np.ones(3), e=np.ones(0))["y"]
    assert found.value.shape == (0,)
