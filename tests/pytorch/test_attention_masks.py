"""Masks and biases of attention that broadcast to [B, H, L, M], beside PyTorch's scaled_dot_product_attention."""

from __future__ import annotations

import pytest
import torch

import uol

B, H, L, M, D = 2, 3, 4, 5, 8
SHAPES = [(B, H, L, M), (B, 1, L, M), (H, L, M), (L, M), (B, 1, 1, M), (M,)]
attention = torch.nn.functional.scaled_dot_product_attention


def seeded(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def heads() -> list[torch.Tensor]:
    return [seeded(B, H, length, D, seed=seed) for seed, length in enumerate((L, M, M))]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_mask_broadcasts_from_the_last_dim_on(shape: tuple[int, ...]) -> None:
    qkv, mask = heads(), seeded(*shape, seed=3) < 0.5
    mask[..., :1] = True  # every query sees a key: PyTorch gives NaN where none is seen
    wanted = attention(*qkv, mask if len(shape) > 1 else mask.expand(L, M))
    found = uol.ops.masked_attention(*qkv, mask=mask)
    torch.testing.assert_close(found, wanted)
    cotangent = seeded(*wanted.shape, seed=4)
    torch.testing.assert_close(*(torch.autograd.grad(y, qkv, cotangent) for y in (found, wanted)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_bias_broadcasts_and_its_gradient_is_summed(shape: tuple[int, ...]) -> None:
    qkv, bias = heads(), seeded(*shape, seed=3)
    wanted, found = attention(*qkv, bias.expand(B, H, L, M)), uol.ops.biased_attention(*qkv, bias)
    torch.testing.assert_close(found, wanted)
    cotangent = seeded(*wanted.shape, seed=4)
    torch.testing.assert_close(*(torch.autograd.grad(y, [*qkv, bias], cotangent) for y in (found, wanted)))


@pytest.mark.parametrize("order", [(0, 1, 3, 2), (3, 0, 1, 2), (1, 3, 0, 2)], ids=str)
def test_a_mask_lies_in_any_order(order: tuple[int, ...]) -> None:
    sizes = (B, H, L, M)
    mask = (seeded(*(sizes[dim] for dim in order), seed=3) < 0.5).permute([order.index(dim) for dim in range(4)])
    q, k, v = (seeded(B, length, H, D, seed=seed).transpose(1, 2) for seed, length in enumerate((L, M, M)))
    mask[..., :1] = True
    torch.testing.assert_close(uol.ops.masked_attention(q, k, v, mask), attention(q, k, v, mask))


def test_a_mask_that_does_not_fit_is_named() -> None:
    with pytest.raises(uol.ShapeError, match=r"mask is \[2, 4, 5\], which .* to \[B, H, L, M\] = \[2, 3, 4, 5\]"):
        uol.ops.masked_attention(*heads(), torch.ones(B, L, M, dtype=torch.bool))
