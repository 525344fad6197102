"""`x.clone()`, and `x.contiguous()` and `x.reshape(...)` where PyTorch copies: by the operator `cast`, of a type to itself.

The kernel reads a view where it lies. The gradient is the cotangent, as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from uol.binding.layouts import Sizes, row_major
from uol.ir.errors import TypeCheckError
from uol.pytorch.bridge import defined, operator
from uol.pytorch.fast_path import is_eager


def clone(input: Tensor, *, memory_format: torch.memory_format = torch.preserve_format) -> Tensor:
    """A copy that lies as PyTorch's does."""
    if memory_format is torch.preserve_format:
        return _copied(input, torch.empty_like(input, device="meta").stride())
    return contiguous(input, memory_format)


def contiguous(input: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    """A copy in rows. Raises TypeCheckError for channels that lie last."""
    if memory_format is not torch.contiguous_format:
        raise TypeCheckError("a memory format")
    return _copied(input, row_major(tuple(input.shape)))


def reshape(input: Tensor, *sizes: Any, **named: Any) -> Tensor:
    """A copy in rows, in another shape."""
    return contiguous(input).view(*_flat(sizes or (named["shape"],)))


def is_copy(name: str, given: Sequence[Any], named: dict[str, Any]) -> bool:
    """Does PyTorch copy? Where it gives its argument, or a view of it, nothing is computed."""
    if name == "clone":
        return True
    if not given or not isinstance(given[0], Tensor) or given[0].layout is not torch.strided:
        return False
    x, *more = given
    if name == "contiguous":
        return not x.is_contiguous(memory_format=_format(more, named))
    return not x.is_contiguous() and not _is_view(x, _flat(more or [named.get("shape")]))


def _format(given: Sequence[Any], named: dict[str, Any]) -> Any:
    return given[0] if given else named.get("memory_format", torch.contiguous_format)


def _is_view(x: Tensor, shape: Sequence[Any]) -> bool:
    try:
        x.detach().view(*shape)
    except (RuntimeError, TypeError):
        return False
    return True


def _flat(shape: Sequence[Any]) -> Sequence[Any]:
    return shape[0] if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape


def _copied(x: Tensor, strides: Sizes) -> Tensor:
    if not is_eager((x,)):
        raise TypeCheckError("a tensor that is more than its values")
    if torch.is_grad_enabled() and x.requires_grad:
        found: Tensor = _Copy.apply(x, strides)  # type: ignore[no-untyped-call]  # as PyTorch declares it
        return found
    return _moved(x, strides)


class _Copy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strides: Sizes) -> Tensor:
        return _moved(x, strides)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        return dy, None


def _moved(x: Tensor, strides: Sizes) -> Tensor:
    operator("cast")
    found: Any = defined()["cast"].find((x,), {"dtype": x.dtype}, (tuple(strides),)).new((x,))
    copied: Tensor = found
    return copied
