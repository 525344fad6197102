"""Matrix products."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def matmul_add(c: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """beta * c + alpha * a @ b."""
    return beta * c + alpha * torch.matmul(a, b)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "cdist": lambda a, b: (a[:, :, None] - b[:, None]).norm(dim=-1),
    "linear": functional.linear,
    "linear_relu": lambda x, w, b: functional.linear(x, w, b).relu(),
    "linear_gelu": lambda x, w, b: functional.gelu(functional.linear(x, w, b)),
    "matmul": torch.matmul,
    "batched_matmul": torch.bmm,
    "matmul_add": matmul_add,
    "matmul_transposed": lambda a, b: torch.matmul(a.mT, b),
    "bilinear": lambda x, z, w, b: torch.einsum("mi,nij,mj->mn", x, w, z) + b,
    "outer": torch.outer,
    "dot": lambda a, b: (a * b).sum(-1),
    "matrix_vector": lambda a, b: torch.matmul(a, b[..., None])[..., 0],
}
