"""Randomness as a user has it: shares, ranges, the same numbers backward as forward."""

from __future__ import annotations

import pytest
import torch

import uol

HIGHEST_BITS = {"seed": 57720, "place": 1130}
"""Where Threefry draws one of the 64 largest i32, which f32 would round up: found by search."""


def test_the_numbers_are_uniform_and_below_1() -> None:
    drawn = uol.ops.uniform(torch.empty(1000, 1000), seed=5)
    assert drawn.min() >= 0 and drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 1e-3 and abs(drawn.var() - 1 / 12) < 1e-3
    highest = uol.ops.uniform(torch.empty(HIGHEST_BITS["place"] + 1), seed=HIGHEST_BITS["seed"])[-1]
    assert highest == 1 - 2.0**-24


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_a_share_is_dropped_and_the_rest_scaled(p: float) -> None:
    x = torch.ones(500, 1000, requires_grad=True)
    y = uol.ops.text.dropout(x, seed=7, p=p)
    assert abs((y == 0).float().mean() - p) < 0.005
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / (1 - p)))
    (dx,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(dx, y.detach())


def test_a_probability_of_1_drops_everything() -> None:
    x = torch.ones(HIGHEST_BITS["place"] + 1, requires_grad=True)
    y = uol.ops.text.dropout(x, seed=HIGHEST_BITS["seed"], p=1.0)
    assert not y.any()
    y.sum().backward()
    assert x.grad is not None and not x.grad.any()


def test_another_seed_drops_others() -> None:
    x = torch.ones(100_000)
    first, second = (uol.ops.text.dropout(x, seed=seed) != 0 for seed in (1, 2))
    assert abs((first == second).float().mean() - 0.5) < 0.01


@pytest.mark.parametrize("causal", [False, True])
def test_attention_leaves_out_what_dropout_of_its_weights_would(causal: bool) -> None:
    q, k, v, dy = (torch.randn(2, 4, 19, 8, dtype=torch.float64, requires_grad=True) for _ in range(4))
    k, v = (x[:, :2].detach().requires_grad_() for x in (k, v))
    kept = uol.ops.text.dropout(torch.ones(2, 4, 19, 19, dtype=torch.float64), seed=11, p=0.3)
    scores = q @ k.repeat_interleave(2, 1).mT / 8**0.5
    seen = torch.ones(19, 19, dtype=torch.bool).tril() if causal else torch.ones(19, 19, dtype=torch.bool)
    theirs = (scores.masked_fill(~seen, -torch.inf).softmax(-1) * kept) @ v.repeat_interleave(2, 1)
    options = {"dropout_p": 0.3, "is_causal": causal, "enable_gqa": True, "seed": 11}
    ours = uol.ops.scaled_dot_product_attention(q, k, v, **options)
    torch.testing.assert_close(ours, theirs)
    for mine, own in zip(*(torch.autograd.grad(y, (q, k, v), dy) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(mine, own)


def test_attention_draws_its_seed_from_pytorch() -> None:
    q = torch.randn(1, 2, 9, 8)
    torch.manual_seed(3)
    first, second = (uol.ops.scaled_dot_product_attention(q, q, q, dropout_p=0.5) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(uol.ops.scaled_dot_product_attention(q, q, q, dropout_p=0.5), first)
    assert not torch.equal(first, second)
    assert not uol.ops.scaled_dot_product_attention(q, q, q, dropout_p=1.0).any()
