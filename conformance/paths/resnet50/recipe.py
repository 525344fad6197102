"""How ResNet-50 is trained: accumulated gradients, cosine annealing with warm restarts, and a scaled loss in f16.

    python -m uol.conformance.paths.resnet50.recipe [--side uol|pytorch] [--dtype f32|f16|bf16] [--optimiser sgd|adamw]

trains both sides, or one, on the digits and prints loss, test accuracy and time of each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

import uol
from uol.conformance.paths.resnet50.task import TASK
from uol.conformance.paths.task import Batch, Side

TYPES = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
Optimiser = Literal["sgd", "adamw"]
OPTIMISERS: dict[tuple[Side, Optimiser], Callable[..., torch.optim.Optimizer]] = {
    ("uol", "sgd"): uol.SGD,
    ("uol", "adamw"): uol.AdamW,
    ("pytorch", "sgd"): torch.optim.SGD,
    ("pytorch", "adamw"): torch.optim.AdamW,
}
SETTINGS: dict[Optimiser, dict[str, float]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4},
    "adamw": {"lr": 3e-3, "weight_decay": 1e-2},
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """dtype        type of the activations; parameters and optimiser stay f32 (f64 where it is f64)
    accumulate   steps whose gradients are added up before the optimiser takes one, of their mean
    restart      steps of the optimiser before the rate, which falls along a cosine, begins anew; the second time twice as many
    """

    optimiser: Optimiser = "sgd"
    dtype: str = "f32"
    accumulate: int = 4
    restart: int = 30


class Training:
    """A module in training. `step(batch)` adds the gradients of a batch up, and lets the optimiser take its step when there are
    enough of them."""

    def __init__(self, module: nn.Module, side: Side, recipe: Recipe) -> None:
        self.module, self.recipe = module.to(torch.promote_types(TYPES[recipe.dtype], torch.float32)).train(), recipe
        self.optimiser = OPTIMISERS[side, recipe.optimiser](module.parameters(), **SETTINGS[recipe.optimiser])
        schedules = torch.optim.lr_scheduler
        self.schedule = schedules.CosineAnnealingWarmRestarts(self.optimiser, recipe.restart, T_mult=2)
        self.scaler = torch.amp.GradScaler("cpu", enabled=recipe.dtype == "f16")
        self.taken = 0

    def step(self, batch: Batch) -> float:
        """The loss on a batch, whose gradients are added up."""
        images, labels = batch
        loss = TASK.loss(self.module, (images.to(TYPES[self.recipe.dtype]), labels))
        self.scaler.scale(loss / self.recipe.accumulate).backward()
        self.taken += 1
        if self.taken % self.recipe.accumulate == 0:
            self.scaler.step(self.optimiser)
            self.scaler.update()
            self.optimiser.zero_grad()
            self.schedule.step()
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on but the batches; between two steps of the optimiser the gradients, too."""
        parts = {name: getattr(self, name).state_dict() for name in ("module", "optimiser", "schedule", "scaler")}
        gradients = {n: p.grad for n, p in self.module.named_parameters() if p.grad is not None}
        return {**parts, "taken": self.taken, "gradients": gradients}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the training stood that gave `state`."""
        for name in ("module", "optimiser", "schedule", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        self.taken = state["taken"]
        for name, parameter in self.module.named_parameters():
            parameter.grad = state["gradients"].get(name)


@dataclass(frozen=True, slots=True)
class Trained:
    """The losses of all steps, the accuracy on the pictures kept apart, the seconds that the steps took."""

    losses: tuple[float, ...]
    accuracy: float
    seconds: float


def train(side: Side, recipe: Recipe, seed: int = 0, steps: int = TASK.steps) -> Trained:
    """A training from its beginning."""
    training = Training(TASK.build(seed, side), side, recipe)
    start = time.perf_counter()
    losses = tuple([training.step(TASK.batch(seed, step)) for step in range(steps)])
    seconds = time.perf_counter() - start
    return Trained(losses, TASK.validate(training.module), seconds)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", choices=get_args(Side), action="append")
    parser.add_argument("--dtype", choices=TYPES, default="f32")
    parser.add_argument("--optimiser", choices=get_args(Optimiser), default="sgd")
    parser.add_argument("--steps", type=int, default=TASK.steps)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for side in given.side or get_args(Side):
        found = train(side, Recipe(given.optimiser, given.dtype), given.seed, given.steps)
        last = sum(found.losses[-20:]) / len(found.losses[-20:])
        print(f"{side:8} loss {last:.4f}, test accuracy {found.accuracy:.2%}, {found.seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
