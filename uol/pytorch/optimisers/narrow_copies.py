"""`uol.NarrowCopies`: wide parameters, and copies of them in a narrow type, which optimisers write with their step.

    copies = uol.NarrowCopies(torch.bfloat16)
    y = uol.ops.linear(x, copies(module.weight), copies(module.bias))        # gradients come back wide
    optimiser = uol.SGD(module.parameters(), lr=0.1, copies=copies)

A cast where a weight is used is a launch for each weight and step, and reads what the optimiser has just written. Here it is a
store more of the optimiser's launch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from uol.ir.errors import TypeCheckError
from uol.pytorch.bridge import operator
from uol.pytorch.schema import NAMES

NARROW = ("f16", "bf16")
State = tuple[int, int, torch.device, torch.Size, torch.dtype]


class NarrowCopies:
    """Copies in one type, by parameter. `copies(weight)` is the copy, or the weight itself where it has the type.

    A copy is made when it is first asked for, and made anew where its weight was changed by anything but the optimiser that has
    these copies. A change is seen as PyTorch's autograd sees it; one that goes past autograd (`weight.data.mul_(2)`) is not:
    `forget()` has all copies made anew. Copies are no part of a state dict, nor of a pickled or copied module.

    Raises TypeCheckError for a type that is not narrow.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        if NAMES.get(dtype) not in NARROW:
            raise TypeCheckError(f"NarrowCopies: {dtype} is not narrow", hint="write torch.float16 or torch.bfloat16")
        self.dtype = dtype
        self._kept = WeakTensorKeyDictionary()

    def __call__(self, weight: Tensor) -> Tensor:
        """The weight in the narrow type; its gradient is cast to the weight's."""
        if weight.dtype is self.dtype:
            return weight
        if torch.compiler.is_compiling():  # whose graph has the cast: what lies beside it may change between two calls
            return _cast(weight, self.dtype)
        found: Any = _Copy.apply(weight, self._current(weight))  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        copy: Tensor = found
        return copy

    def of(self, weights: Iterable[Tensor]) -> list[Tensor | None]:
        """For each weight its copy, whatever it holds; None where none was asked for, or the weight has become another."""
        return [self._copy_of(weight) for weight in weights]

    def are_written(self, weights: Iterable[Tensor]) -> None:
        """An optimiser says that the copies of these weights hold their values."""
        for weight in weights:
            if (copy := self._copy_of(weight)) is not None:
                self._kept[weight] = (copy, _state(weight))

    def forget(self) -> None:
        """All copies are made anew when they are next asked for."""
        self._kept = WeakTensorKeyDictionary()

    def _copy_of(self, weight: Tensor) -> Tensor | None:
        copy: Tensor | None = self._kept.get(weight, (None,))[0]
        if copy is None or copy.shape != weight.shape or copy.device != weight.device:
            return None
        return copy if weight.dtype.itemsize > copy.dtype.itemsize else None

    def _current(self, weight: Tensor) -> Tensor:
        kept = self._kept.get(weight)
        if kept is None or kept[1] != _state(weight):
            with torch.inference_mode(False), torch.no_grad():
                kept = (_cast(weight.detach(), self.dtype), _state(weight))
            self._kept[weight] = kept
        copy: Tensor = kept[0]
        return copy

    def __deepcopy__(self, memo: object) -> NarrowCopies:
        return NarrowCopies(self.dtype)

    def __reduce__(self) -> tuple[object, ...]:
        return NarrowCopies, (self.dtype,)


class _Copy(torch.autograd.Function):
    """The copy as a function of the weight."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, copy: Tensor) -> Tensor:
        ctx.wide = weight.dtype
        return copy.view_as(copy)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor, None]:
        return _cast(cotangents[0], ctx.wide), None


def _state(weight: Tensor) -> State:
    """What tells whether a weight has changed."""
    return weight._version, weight.data_ptr(), weight.device, weight.shape, weight.dtype


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    found: Any = operator("cast")(x, dtype=dtype)
    typed: Tensor = found
    return typed
