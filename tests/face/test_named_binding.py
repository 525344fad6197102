"""Dims, dtypes and attributes as users name them, and what is said when they do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from uol.binding.instance import Instance
from uol.binding.named_binding import bind_names
from uol.ir.errors import ShapeError, TypeCheckError, UolError
from uol.ir.syntax.parser import parse
from uol.operators.registry import find_operator

CONV = {"N": 1, "C": 8, "H": 9, "W": 9, "O": 4, "D": 8, "R": 3, "S": 3}


def bind(name: str, dims: dict, attrs: dict | None = None, dtype: object = "f32") -> Instance:
    return bind_names(find_operator(name), dtype, dims, attrs or {})


@pytest.mark.parametrize(
    ("dims", "sizes"),
    [
        ({"S": (8, 16), "C": 4}, (8, 16)),
        ({"S": 8, "C": 4}, (8,)),
        ({"S": (), "C": 4}, ()),
        ({"S_0": 2, "S_1": 3, "C": 4}, (2, 3)),
        ({"S": [0, 5], "C": 4}, (0, 5)),
    ],
)
def test_a_pack_is_named_in_any_of_these_ways(dims: dict, sizes: tuple) -> None:
    instance = bind("softmax", dims)
    assert instance.packs == {"S": sizes}
    assert instance.shape(instance.op.params[0]) == (*sizes, 4)


def test_dims_of_packs_have_the_names_of_the_program() -> None:
    assert bind("softmax", {"S": (2, 3), "C": 4}).flat_dims == {"C": 4, "S_0": 2, "S_1": 3}
    assert bind("softmax", {"S": 7, "C": 4}).flat_dims == {"C": 4, "S": 7}


def test_defaults_follow_other_attributes() -> None:
    attrs = bind("conv2d", CONV, {"stride": 2, "pad_top": 1}).attrs
    assert (attrs["stride_h"], attrs["stride_w"], attrs["pad_bottom"], attrs["pad_left"]) == (2, 2, 1, 0)


def test_shapes_of_results() -> None:
    instance = bind("conv2d", CONV, {"stride": 2, "pad": 1})
    assert instance.shape(instance.op.results[0]) == (1, 4, 5, 5)


def test_dtypes_one_by_one() -> None:
    assert bind("cast", {"S": 3}, dtype="T=f16, U=i32").types == {"T": "f16", "U": "i32"}
    assert bind("cast", {"S": 3}, dtype={"T": "f16", "U": "i32"}).types == {"T": "f16", "U": "i32"}


def test_attributes_may_be_numbers_of_numpy() -> None:
    attrs = bind("conv2d", CONV, {"stride": np.int64(2)}).attrs
    assert attrs["stride_h"] == 2
    assert type(attrs["stride"]) is int
    eps = bind("layer_norm", {"S": 3, "C": 4}, {"eps": np.float32(0.5)}).attrs["eps"]
    assert (eps, type(eps)) == (0.5, float)


FLOATS = "T is one of f64, f32, f16, bf16"
POOL = {"N": 1, "C": 1, "H": 4, "W": 4}
WHOLE = "not a whole number"
S4 = {"S": 4}

BAD = [  # operator, dims, attributes, dtype, error, message, how the hint begins
    ("softmx", {}, {}, "f32", UolError, "unknown operator 'softmx'", "did you mean softmax"),
    ("qqq", {}, {}, "f32", UolError, "unknown operator 'qqq'", "`uol list` shows the operators"),
    ("softmax", S4, {}, "f32", ShapeError, "softmax needs a size for C", "its dims are C; for example C=64"),
    ("softmax", {"C": 4}, {}, "f32", ShapeError, "softmax needs the sizes of *S", "write S=64 for one dim, S=8x128 for two"),
    ("softmax", {"R": 4, "c": 8}, {}, "f32", ShapeError, "softmax has no dim 'R'", "its dims are C, *S"),
    ("linear", {"S": 1, "K": 2, "N": 3, "M": 4}, {}, "f32", ShapeError, "linear has no dim 'M'", "its dims are K, N, *S"),
    ("softmax", {"S": 4, "c": 8}, {}, "f32", ShapeError, "softmax has no dim 'c'", "did you mean C?"),
    ("attention", {"HEADS": 4}, {}, "f32", ShapeError, "attention has no dim 'HEADS'", "its dims are B, H, L, D, G, M, E"),
    ("conv2d", {"N1": 4}, {}, "f32", ShapeError, "conv2d has no dim 'N1'", "did you mean N?"),
    ("softmax", {**S4, "C": -1}, {}, "f32", ShapeError, "softmax: the size of C is -1", "a size is 0 or more"),
    ("softmax", {"S": (4, -2), "C": 1}, {}, "f32", ShapeError, "softmax: the size of S is -2", "a size is 0 or more"),
    ("softmax", {**S4, "C": 2.0}, {}, "f32", ShapeError, f"softmax: the size of C is 2.0, {WHOLE}", "write C=64"),
    ("softmax", {**S4, "C": True}, {}, "f32", ShapeError, f"softmax: the size of C is True, {WHOLE}", "write C=64"),
    ("softmax", {**S4, "C": "8"}, {}, "f32", ShapeError, f"softmax: the size of C is '8', {WHOLE}", "write C=64"),
    ("relu", S4, {}, "i32", TypeCheckError, "relu does not admit 'i32' for T", FLOATS),
    ("relu", S4, {}, "U=f32", TypeCheckError, "relu has no type variable 'U'", "its type variables are T"),
    ("cast", S4, {}, {"T": "f32"}, TypeCheckError, "cast needs a dtype for U", 'write "T=f64,U=f64"'),
    ("cast", S4, {}, "T=f32,f16", TypeCheckError, "cannot read the dtypes 'T=f32,f16' of cast", 'write "f16", or'),
    ("conv2d", CONV, {"strid": 2}, "f32", ShapeError, "conv2d has no attribute 'strid'", "did you mean stride"),
    ("conv2d", CONV, {"stride": 1.5}, "f32", ShapeError, "conv2d: the attribute stride is int, not 1.5", "write stride=2"),
    ("rms_norm", {**S4, "C": 2}, {"eps": "x"}, "f32", ShapeError, "rms_norm: the attribute eps is float, not 'x'", "write eps"),
    ("max_pool2d", POOL, {}, "f32", ShapeError, "max_pool2d needs the attribute 'kernel'", "give it: kernel=3"),
]


@pytest.mark.parametrize(("name", "dims", "attrs", "dtype", "error", "message", "hint"), BAD, ids=[case[5] for case in BAD])
def test_what_does_not_fit_is_said(
    name: str, dims: dict, attrs: dict, dtype: object, error: type[UolError], message: str, hint: str
) -> None:
    with pytest.raises(error) as caught:
        bind(name, dims, attrs, dtype)
    assert type(caught.value) is error
    assert caught.value.message == message
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_a_where_clause_is_shown_at_its_place() -> None:
    with pytest.raises(ShapeError) as caught:
        bind("conv2d", CONV, {"groups": 3})
    assert caught.value.message == "conv2d needs C == D * groups, but C = 8, D = 8, groups = 3"
    assert caught.value.hint == "the left side is 8, the right side is 24"
    assert caught.value.span is not None
    assert caught.value.span.file.endswith("conv.uol")
    assert "^" in str(caught.value)


def test_a_divisor_of_zero_is_shown_at_its_place() -> None:
    op = parse("op f(x: f32[N]; k: int = 1) -> (y: f32[N / k]) { y[i] = x[i] else 0 }")[0]
    with pytest.raises(ShapeError, match="division by zero") as caught:
        bind_names(op, None, {"N": 4}, {"k": 0})
    assert ":1:40:" in str(caught.value)


def test_a_negative_result_is_refused() -> None:
    op = parse("op f(x: f32[N]) -> (y: f32[N - 4]) { y[i] = x[i] }")[0]
    with pytest.raises(ShapeError) as caught:
        bind_names(op, None, {"N": 1}, {})
    assert caught.value.message == "f: y would have size -3 along N - 4, with N = 1"
