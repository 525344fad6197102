"""Arguments of the wrong kind: a UolError that says what was expected, never what Python stumbled over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import uol

pytestmark = pytest.mark.usefixtures("own_cache")

S4 = {"S": 4}
NORM = {"S": 4, "C": 3}
ROWS = {"x": np.ones((4, 3), np.float32), "gamma": np.ones(3, np.float32)}
TEXT = "op never_there(x: f32[N]) -> (y: f32[N]) {{ y[i] = x[i] }}"


def relu() -> uol.Compiled:
    return uol.compile("relu", dims=S4)


BAD: dict[str, Callable[[], object]] = {  # message: how the help begins
    "text is None, not the text of an operator": lambda: uol.op(None),
    "text is b'op', not the text of an operator": lambda: uol.op(b"op"),
    "reference is 3, not a function": lambda: uol.op(TEXT, reference=3),
    "file is 3, not a name": lambda: uol.op(TEXT, file=3),
    "op is None, not an operator or its name": lambda: uol.compile(None),
    "op is ['relu'], not an operator or its name": lambda: uol.compile(["relu"], dims=S4),
    "target is None, not a name": lambda: uol.compile("relu", None),
    "target is 3, not a name": lambda: uol.compile("relu", 3, dims=S4),
    "relu cannot be of the unknown type '3' for T": lambda: uol.compile("relu", dtype=3, dims=S4),
    "relu cannot be of the unknown type '4' for T": lambda: uol.compile("relu", dtype={"T": 4}, dims=S4),
    "relu has no type variable 3": lambda: uol.compile("relu", dtype={3: "f32"}, dims=S4),
    "dims is 3, not a dict": lambda: uol.compile("relu", dims=3),
    "dims is [('S', 4)], not a dict": lambda: uol.compile("relu", dims=[("S", 4)]),
    "a name in dims is 3, not a text": lambda: uol.compile("relu", dims={3: 4}),
    "relu: the size of S is 4.5, not a whole number": lambda: uol.compile("relu", dims={"S": 4.5}),
    "relu: the size of S is '', not a whole number": lambda: uol.compile("relu", dims={"S": ""}),
    "relu: the size of S is {4}, not a whole number": lambda: uol.compile("relu", dims={"S": {4}}),
    "relu: the size of S is array([4, 5]), not a whole number": lambda: uol.compile("relu", dims={"S": np.array([4, 5])}),
    "attrs is 3, not a dict": lambda: uol.compile("rms_norm", dims=NORM, attrs=3),
    "a name in attrs is 3, not a text": lambda: uol.compile("rms_norm", dims=NORM, attrs={3: 3}),
    "rms_norm: the attribute eps is float, not None": lambda: uol.compile("rms_norm", dims=NORM, attrs={"eps": None}),
    "strides is 3, not a dict": lambda: uol.compile("relu", dims=S4, strides=3),
    "strides['x'] is 3, not a tuple": lambda: uol.compile("relu", dims=S4, strides={"x": 3}),
    "relu: the strides ('a',) of x are not whole numbers of 0 or more": (
        lambda: uol.compile("relu", dims=S4, strides={"x": ("a",)})
    ),
    f"relu: the strides ({2**62},) of x are beyond 64-bit addresses": (
        lambda: uol.compile("relu", dims=S4, strides={"x": (2**62,)})
    ),
    "path is None, not a folder's path": lambda: relu().bundle(None),
    "the argument of run is None, not a dict": lambda: relu().run(None),
    "a name in the argument of run is 3, not a text": lambda: relu().run({3: np.ones(4, np.float32)}),
    "relu: x is a NoneType, not a numpy array": lambda: relu()(None),
    "rms_norm: the attribute eps is float, not 'x'": lambda: uol.compile("rms_norm", dims=NORM).run(ROWS, eps="x"),
}


@pytest.mark.parametrize("message", BAD)
def test_what_was_expected_is_said(message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(uol.UolError) as raised:
        BAD[message]()
    assert raised.value.message == message
    assert raised.value.hint or "strides (" in message
    assert list(tmp_path.glob("*-cpu-*")) == []


def test_a_long_value_is_named_by_its_type() -> None:
    with pytest.raises(uol.UolError, match="dims is of type list, not a dict"):
        uol.compile("relu", dims=list(range(100)))


def test_what_uol_op_gave_is_an_operator() -> None:
    thrice = uol.op("op thrice_given(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] * 3.0 }")
    assert uol.compile(thrice, dims={"N": 2})(np.array([1, 2], np.float32)).tolist() == [3, 6]
