"""Forms of calls of `torch.compile(model, backend="uol")`: how inputs lie, special values, types, joins, attention, pools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from uol.pytorch import graph

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def forgetting() -> None:
    torch._dynamo.reset()


def compiled(f: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(f, backend="uol", fullgraph=True, dynamic=False)
    return compiled


def agree(f: Callable[..., Any], *inputs: Tensor) -> None:
    """Twice, since the first call writes the program that the second runs."""
    ours = compiled(f)
    for _ in range(2):
        torch.testing.assert_close(ours(*inputs), f(*inputs), equal_nan=True, rtol=1e-5, atol=1e-6)


def test_inputs_that_lie_otherwise_at_each_call() -> None:
    def f(x: Tensor, y: Tensor) -> Tensor:
        return (x.reshape(-1, 4) + 1).relu().sum(1) * y[:, 1:].reshape(-1)

    ours = torch.compile(f, backend="uol")
    for x in (torch.randn(4, 6), torch.randn(6, 4).t(), torch.randn(30)[6:].view(4, 6), torch.randn(1, 6).expand(4, 6)):
        y = torch.randn(3, 3).t()
        torch.testing.assert_close(ours(x, y), f(x, y))


def test_what_pytorch_negates_as_it_is_read() -> None:
    z = torch.randn(4, 6, dtype=torch.complex64)
    ours = compiled(lambda x: (x * 2).relu() + x.flip(0))
    for x in (z.imag, z.conj().imag):  # of the same sizes and strides
        torch.testing.assert_close(ours(x), (x * 2).relu() + x.flip(0))
    agree(lambda z: z.conj().imag.exp() - z.real, z)


def test_nan_infinity_and_the_sign_of_zero() -> None:
    inf, nan = float("inf"), float("nan")
    x = torch.tensor([[nan, inf, -inf, 0.0, -0.0, 3.0], [-inf, -inf, -inf, -inf, -inf, -inf], [1.0, 2.0, 3.0, nan, 5.0, 6.0]])

    def f(x: Tensor) -> tuple[Tensor, ...]:
        extremes = x.amax(1), x.amin(0), torch.maximum(x, -x), x.relu(), x.clamp(-1, 2), x.clamp(min=0.5), x.sign()
        return *extremes, x.softmax(1), x.sigmoid(), x == x, x.abs() > 1, torch.where(x > 0, x, -1.0), x.tanh(), x**3, 1 / x

    agree(f, x)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_bits_are_texts(dtype: torch.dtype) -> None:
    """At the edges of the type, and of the places of its bits."""
    least, greatest = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    x = torch.tensor([least, least + 1, greatest, 0, 1, 5, 6, 100]).to(dtype)[:, None]
    y = torch.tensor([least, greatest, 0, 1, 7, 8, 31, 32, 63, 64]).to(dtype)

    def f(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        logic = ~(x > 1), (x > 1) & (y > 1), (x > 1) | (y > 1), (x > 1) ^ (y > 1), (x > 1) & y, torch.bitwise_xor(x > 1, True)
        shifts = x << y, x >> y, x << 2, 3 << y, 5 >> y, torch.bitwise_left_shift(x, y), torch.bitwise_right_shift(x, 3)
        return *logic, *shifts, x & y, x | 6, 6 ^ x, ~x, ((x ^ (x << 13)) ^ (x >> 7)) & 0x7F

    graph.reset()
    agree(f, x, y)
    assert graph.report().share == 1, str(graph.report())


def test_types_and_numbers() -> None:
    i, x, b = torch.arange(-6, 6).reshape(3, 4), torch.randn(3, 4), torch.rand(3, 4) > 0.5

    def f(i: Tensor, x: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        whole = i * 3 - 1, i.int().sum(1), b.sum(), (i > 2) & b, ~b, i.float().mean(0), i / 4, i // 4, i.to(torch.uint8)
        return (
            *whole,
            x + i,
            x.double() * 2,
            b * 2.5,
            b.any(1),
            (i >= -6).all(),
            x + True,
            (x > i) | b,
            i.amax(1),
            x - b.float(),
        )

    agree(f, i, x, b)


def test_joined_repeated_parted_and_picked() -> None:
    x, y = torch.randn(3, 4, 5), torch.randn(3, 2, 5)

    def f(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        z = torch.cat([x, x, y.exp(), x[:, :0]], 1)
        parts = z.split([3, 7], 1)
        return (
            z,
            parts[1] * 2,
            x[..., ::2] + 1,
            x[:, -3:-1].sum(-1),
            torch.stack([x, x.sin()]),
            x.flip(1),
            y.repeat(2, 1, 3) + 1,
            x.tril() * 2,
        )

    agree(f, x, y)


def test_tensors_without_elements_and_without_dims() -> None:
    def f(x: Tensor, s: Tensor) -> tuple[Tensor, ...]:
        return (x * 2).sum(1), x.relu(), s * 2 + x.sum(), s.exp().reshape(1, 1) + 1, (s > 0).float()

    agree(f, torch.randn(0, 4), torch.tensor(0.5))
    agree(f, torch.randn(3, 0), torch.tensor(0.5))


def test_attention_of_a_tensor_with_itself_and_other_scales() -> None:
    q, k = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8)
    bias = torch.randn(5, 7)

    def f(q: Tensor, k: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        attention = F.scaled_dot_product_attention
        plain = attention(q, q, q), attention(q, k, k), attention(q, k, k, scale=0.3), attention(q, k, k, attn_mask=bias)
        return *plain, attention(q, k, k, attn_mask=bias > 0), attention(q, q, q, is_causal=True)

    agree(f, q, k, bias)


def test_pools_and_convolutions_of_forms_that_the_library_has_not() -> None:
    x, w = torch.randn(2, 4, 9, 8), torch.randn(4, 2, 3, 3)

    def f(x: Tensor, w: Tensor) -> Sequence[Tensor]:
        pools = (
            F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
            F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            F.avg_pool2d(x, 2, 2, 1),
        )
        return (
            *pools,
            F.conv_transpose2d(x, w, groups=2),
            F.conv2d(x, w, stride=2, padding=(1, 0), dilation=2, groups=2),
            F.max_pool2d(x, (3, 2)),
        )

    agree(f, x, w)
