"""Stands where an operator's gradient would be, and says that there is none yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, cast

import torch
from torch.autograd import forward_ad

from uol.ir.errors import UolError

Tensor = torch.Tensor
Result = Tensor | tuple[Tensor, ...]


def wants_derivative(tensors: Sequence[Tensor]) -> bool:
    """Would a derivative, backward or forward, go through an operator on these tensors?"""
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return True
    return forward_ad._current_level >= 0 and any(forward_ad.unpack_dual(x).tangent is not None for x in tensors)


def without_gradient(name: str, result: Result, inputs: Sequence[Tensor]) -> Result:
    """The result, tied to the inputs: a gradient through it is an error, not a zero."""
    if isinstance(result, Tensor):
        return _tied(name, result, inputs) if result.is_floating_point() else result
    return tuple(_tied(name, r, inputs) if r.is_floating_point() else r for r in result)


def _tied(name: str, result: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    return cast(Tensor, _NoGradient.apply(name, result, *inputs))  # type: ignore[no-untyped-call]


class _NoGradient(torch.autograd.Function):
    """The identity on the result, for backward, forward and functional derivatives alike."""

    generate_vmap_rule = True

    @staticmethod
    def forward(name: str, result: Tensor, *inputs: Tensor) -> Tensor:
        return result.view_as(result)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> NoReturn:
        raise _none_yet(ctx.name)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> NoReturn:
        raise _none_yet(ctx.name)


def _none_yet(name: str) -> UolError:
    return UolError(
        f"{name} has no gradient yet",
        hint="call it within torch.no_grad(), or on x.detach(); what must be trained, write with PyTorch's operators",
    )
