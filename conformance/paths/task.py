"""What a path asks of training: a network on either side, its loss on deterministic batches, and a figure on data kept apart.

A path that can be trained has a module `task` with `TASK`, of this type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from uol.conformance.paths.training.recipe import Recipe

Side = Literal["uol", "pytorch"]
Agreement = Literal["interval", "spread"]
"""How both sides are held together over several seeds (`uol.conformance.paths.training.seeds`): by the interval of their
difference, or by the spread of PyTorch's."""
Batch = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """`build(seed, side)`: the network, the same parameters on both sides. `batch(seed, step)`: the batch of a step, the same
    whenever it is asked for, so that a training that was stopped goes on as if it had not been. `loss(module, batch)`: a scalar
    that has gradients. `validate(module)`: the figure called `metric`, on data that no batch holds.
    `recipe`: how both sides are trained, for `steps` where nothing else is said."""

    name: str
    build: Callable[[int, Side], nn.Module]
    loss: Callable[[nn.Module, Batch], Tensor]
    batch: Callable[[int, int], Batch]
    validate: Callable[[nn.Module], float]
    metric: str
    better: Literal["higher", "lower"]
    steps: int
    recipe: Recipe
    agreement: Agreement = "spread"
