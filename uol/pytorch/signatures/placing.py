"""Rewrites of functions that read or write at places: pools with their places, index_put, values into a flat tensor."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from uol.ir.errors import ShapeError
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.families import numbers
from uol.pytorch.signatures.types import cast


@rewrite
def to_places(call: Call, axes: str) -> None:
    """Pictures are rows of places; their size is what the windows of the pool covered, or `output_size=`."""
    x, at, count = call.args["input"], call.args["indices"], int(axes)
    if x.dim() not in (count + 1, count + 2) or x.shape != at.shape:
        message = f"{call.name}: input is {list(x.shape)}, indices {list(at.shape)}"
        raise ShapeError(message, hint=f"equal shapes of {count + 1} or {count + 2} dims")
    kernel = numbers(call.args["kernel_size"], count)
    stride = kernel if call.args["stride"] in (None, (), []) else numbers(call.args["stride"], count)
    pad, asked = numbers(call.args["padding"], count), call.args["output_size"]
    covered = zip(x.shape[-count:], stride, pad, kernel, strict=True)
    size = [(n - 1) * s - 2 * p + k for n, s, p, k in covered] if asked is None else list(asked)[-count:]
    call.args |= {"input": x.flatten(-count), "indices": at.flatten(-count), "places": math.prod(size)}
    call.finishes.append(lambda r: r.reshape(*x.shape[:-count], *size))


@rewrite
def filled_like(call: Call, name: str, shape: str, kind: str) -> None:
    """A number for all places is a tensor of it."""
    if not isinstance(call.args[name], Tensor):
        call.args[name] = call.args[kind].new_full(call.args[shape].shape, call.args[name])


@rewrite
def at_places(call: Call, name: str, indices: str, values: str) -> None:
    """`x[i, j] = z` of the first dims is rows of a matrix: their places are counted row by row, and broadcast."""
    x, given, z = call.args[name], call.args[indices], call.args[values]
    if not given or any(not isinstance(at, Tensor) or at.dtype is torch.bool or at.dtype is torch.uint8 for at in given):
        raise call.refuse("an index that is None or a mask", "uol.ops.where, or mask.nonzero(as_tuple=True)")
    count = len(given)
    if count > x.dim():
        raise ShapeError(f"{call.name}: {count} indices for {x.dim()} dims", hint="one for each of the first dims")
    lead, rest = torch.broadcast_shapes(*[at.shape for at in given]), x.shape[count:]
    where: Any = 0
    for at, size in zip(given, x.shape, strict=False):
        at = cast(at, torch.int64)
        where = where * size + torch.where(at < 0, at + size, at)
    rows = (math.prod(x.shape[:count]), math.prod(rest))
    call.args |= {
        name: x.reshape(rows),
        indices: where.expand(lead).reshape(-1),
        values: z.expand(*lead, *rest).reshape(math.prod(lead), rows[1]),
    }
    call.finishes.append(lambda r: r.reshape(x.shape))
