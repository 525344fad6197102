"""Rewrites of shapes: broadcasting, batches, dims of 0, dims moved to where a text has them. All of them make views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from uol.ir.errors import ShapeError
from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite


def each_result(function: Any) -> Any:
    """The function of each of several results."""

    def finish(result: Any) -> Any:
        return tuple(function(r) for r in result) if isinstance(result, tuple) else function(result)

    return finish


def place(name: str, dim: Any, rank: int) -> int:
    """A dim counted from the first. Raises ShapeError where there is none."""
    if not isinstance(dim, int) or not -rank <= dim < rank:
        raise ShapeError(f"{name}: dim is {dim!r}", hint=f"it is one of {-rank} to {rank - 1}")
    return dim % rank


@rewrite
def all_dims(call: Call, name: str) -> None:
    """An empty list of dims is all of them; so is the one dim by which PyTorch names that of a tensor without any."""
    dim = call.args[name]
    if isinstance(dim, tuple | list) and not dim or call.args["input"].dim() == 0 and dim in (0, -1, (0,), (-1,), [0], [-1]):
        call.args[name] = None


@rewrite
def of_some_dim(call: Call, names: str) -> None:
    """A tensor of no dims has one for the text."""
    several = names.split(",")
    if call.args[several[0]].dim() == 0:
        for name in several:
            call.args[name] = call.args[name].reshape(1)
        call.finishes.append(each_result(lambda r: r.reshape(())))


@rewrite
def one_dim(call: Call, name: str) -> None:
    """A tensor of no dims has one for the text; the result has the dims of another."""
    x = call.args[name]
    call.args[name] = x.reshape(1) if x.dim() == 0 else x


@rewrite
def unbatched(call: Call, rank: str, name: str) -> None:
    """An image without a batch is a batch of one."""
    x = call.args[name]
    if isinstance(x, Tensor) and x.dim() == int(rank) - 1:
        call.args[name] = x[None]
        call.finishes.append(each_result(lambda r: r[0]))


@rewrite
def batched(call: Call, rank: str, name: str) -> None:
    """Leading dims of any number are one batch."""
    x = call.args[name]
    own = int(rank) - 1
    if x.dim() >= own and x.dim() != own + 1:
        lead = x.shape[: x.dim() - own]
        call.args[name] = x.reshape(math.prod(lead), *x.shape[x.dim() - own :])
        call.finishes.append(lambda r: r.reshape(*lead, *r.shape[1:]))


@rewrite
def as_rows(call: Call, rank: str, names: str) -> None:
    """The last dim, and all others as one."""
    del rank
    several = names.split(",")
    lead = call.args[several[0]].shape[:-1]
    if len(lead) != 1:
        for name in several:
            x = call.args[name]
            call.args[name] = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        call.finishes.append(lambda r: r.reshape(*lead, r.shape[-1]))


@rewrite
def as_columns(call: Call, names: str) -> None:
    """The first dim, and all others as one."""
    several = names.split(",")
    tail = call.args[several[0]].shape[1:]
    if len(tail) != 1:
        for name in several:
            x = call.args[name]
            call.args[name] = x.reshape(x.shape[0], math.prod(tail))
        call.finishes.append(lambda r: r.reshape(r.shape[0], *tail))


@rewrite
def rank(call: Call, wanted: str, names: str) -> None:
    """Tensors of this many dims, and of no others."""
    for name in names.split(","):
        x = call.args[name]
        if x.dim() != int(wanted):
            message = f"{call.name}: {name} has {x.dim()} dims, not {wanted}"
            raise ShapeError(message, hint=f"it is {list(x.shape)}; uol.ops.text.{call.text} may take it")


@rewrite
def rank_at_least(call: Call, wanted: str, name: str) -> None:
    """Tensors of this many dims, or more."""
    if call.args[name].dim() < int(wanted):
        raise ShapeError(f"{call.name}: {name} has {call.args[name].dim()} dims", hint=f"{wanted} at least")


@rewrite
def broadcast(call: Call, names: str) -> None:
    """Views of one size."""
    several = names.split(",")
    given = [call.args[name] for name in several]
    shape = _common_shape(call.name, given)
    for name, x in zip(several, given, strict=True):
        call.args[name] = x.expand(shape)


def _common_shape(name: str, given: Sequence[Tensor]) -> Any:
    try:
        return torch.broadcast_shapes(*[x.shape for x in given])
    except RuntimeError as error:
        found = " and ".join(str(list(x.shape)) for x in given)
        raise ShapeError(f"{name}: {found} do not broadcast", hint="sizes are equal or 1, from the last dim on") from error


@rewrite
def last(call: Call, dim: str, names: str) -> None:
    """The dim is moved to the last, and back in the result."""
    several = names.split(",")
    at = place(call.name, call.args[dim], call.args[several[0]].dim())
    if at == call.args[several[0]].dim() - 1:
        return
    for name in several:
        call.args[name] = call.args[name].movedim(at, -1)
    call.finishes.append(each_result(lambda r: r.movedim(-1, at)))


@rewrite
def foremost(call: Call, dim: str, names: str) -> None:
    """The dim is moved to the first, and back in the result."""
    several = names.split(",")
    at = place(call.name, call.args[dim], call.args[several[0]].dim())
    if at:
        for name in several:
            call.args[name] = call.args[name].movedim(at, 0)
        call.finishes.append(lambda r: r.movedim(0, at))


@rewrite
def swapped(call: Call, first: str, second: str) -> None:
    """Two dims are moved to the last two, and back in the result."""
    x = call.args["input"]
    if x.dim() == 0:
        x = x.reshape(1)
        call.finishes.append(lambda r: r.reshape(()))
    a, b = (place(call.name, call.args[dim], x.dim()) for dim in (first, second))
    if a == b:
        x, a, b = x[..., None], -2, -1
        call.finishes.append(lambda r: r.movedim(-2, -1).squeeze(-1))
    call.args["input"] = x.movedim((a, b), (-2, -1))
    call.finishes.append(lambda r: r.movedim((-2, -1), (a, b)))


@rewrite
def last_two(call: Call, first: str, second: str, name: str) -> None:
    """Two dims are the last two."""
    x = call.args[name]
    a, b = (place(call.name, call.args[dim], x.dim()) for dim in (first, second))
    call.args[name] = x.movedim((a, b), (-2, -1))


@rewrite
def last_dims(call: Call, sizes: str, others: str) -> None:
    """The last dims, whose sizes are given, are one."""
    given = call.args[sizes]
    shape = [given] if isinstance(given, int) else list(given)
    x = call.args["input"]
    if not shape or list(x.shape[max(0, x.dim() - len(shape)) :]) != shape:
        message = f"{call.name}: {sizes} is {shape}, the input is {list(x.shape)}"
        raise ShapeError(message, hint="they are the sizes of its last dims")
    for name in others.split(","):
        other = call.args[name]
        if other is not None and list(other.shape) != shape:
            raise ShapeError(f"{call.name}: {name} is {list(other.shape)}", hint=f"it is {shape}, as {sizes} says")
    if len(shape) == 1:
        return
    call.args["input"] = x.reshape(*x.shape[: x.dim() - len(shape)], math.prod(shape))
    for name in others.split(","):
        if call.args[name] is not None:
            call.args[name] = call.args[name].reshape(math.prod(shape))
    call.finishes.append(lambda r: r.reshape(x.shape))


@rewrite
def flat(call: Call, name: str) -> None:
    """All dims as one."""
    call.args[name] = call.args[name].reshape(-1)


@rewrite
def flattened_where_unsaid(call: Call, dim: str, names: str) -> None:
    """Without a dim it is of all as one."""
    if call.args[dim] is None:
        call.args[dim] = -1
        for name in names.split(","):
            call.args[name] = call.args[name].reshape(-1)


@rewrite
def flat_where_unsaid(call: Call, dims: str, name: str) -> None:
    """Without a dim it is of all as one, and has its shape again."""
    x = call.args[name]
    if call.args[dims] is None or call.args[dims] in ((), []) or x.dim() == 0:
        call.args[name], call.args[dims] = x.reshape(-1), -1
        call.finishes.append(lambda r: r.reshape(x.shape))


@rewrite
def each(call: Call, name: str, attribute: str, second: str = "", other: str = "") -> None:
    """The text runs once for each of several dims, with the second argument's number that belongs to it."""
    dims, numbers = _listed(call.args[name]), _listed(call.args[second]) if second else []
    if len(dims) == 1 and isinstance(dims[0], tuple | list):
        dims = list(dims[0])
    if second and len(numbers) != len(dims):
        raise ShapeError(f"{call.name}: {len(numbers)} {second} for {len(dims)} {name}", hint="one for each")
    x = call.args["input"]
    at = [place(call.name, dim, max(x.dim(), 1)) for dim in dims]
    if not second and len(set(at)) != len(at):
        raise ShapeError(f"{call.name}: {name} is {dims}", hint="each dim is named once")
    if not dims or x.dim() == 0:
        call.text, call.tensors, call.attributes = "cast", ["input"], {"dtype": name}
        call.args[name] = x.dtype
        return
    call.args[name] = at[0]
    if second:
        call.args[second] = numbers[0]
    for place_, number in zip(at[1:], numbers[1:] or at[1:], strict=True):
        options = {attribute: place_, **({other: number} if second else {})}
        call.finishes.insert(len(call.finishes), _again(call.text, options))


