"""How the arguments of PyTorch's functions become those of our operators: a form is a function of our operator's name and
of a sample's arguments that gives the result, or raises NotExpressed with the reason.

Here are the forms of pointwise operators, of reductions and of operators along a dim; `layers` has the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from uol.operators.registry import find_operator
from uol.ops import text as ops
from uol.pytorch.schema import NAMES

Tensor = torch.Tensor
Form = Callable[..., Any]


class NotExpressed(Exception):
    """A sample asks for what our operator does not have."""


def require(holds: object, reason: str) -> None:
    """Raises NotExpressed where a sample asks for more."""
    if not holds:
        raise NotExpressed(reason)


def apply(name: str, *tensors: Any, **options: Any) -> Any:
    """Our operator, where the tensors' types are in its domain. A number becomes a tensor of the first one's type."""
    op = find_operator(name)
    first = next((x.dtype for x in tensors if isinstance(x, Tensor)), torch.float32)
    types: dict[str, torch.dtype] = {}
    for param, x in zip(op.params, tensors, strict=False):
        if isinstance(x, Tensor):
            require(types.setdefault(param.type, x.dtype) == x.dtype, "tensors of several types")
            require(NAMES.get(x.dtype) in op.types_of(param.type), f"{param.name} of type {x.dtype}")
        elif first in (torch.float16, torch.bfloat16):
            require(torch.tensor(x, dtype=first).item() == x, "a number that the tensors' type does not hold")
    return getattr(ops, name)(*tensors, **options)


def pointwise(name: str, *args: Any, inplace: bool = False, **options: Any) -> Any:
    """Tensors or numbers first, then attributes in their order or by name."""
    op = find_operator(name)
    known = [a.name for a in op.attributes]
    tensors, more = args[: len(op.params)], args[len(op.params) :]
    options |= dict(zip(known, more, strict=False))
    unknown = [n for n in options if n not in known]
    require(not unknown and len(more) <= len(known), f"no attribute {', '.join(unknown)}")
    require(all(isinstance(x, Tensor | bool | int | float) for x in tensors), "an argument that is no tensor and no number")
    require(any(isinstance(x, Tensor) for x in tensors), "no tensor")
    return apply(name, *tensors, **options)


def with_alpha(name: str, a: Any, b: Any, *, alpha: Any = 1) -> Any:
    """a + alpha*b."""
    require(alpha == 1, "alpha")
    return apply(name, a, b)


def logical(name: str, *tensors: Tensor) -> Any:
    """On truth values."""
    return apply(name, *(x.bool() for x in tensors))


def gelu(name: str, x: Tensor, *, approximate: str = "none") -> Any:
    """By the error function or by tanh."""
    return apply("gelu" if approximate == "none" else "gelu_tanh", x)


def clamp(name: str, x: Tensor, min: Any = None, max: Any = None) -> Any:
    """A bound that is missing is an extremum with the other."""
    if max is None:
        return apply("maximum", x, min)
    return apply("minimum", x, max) if min is None else apply(name, x, min, max)


def where(name: str, a: Any, condition: Tensor, b: Any) -> Any:
    """OpInfo's samples begin with the first choice."""
    return apply(name, condition, a, b)


def masked_fill(name: str, x: Tensor, mask: Tensor, value: Any) -> Any:
    """A value that is a tensor is a choice."""
    return apply("choose", mask, value, x) if isinstance(value, Tensor) else apply(name, x, mask, value=value)


def prelu(name: str, x: Tensor, weight: Tensor) -> Any:
    """One slope, or one a channel: broadcast over the others."""
    if weight.dim():
        weight = weight.reshape(-1, *[1] * (x.dim() - 2)) if x.dim() > 1 else weight.reshape(weight.shape[: x.dim()])
    return apply(name, x, weight)


def rows(x: Tensor, dim: Any) -> tuple[Tensor, list[int]]:
    """The dims that are reduced as one, the last; which they were."""
    if x.dim() == 0:
        return x.reshape(1), []
    chosen = range(x.dim()) if dim is None or dim == () or dim == [] else dim if isinstance(dim, Sequence) else (dim,)
    dims = sorted(d % x.dim() for d in chosen)
    kept = [d for d in range(x.dim()) if d not in dims]
    count = 1
    for d in dims:
        count *= x.shape[d]
    return x.permute(*kept, *dims).reshape([*(x.shape[d] for d in kept), count]), dims


def restored(found: Any, dims: Sequence[int], keepdim: bool) -> Any:
    """The reduced dims again, of size 1, where they are to be kept."""
    if isinstance(found, tuple):
        return tuple(restored(f, dims, keepdim) for f in found)
    for d in dims if keepdim else ():
        found = found.unsqueeze(d)
    return found


