"""What stands around attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def rotary_embedding(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """The halves of the last dim as the two parts of complex numbers, turned."""
    first, second = x.chunk(2, -1)
    turned = torch.complex(first, second) * torch.complex(cosine, sine)
    return torch.cat((turned.real, turned.imag), -1)


def rotary_embedding_pairs(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Neighbours of the last dim as complex numbers, turned."""
    turned = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * torch.complex(cosine, sine)
    return torch.view_as_real(turned).flatten(-2)


def rotary_embedding_full(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """As models write it: the halves of the last dim change places, and one of them its sign."""
    first, second = x.chunk(2, -1)
    return x * cosine[:, None] + torch.cat((-second, first), -1) * sine[:, None]


def rotary_embedding_full_pairs(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """The same of neighbours."""
    swapped = torch.stack((-x[..., 1::2], x[..., ::2]), -1).flatten(-2)
    return x * cosine[:, None] + swapped * sine[:, None]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """The mean of the tokens that count; 0 where none does."""
    return x.masked_fill(~mask[..., None], 0.0).sum(1) / mask.sum(1).clamp(min=1)[:, None]


def add_layer_norm(x: Tensor, residual: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """The layer norm of a sum."""
    return functional.layer_norm(x + residual, x.shape[-1:], gamma, beta, eps)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "rotary_embedding": rotary_embedding,
    "rotary_embedding_pairs": rotary_embedding_pairs,
    "rotary_embedding_full": rotary_embedding_full,
    "rotary_embedding_full_pairs": rotary_embedding_full_pairs,
    "swiglu": lambda gate, up: functional.silu(gate) * up,
    "geglu": lambda gate, up: functional.gelu(gate) * up,
    "reglu": lambda gate, up: torch.relu(gate) * up,
    "glu": lambda x: functional.glu(x, -1),
    "split_heads": lambda x, heads: x.unflatten(2, (heads, -1)).transpose(1, 2).contiguous(),
    "merge_heads": lambda x: x.transpose(1, 2).flatten(2),
    "masked_mean": masked_mean,
    "add_layer_norm": add_layer_norm,
}
