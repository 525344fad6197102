"""Rewrites of functions that are several texts here: places beside running extrema, medians with places, distinct values."""

from __future__ import annotations

import math
from typing import Any

import torch

from uol.ir.errors import ShapeError
from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.shapes import place
from uol.pytorch.signatures.types import promoted


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
        promoted(call, f"{left},{right}")
        call.text = "mul"
        return
    lead = (*a.shape[:-1], *b.shape[:-1])
    call.args |= {left: a.reshape(-1, a.shape[-1]), right: b.reshape(-1, b.shape[-1]).t()}
    call.finishes.append(lambda r: r.reshape(lead))


@rewrite
def with_copies(call: Call, repeats: str) -> None:
    """Each element as often as a tensor says: its place stands so often in an index."""
    times, dim = call.args[repeats], call.args["dim"]
    if isinstance(times, torch.Tensor) and times.numel() == 1:
        times = call.args[repeats] = int(times)
    if not isinstance(times, torch.Tensor):
        call.text, call.tensors, call.attributes = "repeat_interleave", ["input"], {"times": repeats, "dim": "dim"}
        if times == 0:
            call.text, call.attributes = "slice", {"start": "0", "stop": "0", "dim": "dim"}
        return
    x = call.args["input"]
    along = place(call.name, dim, x.dim())
    if times.numel() != x.shape[along]:
        raise ShapeError(f"{call.name}: {times.numel()} {repeats} for {x.shape[along]} elements", hint="one for each")
    call.args |= {"input": x.movedim(along, 0), repeats: copies(times, call.args["output_size"])}
    call.finishes.append(lambda r: r.movedim(0, along))


def copies(times: torch.Tensor, size: int | None) -> Any:
    """Each number from 0 as often as `times` says; `size` is their sum, which is computed where it is not known."""
    ends = texts.cumsum(texts.cast(times, dtype=torch.int64))
    count = size if size is not None else int(ends[-1]) if ends.numel() else 0
    return texts.searchsorted_right(ends, torch.arange(count, device=times.device))


@rewrite
def places_so_often(call: Call, repeats: str) -> None:
    """Of repeats alone: the places themselves."""
    call.args[repeats] = copies(call.args[repeats], call.args["output_size"])
    call.args["output_size"] = torch.int64


@rewrite
def from_zero(call: Call) -> None:
    """An end alone is counted to from 0, in steps of 1."""
    call.args |= {"start": 0, "step": 1}


@rewrite
def counted_out(call: Call) -> None:
    """Numbers a step apart: whole numbers by the text, which any other start and step are a product and a sum of. Their type is
    that of the arguments where none is given."""
    start, end, step = (call.args[name] for name in ("start", "end", "step"))
    if step == 0 or (end - start) * step < 0:
        raise ShapeError(f"{call.name}: from {start} to {end} by {step}", hint="the step leads to the end")
    dtype = call.args["dtype"]
    if dtype is None:
        whole = all(isinstance(n, int) for n in (start, end, step))
        dtype = torch.int64 if whole else torch.get_default_dtype()
    elif not dtype.is_floating_point:
        start, end, step = int(start), int(end), int(step)
    device = call.args["device"] or torch.get_default_device()
    own = dtype if dtype in (torch.float64, torch.float32, torch.int64, torch.int32) else torch.float32
    own = own if dtype.is_floating_point or own is not torch.float32 else torch.int32
    call.args |= {"like": torch.empty(0, dtype=own, device=device), "count": math.ceil((end - start) / step), "dtype": dtype}
    by = call.args["requires_grad"]
    call.finishes.append(lambda r: r.requires_grad_() if by else r)
    if own != dtype:
        call.finishes.append(lambda r: texts.cast(r, dtype=dtype))
    if start != 0:
        call.finishes.append(lambda r: texts.add(r, start))
    if step != 1:
        call.finishes.append(lambda r: texts.mul(r, step))