def typed(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """As the type in which PyTorch is asked to compute."""
    return x if dtype is None else x.to(dtype)


def reduced(name: str, x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    """Over one dim, several or all."""
    flat, dims = rows(typed(x, dtype), dim)
    return restored(apply(name, flat), dims, keepdim)


def truth(name: str, x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Of truth values: what is not 0."""
    return reduced(name, x != 0, dim, keepdim)


def spread(
    name: str, x: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """Variances, with their correction."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    by = int(unbiased) if correction is None else correction
    require(by == int(by), "a correction that is no integer")
    flat, dims = rows(x, dim)
    return restored(apply(name, flat, correction=int(by)), dims, keepdim)


def vector_norm(
    name: str, x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Any:
    """Orders 1, 2 and infinity have operators of their own."""
    flat, dims = rows(typed(x, dtype), dim)
    own = {1.0: "l1_norm", 2.0: "l2_norm", float("inf"): "max_norm"}.get(float(ord))
    require(own is not None or ord > 0, f"a norm of order {ord}")
    return restored(apply(own, flat) if own else apply(name, flat, p=float(ord)), dims, keepdim)


def normalize(name: str, x: Tensor, p: Any = 2, dim: int = 1, eps: float = 1e-12) -> Any:
    """By the Euclidean norm."""
    require(p == 2, f"a norm of order {p}")
    require(isinstance(dim, int), "several dims")
    return along(name, x, dim, eps=eps)


def along(name: str, x: Tensor, dim: int = -1, *, dtype: torch.dtype | None = None, **options: Any) -> Any:
    """Row by row along a dim, which stays."""
    options.pop("_stacklevel", None)  # where PyTorch would place a warning
    x = typed(x, dtype)
    if x.dim() == 0:
        return apply(name, x.reshape(1), **options).reshape(())
    found = apply(name, x.movedim(dim, -1), **options)
    return tuple(f.movedim(-1, dim) for f in found) if isinstance(found, tuple) else found.movedim(-1, dim)


def rows_along(name: str, x: Tensor, dim: int) -> Any:
    """Of operators that take a matrix."""
    moved = x.reshape(1) if x.dim() == 0 else x.movedim(dim, -1)
    count = moved.numel() // moved.shape[-1] if moved.shape[-1] else moved[..., :0].numel()
    found = apply(name, moved.reshape(count, moved.shape[-1])).reshape(moved.shape)
    return found.reshape(x.shape) if x.dim() == 0 else found.movedim(-1, dim)


def extrema_along(name: str, x: Tensor, dim: int) -> Any:
    """The extrema alone: our operators do not say where they stand."""
    return along(name, x, dim)


def row_pair(name: str, a: Tensor, b: Tensor, dim: int = 1, eps: float = 1e-8) -> Any:
    """Of two rows."""
    a, b = torch.broadcast_tensors(a, b)
    return apply(name, a.movedim(dim, -1), b.movedim(dim, -1), eps=eps)


def pairwise_distance(name: str, a: Tensor, b: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The Euclidean one."""
    require(p == 2, f"a norm of order {p}")
    a, b = torch.broadcast_tensors(a, b)
    return restored(apply(name, a, b, eps=eps), [a.dim() - 1], keepdim)


def among(
    name: str, edges: Tensor, x: Any, *, right: bool = False, side: str = "left", out_int32: bool = False, **options: Any
) -> Any:
    """Where values stand in one row of edges; i64, cast where i32 is asked for."""
    require(edges.dim() == 1, "rows of edges")
    require(options.get("sorter") is None, "edges in an order of their own")
    value = x if isinstance(x, Tensor) else torch.tensor(x, dtype=edges.dtype)
    found = apply(f"{name}_right" if right or side == "right" else name, edges, value)
    return found.to(torch.int32) if out_int32 else found


def between(name: str, x: Any, edges: Tensor, **options: Any) -> Any:
    """The same with the values first."""
    return among(name, edges, x, **options)


def flip(name: str, x: Tensor, dims: Sequence[int]) -> Any:
    """Dim after dim."""
    for dim in dims:
        x = along(name, x, dim)
    return x


def roll(name: str, x: Tensor, shifts: Any, dims: Any = ()) -> Any:
    """Dim after dim; the flat tensor where none is named."""
    if dims in ((), None) or x.dim() == 0:
        return apply(name, x.reshape(-1), shift=shifts if isinstance(shifts, int) else shifts[0]).reshape(x.shape)
    pairs = [(shifts, dims)] if isinstance(dims, int) else zip(shifts, dims, strict=True)
    for shift, dim in pairs:
        x = along(name, x, dim, shift=shift[0] if isinstance(shift, tuple) else shift)
    return x


def transpose(name: str, x: Tensor, a: int, b: int) -> Any:
    """Of two dims."""
    if x.dim() < 2 or a % x.dim() == b % x.dim():
        raise NotExpressed("fewer than two dims")
    return apply(name, x.movedim((a, b), (-2, -1))).movedim((-2, -1), (a, b))


def diff(name: str, x: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Of neighbours, n times."""
    require(n < 2 or x.dtype not in (torch.float16, torch.bfloat16), "several differences in a narrow type: each is rounded")
    if n == 0:
        return x.clone()
    given = [part for part in (prepend, x, append) if part is not None]
    x = torch.cat(given, dim) if len(given) > 1 else x
    for _ in range(n):
        x = along(name, x, dim)
    return x
