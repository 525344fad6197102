"""Random graphs of maps, views, reductions and products under `torch.compile(model, backend="uol")`, beside eager in f64."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

Tensor = torch.Tensor
Step = Callable[[Tensor, Tensor, Tensor, float], Tensor]

STEPS: tuple[Step, ...] = (
    lambda a, b, w, z: a + b,
    lambda a, b, w, z: a * b,
    lambda a, b, w, z: a - b * z,
    lambda a, b, w, z: torch.tanh(a),
    lambda a, b, w, z: torch.sigmoid(a) * b,
    lambda a, b, w, z: a - a.mean(-1, keepdim=True),
    lambda a, b, w, z: a / (1 + b.abs()),
    lambda a, b, w, z: a * torch.rsqrt(b.square().mean(-1, keepdim=True) + 1e-2),
    lambda a, b, w, z: torch.softmax(a, -1) * b,
    lambda a, b, w, z: a - b.sum(0, keepdim=True) * 0.1,
    lambda a, b, w, z: a * w,
    lambda a, b, w, z: torch.cat([a[:, : a.shape[1] // 2], b[:, a.shape[1] // 2 :]], 1),
    lambda a, b, w, z: torch.cat([-a[:, 5:], b[:, :5]], 1),
    lambda a, b, w, z: a.reshape(-1, a.shape[0]).t().reshape(a.shape) + b,
    lambda a, b, w, z: a.view(a.shape[0], 2, -1).transpose(1, 2).reshape(a.shape) * b,
    lambda a, b, w, z: torch.where(a > b, a, b * z),
    lambda a, b, w, z: (a @ b.t()).relu() @ a * 0.02,
    lambda a, b, w, z: a.amax(1, keepdim=True) + b,
    lambda a, b, w, z: a.clamp(-z, z) + b,
    lambda a, b, w, z: a.flip(1) + b,
    lambda a, b, w, z: a.sum() * 1e-3 + b,
    lambda a, b, w, z: functional.layer_norm(a, (a.shape[1],), w),
)
SIZES = ((40, 12), (8, 24), (64, 36), (33, 16), (1, 12), (100, 6))


def drawn(draw: random.Random) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A function of four to twelve steps, each of two values that are there by then."""
    chosen = [(draw.choice(STEPS), draw.random(), draw.random(), draw.random()) for _ in range(draw.randint(4, 12))]

    def function(x: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        values = [x, y]
        for step, first, second, z in chosen:
            values.append(step(values[int(first * len(values))], values[int(second * len(values))], w, z))
        return values[-1], values[-2].sum(1)

    return function


def stepped(function: Callable[..., tuple[Tensor, Tensor]], leaves: list[Tensor]) -> list[Tensor | None]:
    """The results, and the gradients of a weighted sum of them."""
    results = function(*leaves)
    weights = [torch.linspace(0.5, 1, y.numel(), dtype=y.dtype).view(y.shape) for y in results]
    total = (results[0] * weights[0]).sum() + (results[1] * weights[1]).sum()
    return [*(y.detach() for y in results), *torch.autograd.grad(total, leaves, allow_unused=True)]


def require_as_eager(seed: int) -> None:
    draw = random.Random(seed)
    torch.manual_seed(seed)
    function, (rows, columns) = drawn(draw), draw.choice(SIZES)
    leaves = [
        torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in ((rows, columns), (rows, columns), (columns,))
    ]
    torch._dynamo.reset()
    compiled = torch.compile(function, backend="uol", dynamic=False, fullgraph=True)
    wanted = stepped(function, leaves)
    for _ in range(2):  # the first call runs step by step, the second what was written down
        for found, value in zip(stepped(compiled, leaves), wanted, strict=True):
            assert (found is None) == (value is None), seed
            if found is not None and value is not None:
                most = 1e-9 * max(1.0, float(value.abs().max()))
                torch.testing.assert_close(found, value, rtol=1e-9, atol=most, msg=lambda said: f"graph {seed}: {said}")


@pytest.mark.parametrize("seed", range(2))
def test_a_random_graph_is_as_eager(seed: int) -> None:
    require_as_eager(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 200))
def test_many_random_graphs_are_as_eager(seed: int) -> None:
    require_as_eager(seed)
