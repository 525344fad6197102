"""Rewrites of arguments that may be missing, and of those that choose among texts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from uol.ir.errors import ShapeError
from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite


@rewrite
def filled(call: Call, name: str, value: str, like: str, dim: str) -> None:
    """A missing tensor is one of this value, as long as a dim of another."""
    if call.args[name] is None:
        x, at = call.args[like], int(dim)
        if not x.numel() and at >= x.dim():
            at = -1  # of no elements, which any number of values fits
        if not -x.dim() <= at < x.dim():
            raise ShapeError(f"{call.name}: {like} has {x.dim()} dims", hint=f"{name} is as long as its dim {dim}")
        call.args[name] = x.new_full((x.shape[at],), float(value))


@rewrite
def without(call: Call, name: str, text: str) -> None:
    """Without this argument it is another text."""
    if call.args[name] is None:
        call.text = text
        call.without(name)


@rewrite
def given(call: Call, name: str, shape: str) -> None:
    """With a tensor in this place it is another text: `choose(mask,value,input)`."""
    value = call.args[name]
    if isinstance(value, Tensor):
        text, _, inputs = shape.removesuffix(")").partition("(")
        call.text, call.tensors, call.attributes = text, inputs.split(","), {}


@rewrite
def variant(call: Call, name: str, value: str, text: str) -> None:
    """With this value it is another text."""
    if str(call.args[name]) == value:
        call.text = text


@rewrite
def unsaid(call: Call, name: str) -> None:
    """None, or nothing in a list, is left to the text's default."""
    value: Any = call.args[name]
    if value is None or (isinstance(value, tuple | list) and not value):
        call.without(name)


@rewrite
def reduced(call: Call) -> None:
    """`size_average=` and `reduce=`, which were before `reduction=`."""
    average, reduce = call.args["size_average"], call.args["reduce"]
    if average is not None or reduce is not None:
        call.args["reduction"] = "none" if reduce is False else "sum" if average is False else "mean"


@rewrite
def weighted(call: Call, name: str) -> None:
    """A weight of each element: the elements of the loss, times it, reduced."""
    weight, how = call.args[name], call.args["reduction"]
    if weight is None:
        return
    call.args["reduction"] = "none"

    def finish(each: Tensor) -> Any:
        scaled = texts.mul(each, weight)
        return scaled if how == "none" else getattr(texts, how)(scaled, dim=None)

    call.finishes.append(finish)


@rewrite
def inplace(call: Call) -> None:
    """`inplace=True` writes the result over the input, and gives it."""
    if not isinstance(call.args["inplace"], bool):
        raise call.refuse("a second tensor", f"{call.name}(input)")
    if call.args["inplace"]:
        call.finishes.append(call.args["input"].copy_)


@rewrite
def epsilon(call: Call) -> None:
    """Without one it is the input's machine epsilon."""
    if call.args["eps"] is None:
        call.args["eps"] = torch.finfo(call.args["input"].dtype).eps
