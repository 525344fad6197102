"""Gradients of attention whose scores are in the hundreds, beside PyTorch's in f64.

Queries and keys are whole numbers whose scores f32 has exactly, so that all that is lost is lost by the softmax. A log-sum-exp
of such scores is rounded to 3e-5, and what is made of it is wrong by as much.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import uol

attention = torch.nn.functional.scaled_dot_product_attention
B, H, L, M, D = 2, 3, 9, 12, 16
SEEN = torch.arange(L)[:, None] >= torch.arange(M) - 2
Form = Callable[[Tensor, Tensor, Tensor], Tensor]


@torch.compile(backend="uol", dynamic=False)
def compiled(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return attention(q, k, v)


FORMS: dict[str, tuple[Form, Form]] = {
    "attention": (uol.ops.text.attention, attention),
    "causal": (uol.ops.text.causal_attention, lambda q, k, v: attention(q, k, v, is_causal=True)),
    "masked": (lambda q, k, v: uol.ops.text.masked_attention(q, k, v, SEEN), lambda q, k, v: attention(q, k, v, SEEN)),
    "biased": (
        lambda q, k, v: uol.ops.text.biased_attention(q, k, v, 100 * SEEN.to(q.dtype)),
        lambda q, k, v: attention(q, k, v, 100 * SEEN.to(q.dtype)),
    ),
    "pool": (
        lambda q, k, v: uol.ops.text.attention_pool(q[0, :, 0], k, v),
        lambda q, k, v: attention(q[:1, :, :1].expand(B, H, 1, D), k, v)[:, :, 0],
    ),
    "graph": (compiled, attention),
}


def great() -> list[Tensor]:
    """Scores of 320 and some quarters."""
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randint(-1, 2, (B, H, rows, D), generator=generator).float() for rows in (L, M))
    q[..., 0], k[..., 0] = 40, 32
    return [x.requires_grad_() for x in (q, k, torch.randn(B, H, M, D, generator=generator))]


@pytest.mark.parametrize("name", FORMS)
def test_gradients_lose_no_digits_to_the_size_of_the_scores(name: str) -> None:
    ours, theirs = FORMS[name]
    given = great()
    exact = [x.detach().double().requires_grad_() for x in given]
    found, golden = ours(*given), theirs(*exact)
    cotangent = torch.randn(golden.shape, generator=torch.Generator().manual_seed(1))
    pairs = zip(
        (found, *torch.autograd.grad(found, given, cotangent)),
        (golden, *torch.autograd.grad(golden, exact, cotangent.double())),
        strict=True,
    )
    for y, wanted in pairs:
        # less the first component, whose gradient for q and k is a sum of great terms that come to 0
        error, size = (x[..., 1:].abs().max() for x in (y.double() - wanted, wanted))
        assert error < 2e-6 * size