def _again(text: str, options: dict[str, Any]) -> Any:
    return lambda r: getattr(texts, text)(r, **options)


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, int) else list(value)


@rewrite
def implied(call: Call, name: str) -> None:
    """A dim that is not said: where PyTorch's own rule, which it warns of, takes the last one, it is that."""
    if call.args[name] is None:
        if call.args["input"].dim() not in (0, 1, 2):
            raise call.refuse(f"{name}=None of {call.args['input'].dim()} dims", f"{name}=-1, or the dim that is meant")
        call.args[name] = -1


@rewrite
def shifted(call: Call, offset: str, name: str) -> None:
    """A diagonal beside the main one is the main one of a part."""
    by, x = call.args[offset], call.args[name]
    call.args[name] = x[..., :, by:] if by > 0 else x[..., -by:, :] if by < 0 else x


@rewrite
def tiled(call: Call, repeats: str) -> None:
    """So many copies along each dim; further dims come in front."""
    numbers = _listed(call.args[repeats])
    numbers = list(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], tuple | list) else numbers
    x = call.args["input"]
    if len(numbers) < x.dim():
        raise ShapeError(f"{call.name}: {len(numbers)} {repeats} for {x.dim()} dims", hint="one for each dim")
    x = x[(None,) * (len(numbers) - x.dim())]
    for dim, times in enumerate(numbers):
        x = x if times == 1 else texts.repeat(x, times=times, dim=dim)
    call.text, call.attributes = "cast", {"dtype": repeats}
    call.args["input"], call.args[repeats] = x, x.dtype
