"""`uol.ops` against PyTorch on many random shapes, types and layouts (`make soak`)."""

from __future__ import annotations

import random

import pytest
import torch

import uol

F = torch.nn.functional
TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}
CASES = 400


class Draw:
    """Random tensors of any layout."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype = self.random.choice(list(TOLERANCE))

    def size(self, limit: int) -> int:
        return self.random.choice([self.random.randint(1, limit), 1, 7, 16, 33])

    def tensor(self, *size: int) -> torch.Tensor:
        """Dense, channels-last, transposed, with gaps, or a view with an offset."""
        x = torch.randn(size, generator=self.generator, dtype=torch.float64).to(self.dtype)
        match self.random.randrange(5):
            case 1 if len(size) == 4:
                return x.to(memory_format=torch.channels_last)
            case 2 if len(size) >= 2:
                return x.transpose(-1, -2).contiguous().transpose(-1, -2)
            case 3:
                wide = torch.zeros((*size[:-1], 2 * size[-1]), dtype=self.dtype)
                wide[..., ::2] = x
                return wide[..., ::2]
            case 4:
                longer = torch.cat([torch.zeros(3, dtype=self.dtype), x.flatten()])
                return longer[3:].view(size)
        return x


def pair(draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    """An operator's result by uol and by PyTorch."""
    kind = draw.random.choice(["unary", "binary", "rows", "linear", "conv", "pool"])
    if kind in ("unary", "binary", "rows"):
        x = draw.tensor(*(draw.size(40) for _ in range(draw.random.randint(1, 4))))
    if kind == "unary":
        name = draw.random.choice(["relu", "gelu", "silu", "sigmoid", "tanh"])
        return getattr(uol.ops.text, name)(x), getattr(F, name)(x)
    if kind == "binary":
        other = draw.tensor(*(draw.random.choice([1, n]) for n in x.shape[draw.random.randint(0, x.ndim - 1) :]))
        name = draw.random.choice(["add", "sub", "mul"])
        return getattr(uol.ops.text, name)(x, other), getattr(torch, name)(x, other)
    if kind == "rows":
        return uol.ops.text.softmax(x), x.softmax(-1)
    if kind == "linear":
        rows, inner, columns = draw.size(70), draw.size(70), draw.size(70)
        x, w, b = draw.tensor(rows, inner), draw.tensor(columns, inner), draw.tensor(columns)
        return uol.ops.text.linear(x, w, b), F.linear(x, w, b)
    x = draw.tensor(draw.random.randint(1, 2), draw.size(40), draw.random.randint(5, 20), draw.random.randint(5, 20))
    if kind == "pool":
        return uol.ops.text.max_pool2d(x, kernel=3, stride=2, pad=1), F.max_pool2d(x, 3, 2, 1)
    w, stride, pad = draw.tensor(draw.size(40), x.shape[1], 3, 3), draw.random.randint(1, 2), draw.random.randint(0, 2)
    return uol.ops.text.conv2d(x, w, stride=stride, pad=pad), F.conv2d(x, w, stride=stride, padding=pad)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(CASES))
def test_random_calls(seed: int) -> None:
    draw = Draw(seed)
    ours, theirs = pair(draw)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    scale = max(1.0, float(theirs.double().abs().max())) if theirs.numel() else 1.0
    bound = TOLERANCE[draw.dtype] * scale
    assert torch.isfinite(ours).all()
    assert float((ours.double() - theirs.double()).abs().max()) <= bound
