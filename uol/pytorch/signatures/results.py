"""Rewrites of what is given back: named results, one of two, another order."""

from __future__ import annotations

import math
from typing import Any

import torch

from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.shapes import place


@rewrite
def named(call: Call, name: str) -> None:
    """Values and indices by name, as `torch.return_types` has them."""
    kind: Any = getattr(torch.return_types, name)
    call.finishes.insert(0, lambda r: kind(tuple(r)))


@rewrite
def first(call: Call) -> None:
    """The first of two results."""
    call.finishes.insert(0, lambda r: r[0])


@rewrite
def second(call: Call) -> None:
    """The second of two results."""
    call.finishes.insert(0, lambda r: r[1])


@rewrite
def root_of_first(call: Call) -> None:
    """A standard deviation is the root of the variance."""
    call.finishes.append(lambda r: (texts.sqrt(r[0]), r[1]))


@rewrite
def corrected(call: Call, name: str) -> None:
    """What the text takes off the count is a whole number less than it. Any other correction is a factor of the moment that has
    none; where it takes all, PyTorch divides by 0, as it does where there is nothing."""
    given, x, dim = call.args[name], call.args["input"], call.args.get("dim")
    by = 1 if given is None else given
    dims = range(x.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
    count = math.prod(x.shape[place(call.name, d, x.dim())] for d in dims)
    if not count:
        both = call.text == "var_mean"
        call.text = "sum"
        call.without(name)
        call.finishes.append(lambda r: (texts.div(r, 0.0),) * 2 if both else texts.div(r, 0.0))
        return
    if by < count and by == int(by):
        call.args[name] = int(by)
        return
    call.args[name] = 0
    factor = count / (count - by) if by < count else math.inf
    factor = math.sqrt(factor) if call.text == "std" else factor
    call.finishes.append(lambda r: (texts.mul(r[0], factor), r[1]) if isinstance(r, tuple) else texts.mul(r, factor))


@rewrite
def sorted(call: Call) -> None:
    """A whole row in order, and where each value stood: floats that fall by the text of topk, others by that of argsort; the
    order of equal values stays."""
    call.args = {"dim": 0, "descending": False, **call.args}
    x, dim = call.args["input"], place(call.name, call.args["dim"], call.args["input"].dim())
    size = x.shape[dim]
    if call.args["descending"] and x.is_floating_point():
        call.args["size"] = size
        return
    falls = call.args["descending"]
    call.text, call.attributes = "argsort", {"dim": "dim"}
    call.args["input"] = texts.flip(x, dim=dim) if falls else x

    def finish(at: Any) -> Any:
        if falls:
            at = texts.flip(texts.sub(size - 1, at), dim=dim)
        return texts.gather(x.movedim(dim, -1), at.movedim(dim, -1)).movedim(-1, dim), at

    call.finishes.append(finish)


@rewrite
def smallest(call: Call) -> None:
    """The smallest are the largest of the negated."""
    x = call.args["input"]
    if not x.is_floating_point():  # of equal ones PyTorch takes any: the places would differ
        raise call.refuse("whole numbers", "uol.ops.sort(x, descending=True), and its first k")
    if not call.args["largest"]:
        call.args["input"] = texts.neg(x)
        call.finishes.append(lambda r: (texts.neg(r[0]), r[1]))
