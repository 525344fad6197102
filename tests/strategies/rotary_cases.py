"""Rotary embeddings as models write them, and the operators of the library that they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

B, H, G, L, D = 2, 4, 2, 5, 6


def rotate_half(x: Tensor) -> Tensor:
    x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((-x2, x1), dim=-1)


def llama(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, unsqueeze_dim: int = 1) -> tuple[Tensor, Tensor]:
    """Of the library `transformers`."""
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    return (q * cos) + (rotate_half(q) * sin), (k * cos) + (rotate_half(k) * sin)


def reshape_for_broadcast(freqs: Tensor, x: Tensor) -> Tensor:
    assert freqs.shape == (x.shape[1], x.shape[-1])
    return freqs.view(*[d if i in (1, x.ndim - 1) else 1 for i, d in enumerate(x.shape)])


def complex_llama(xq: Tensor, xk: Tensor, freqs: Tensor) -> tuple[Tensor, Tensor]:
    """Of the model's first release, places in front of heads."""
    q, k = (torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2)) for x in (xq, xk))
    freqs = reshape_for_broadcast(freqs, q)
    q, k = (torch.view_as_real(x * freqs).flatten(3) for x in (q, k))
    return q.type_as(xq), k.type_as(xk)


def every_two(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    swapped = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
    return x * cos[:, :, None] + swapped * sin[:, :, None]


def even_odd(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


def halves(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


@dataclass(frozen=True)
class Case:
    text: Callable[..., Any]
    turned: tuple[tuple[int, ...], ...]
    tables: tuple[int, ...]
    operator: str
    is_complex: bool = False


COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
QK = ((B, H, L, D), (B, G, L, D))
CASES = {
    "llama": Case(llama, QK, (B, L, D), "rotary_embedding_full"),
    "llama, one batch": Case(llama, QK, (1, L, D), "rotary_embedding_full"),
    "llama, places first": Case(llama, ((B, L, H, D), (B, L, G, D)), (L, D), "rotary_embedding_full"),
    "complex": Case(complex_llama, ((B, L, H, D), (B, L, G, D)), (L, D // 2), "rotary_embedding_pairs", True),
    "every two": Case(every_two, ((B, L, H, D),), (B, L, D), "rotary_embedding_full_pairs"),
    "even and odd": Case(even_odd, ((B, H, L, D),), (L, D // 2), "rotary_embedding_pairs"),
    "even and odd, of four dims": Case(even_odd, ((B, L, H, D),), (1, L, 1, D // 2), "rotary_embedding_pairs"),
    "halves": Case(halves, ((B, H, L, D),), (L, D // 2), "rotary_embedding"),
}


def drawn(case: Case, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    kind = COMPLEX.get(dtype) if case.is_complex else dtype
    made = [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in case.turned]
    made += [torch.randn(case.tables, generator=generator, dtype=kind) for _ in range(1 if case.is_complex else 2)]
    return [x.requires_grad_() for x in made]


def results(found: Any, given: list[Tensor]) -> list[Tensor]:
    found = found if isinstance(found, tuple) else (found,)
    cotangents = [torch.linspace(-1, 1, y.numel()).reshape(y.shape).to(y) for y in found]
    return [*found, *torch.autograd.grad(found, given, cotangents)]
