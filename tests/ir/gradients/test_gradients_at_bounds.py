"""The gradient where a value equals a bound, or another value, and at infinities and NaN, is PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import uol

F = torch.nn.functional
VALUES = torch.tensor([-1.0, 0.0, 1.0, 2.0, float("inf"), -float("inf"), float("nan")])
OF_ONE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
}


def slopes(function: Callable[..., torch.Tensor], *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
    leaves = [t.clone().requires_grad_() for t in given]
    y = function(*leaves)
    cotangent = torch.linspace(0.5, 2, y.numel(), dtype=y.dtype).view(y.shape)
    return torch.autograd.grad(y, leaves, cotangent)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_clamp_gives_all_to_the_value_at_a_bound(dtype: torch.dtype) -> None:
    """Every value beside every pair of bounds, the lower above the upper among them."""
    given = [t.contiguous() for t in torch.cartesian_prod(VALUES, VALUES, VALUES).to(dtype).T]
    torch.testing.assert_close(slopes(uol.ops.text.clamp, *given), slopes(torch.clamp, *given), rtol=0, atol=0)


def test_clamp_by_bounds_that_are_broadcast() -> None:
    given = (torch.tensor([[-1.0, 0.0, 0.5], [1.0, 1.5, 0.0]]), torch.zeros(3), torch.ones(2, 1))
    torch.testing.assert_close(slopes(uol.ops.text.clamp, *given), slopes(torch.clamp, *given), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_of_two_equal_values_each_gets_a_half(name: str) -> None:
    given = [t.contiguous() for t in torch.cartesian_prod(VALUES[:-1], VALUES[:-1]).T]
    torch.testing.assert_close(
        slopes(getattr(uol.ops.text, name), *given), slopes(getattr(torch, name), *given), rtol=0, atol=0
    )


@pytest.mark.parametrize("name", OF_ONE)
def test_pieces_that_meet_at_numbers(name: str) -> None:
    at = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, -4.0, 0.25, 7.0], dtype=torch.float64)
    torch.testing.assert_close(slopes(getattr(uol.ops.text, name), at), slopes(OF_ONE[name], at))
