"""Types by the names of the language, of numpy and of PyTorch, and what a compiled operator says of itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import uol
from uol.ir.types import DTYPES, OTHER_NAMES, type_named
from uol.pytorch.schema import TORCH_TYPES

HALF = ["f16", "float16", torch.float16, np.float16, np.dtype("float16"), {"T": "float16"}, "T=float16"]


@pytest.mark.parametrize("given", HALF)
def test_a_type_is_known_by_any_of_its_names(given: object) -> None:
    assert uol.compile("relu", dtype=given, dims={"S": 4}).request.instance.types == {"T": "f16"}


def test_every_type_has_the_name_that_pytorch_gives_it() -> None:
    assert {type_named(torch_type) for torch_type in TORCH_TYPES.values()} == set(DTYPES)
    assert {type_named(torch_type): name for name, torch_type in TORCH_TYPES.items()} == {name: name for name in DTYPES}
    assert {type_named(np.dtype(name)) for name in OTHER_NAMES if "bfloat" not in name and "float8" not in name} <= set(DTYPES)


@pytest.mark.parametrize("given", ["half", "f31", 3, float])
def test_what_is_no_type_is_named(given: object) -> None:
    with pytest.raises(uol.TypeCheckError, match="relu cannot be of the unknown type") as raised:
        uol.compile("relu", dtype=given, dims={"S": 4})
    assert raised.value.hint == "T is one of f64, f32, f16, bf16"


def test_a_compiled_operator_is_said_in_a_line() -> None:
    sizes = {"N": 1, "C": 64, "H": 56, "W": 56, "O": 64, "R": 3, "S": 3}
    assert repr(uol.compile("conv2d", "hip:mi250x", "f16", sizes)) == (
        "<conv2d for hip:mi250x: T=f16, N=1, C=64, H=56, W=56, O=64, D=64, R=3, S=3>"
    )
    assert repr(uol.compile("softmax", dims={"C": 128})) == "<softmax for cpu:host: T=f32, C=128, *S=_>"


def test_an_error_says_its_kind_once() -> None:
    with pytest.raises(uol.ShapeError) as raised:
        uol.compile("conv2d", dims={"Q": 4})
    assert "ShapeError" not in str(raised.value)
    assert raised.value.report.startswith("ShapeError: ")
