"""Rewrites of functions that are several texts here: places beside running extrema, medians with places, distinct values."""

from __future__ import annotations

from typing import Any

import torch

from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.shapes import place


@rewrite
def running_place(call: Call) -> None:
    """The extremum so far, and the last place where it stood."""
    x, kind = call.args["input"], torch.return_types.cummax if call.name == "cummax" else torch.return_types.cummin
    dim = place(call.name, call.args["dim"], x.dim())
    call.args["input"] = x.detach()

    def finish(extremum: Any) -> Any:
        own = texts.eq(x.detach(), extremum)
        if x.is_floating_point():
            own = texts.logical_or(own, texts.isnan(x.detach()))
        counted = torch.arange(x.shape[dim], device=x.device).reshape(-1, *[1] * (x.dim() - dim - 1))
        at = texts.cummax(texts.choose(own, counted.expand(x.shape), 0), dim=dim)
        values = texts.gather(x.movedim(dim, -1), at.movedim(dim, -1)).movedim(-1, dim)
        return values, at

    call.finishes.insert(0, lambda r: kind(tuple(r)))
    call.finishes.append(finish)


@rewrite
def times_over(call: Call, number: str) -> None:
    """The text runs so many times, the last time last. Where it does not run nothing is put before or behind."""
    count, options = call.args[number], {"dim": call.args["dim"]}
    if count == 0:
        call.args |= {"prepend": None, "append": None}
        call.text, call.attributes = "cast", {"dtype": number}
        call.args[number] = call.args["input"].dtype
    for _ in range(count - 1):
        call.finishes.append(lambda r: getattr(texts, call.name)(r, **options))


@rewrite
def averaged(call: Call, mode: str, name: str) -> None:
    """The mean of what is a sum in the text."""
    count = call.args[name].shape[-1]
    if call.args[mode] == "mean" and count:
        call.finishes.append(lambda r: texts.div(r, float(count)))


@rewrite
def fixed_row(call: Call, row: str, name: str) -> None:
    """A row that has no gradient."""
    at, fixed = call.args[name], call.args[row]
    if fixed is not None:
        fixed = fixed % call.args["weight"].shape[0]
        call.finishes.append(lambda r: texts.choose(texts.eq(at, fixed)[..., None], r.detach(), r))


@rewrite
def drawn(call: Call, seed: str) -> None:
    """A seed from PyTorch's generator, where none is given; nothing is drawn outside of training."""
    if not call.args["training"]:
        call.text, call.attributes = "cast", {"dtype": seed}
        call.args[seed] = call.args["input"].dtype
    elif call.args[seed] is None:
        call.args[seed] = int(torch.randint(2**62, ()))


@rewrite
def to_decimals(call: Call, name: str) -> None:
    """A number is rounded to this many digits behind the point, or before it where they are negative: times a power of ten it
    is rounded to a whole number."""
    digits = call.args[name]
    if digits:
        ten = float(10 ** abs(digits))
        there, back = (texts.mul, texts.div) if digits > 0 else (texts.div, texts.mul)
        call.args["input"] = there(call.args["input"], ten)
        call.finishes.append(lambda r: back(r, ten))


@rewrite
def over_last(call: Call, left: str, right: str) -> None:
    """Rows of one tensor against rows of another; a tensor without dims is a factor of each element."""
    a, b = call.args[left], call.args[right]
    if a.dim() == 0 or b.dim() == 0:
        call.text = "mul"
        return
    lead = (*a.shape[:-1], *b.shape[:-1])
    call.args |= {left: a.reshape(-1, a.shape[-1]), right: b.reshape(-1, b.shape[-1]).t()}
    call.finishes.append(lambda r: r.reshape(lead))
