"""Rewrites of functions that read or write at places: pools with their places, index_put, values into a flat tensor."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from uol.ir.errors import ShapeError
from uol.ops import text as texts
from uol.pytorch.devices import HOST
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.families import numbers
from uol.pytorch.signatures.shapes import place
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
    """`x[i, :, j] = z` is rows of a matrix: the dims that have an index come first, and places are counted row by row. A
    mask is an index for each of its dims."""
    x, z = call.args[name], call.args[values]
    given = _spelt_out(call.args[indices])
    chosen = [dim for dim, at in enumerate(given) if at is not None]
    if not chosen or len(given) > x.dim():
        raise ShapeError(f"{call.name}: {len(chosen)} indices for {x.dim()} dims", hint="one for each of the first dims")
    others = [dim for dim in range(x.dim()) if dim not in chosen]
    lead = torch.broadcast_shapes(*[given[dim].shape for dim in chosen])
    rest = [x.shape[dim] for dim in others]
    where: Any = 0
    for dim in chosen:
        where = where * x.shape[dim] + _within(call, given[dim], x.shape[dim])
    first = chosen[0] if chosen[-1] - chosen[0] == len(chosen) - 1 else 0  # neighbours stay where they are, others come first
    wide = z.expand(*rest[:first], *lead, *rest[first:])
    wide = wide.permute(*range(first, first + len(lead)), *range(first), *range(first + len(lead), wide.dim()))
    moved = x.permute(*chosen, *others)
    rows = (math.prod(moved.shape[: len(chosen)]), math.prod(rest))
    call.args |= {
        name: moved.reshape(rows),
        indices: where.expand(lead).reshape(-1),
        values: wide.reshape(math.prod(lead), rows[1]),
    }
    back = sorted(range(x.dim()), key=[*chosen, *others].__getitem__)
    call.finishes.append(lambda r: r.reshape(moved.shape).permute(back))


def _spelt_out(given: Any) -> list[Any]:
    """Indices for each dim; a mask is the places where it is true."""
    found: list[Any] = []
    for at in given:
        if isinstance(at, Tensor) and at.dtype in (torch.bool, torch.uint8):
            found += at.nonzero(as_tuple=True)
        else:
            found.append(at)
    return found


def _within(call: Call, at: Tensor, size: int) -> Tensor:
    """An index of which a negative one counts from the end. Raises ShapeError for one that is in none of the places, which the
    texts would drop."""
    at = cast(at, torch.int64)
    require_places(call, at, -size, size)
    return torch.where(at < 0, at + size, at)


def require_places(call: Call, at: Tensor, low: int, high: int) -> None:
    """Raises ShapeError for an index that is out of range, where it can be read: a trace, and a device that would have to be
    waited for, leave it to `uol.checked()`."""
    if not at.numel() or not is_known(at):
        return
    least, most = (int(n) for n in at.aminmax())
    if least < low or most >= high:
        wrong = least if least < low else most
        message = f"{call.name}: index {wrong} is out of range: there are {high} places"
        raise ShapeError(message, hint=f"indices are from {low} to {high - 1}")


def is_known(at: Tensor) -> bool:
    """Can the values be read, without waiting for a device? Those of a trace and under `vmap` cannot."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return type(at) in (Tensor, torch.nn.Parameter) and at.device.type == HOST


@rewrite
def in_range(call: Call, index: str, name: str, dim: str) -> None:
    """An index is one of the places along a dim."""
    x, at = call.args[name], call.args[index]
    size = x.shape[place(call.name, call.args[dim], x.dim())] if x.dim() else 1
    require_places(call, at, 0, size)


@rewrite
def among(call: Call, index: str, count: str) -> None:
    """An index is below a count: a number, or the rows of a tensor."""
    number = call.args[count]
    require_places(call, call.args[index], 0, number.shape[0] if isinstance(number, Tensor) else number)


@rewrite
def among_all(call: Call, index: str, name: str) -> None:
    """An index is one of the places of a flat tensor, from its begin or from its end."""
    size = call.args[name].numel()
    require_places(call, call.args[index], -size, size)


@rewrite
def filled_by(call: Call, index: str, name: str) -> None:
    """A value that is a tensor, or of whole numbers, is chosen where an index stands."""
    x, value = call.args[name], call.args["value"]
    size = x.shape[place(call.name, call.args["dim"], x.dim())]
    at = call.args[index] = _within(call, call.args[index].reshape(-1), size)
    if x.is_floating_point() and not isinstance(value, Tensor):
        call.args["value"] = float(value)
        return
    if isinstance(value, Tensor) and value.dim():
        raise ShapeError(f"{call.name}: value has {value.dim()} dims", hint="a number, or a tensor without dims")
    own = texts.gt(texts.bincount(at, bins=size), 0)
    behind = x.dim() - 1 - place(call.name, call.args["dim"], x.dim())
    call.text, call.tensors, call.attributes = "choose", [index, "value", name], {}
    value = cast(value, x.dtype) if isinstance(value, Tensor) else x.new_full((), value)
    call.args |= {index: own.reshape(-1, *[1] * behind).expand(x.shape), "value": value.expand(x.shape)}
