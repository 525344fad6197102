"""`out=`: what may be given, and where a kernel can write at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from uol.binding.layouts import Sizes, is_dense
from uol.ir.errors import ShapeError, TypeCheckError, UolError
from uol.ir.syntax.surface import Op
from uol.pytorch.gradient import wants_derivative


def given_outs(op: Op, out: object) -> tuple[Tensor, ...]:
    """The tensors of `out=`, one a result; none where it was not given. Raises TypeCheckError for anything else."""
    if out is None:
        return ()
    outs = (out,) if isinstance(out, Tensor) else tuple(out) if isinstance(out, Sequence) else ()
    wanted = len(op.results)
    if len(outs) != wanted or not all(isinstance(o, Tensor) for o in outs):
        raise TypeCheckError(f"{op.name}: out is {'a PyTorch tensor' if wanted == 1 else f'{wanted} PyTorch tensors'}")
    return outs


def require_no_gradient(op: str, tensors: Sequence[Tensor]) -> None:
    """Raises UolError where a gradient would have to go through `out=`, as PyTorch does."""
    if wants_derivative(tensors):
        raise UolError(f"{op}: no gradient goes through out=", hint="call it within torch.no_grad()")


def require_apart(op: str, outs: Sequence[Tensor]) -> None:
    """Raises TypeCheckError where two results would be written to the same memory."""
    if any(_overlap(a, b) and _share(a, b) for n, a in enumerate(outs) for b in outs[:n]):
        raise TypeCheckError(f"{op}: tensors of out share memory", hint="give each result a tensor of its own")


def require_fit(op: str, out: Tensor, size: Sizes, dtype: torch.dtype) -> None:
    """Raises ShapeError or TypeCheckError where `out` is not what the result is."""
    if tuple(out.shape) != size:
        raise ShapeError(f"{op}: out has the shape {list(out.shape)}, the result has {list(size)}")
    if out.dtype != dtype:
        raise TypeCheckError(f"{op}: out is {out.dtype}, the result is {dtype}")


def writable_in_place(out: Tensor, others: Sequence[Tensor]) -> bool:
    """Can a kernel write here: no gaps, and nothing that it reads or writes besides?"""
    return is_dense(out.shape, out.stride()) and not any(_overlap(out, x) for x in others)


def _overlap(a: Tensor, b: Tensor) -> bool:
    """Do two tensors share bytes (taking all between their first and last element)?"""
    if not a.numel() or not b.numel():
        return False
    (a_start, a_end), (b_start, b_end) = _span(a), _span(b)
    return a_start < b_end and b_start < a_end


def _share(a: Tensor, b: Tensor) -> bool:
    """Have two tensors an element in common? Those of different sizes are taken to, where their spans overlap."""
    if a.element_size() != b.element_size():
        return True
    found = torch.isin(_addresses(a), _addresses(b))
    return bool(found.any())


def _addresses(x: Tensor) -> Tensor:
    """Where the elements lie, in bytes."""
    places = torch.zeros((), dtype=torch.int64)
    for size, stride in zip(x.shape, x.stride(), strict=True):
        places = places[..., None] + torch.arange(size) * stride
    return x.data_ptr() + places.flatten() * x.element_size()


def _span(x: Tensor) -> tuple[int, int]:
    last = sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))
    return x.data_ptr(), x.data_ptr() + (last + 1) * x.element_size()
