"""One side of a path in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

import uol
from uol.conformance.paths.task import Batch, Side, Task
from uol.conformance.paths.training.recipe import Optimiser, Recipe
from uol.ir.errors import UolError
from uol.pytorch.schema import TORCH_TYPES

OPTIMISERS: Mapping[tuple[Side, Optimiser], Callable[..., torch.optim.Optimizer]] = {
    ("uol", "sgd"): uol.SGD,
    ("uol", "adamw"): uol.AdamW,
    ("pytorch", "sgd"): torch.optim.SGD,
    ("pytorch", "adamw"): torch.optim.AdamW,
}
FIRST_RATE = 0.01
"""Where a rate that rises begins, as a share of what it rises to."""
PARTS = ("module", "optimiser", "schedule", "scaler")


@runtime_checkable
class KeepsCopies(Protocol):
    """A module that computes with narrow copies of wide weights."""

    def keep_copies(self, dtype: torch.dtype) -> uol.NarrowCopies:
        """The copies that it computes with from now on."""
        ...


class Training:
    """A module in training. `step(batch)` adds the gradients of a batch up, and lets the optimiser take its step when there are
    enough of them. Where the module keeps narrow copies of its weights, the step writes them."""

    def __init__(self, task: Task, module: nn.Module, side: Side, recipe: Recipe) -> None:
        self.task, self.recipe, self.dtype = task, recipe, TORCH_TYPES[recipe.dtype]
        self.module = module.to(torch.promote_types(self.dtype, torch.float32)).train()
        settings: dict[str, Any] = {**recipe.settings}
        if side == "uol" and isinstance(module, KeepsCopies) and self.dtype.itemsize < torch.float32.itemsize:
            settings["copies"] = module.keep_copies(self.dtype)
        self.optimiser = OPTIMISERS[side, recipe.optimiser](module.parameters(), **settings)
        self.schedule = _schedule(self.optimiser, recipe)
        self.scaler = torch.amp.GradScaler("cpu", enabled=recipe.dtype == "f16")
        self.taken = 0

    def step(self, batch: Batch) -> float:
        """The loss on a batch, whose gradients are added up. One that is not finite changes nothing; of a scaled loss it has
        the scaler skip the optimiser's step, and halve the scale."""
        typed = tuple(x.to(self.dtype) if x.is_floating_point() else x for x in batch)
        loss = self.task.loss(self.module, typed)
        value = float(loss.detach())
        if not isfinite(value) and not self.scaler.is_enabled():
            return value
        self.scaler.scale(loss / self.recipe.accumulate).backward()
        self.taken += 1
        if self.taken % self.recipe.accumulate == 0:
            self.scaler.step(self.optimiser)
            self.scaler.update()
            self.optimiser.zero_grad()
            self.schedule.step()
        return value

    def not_finite(self) -> str:
        """The first parameter, or gradient of one, with an infinity or a NaN in it: "gradient of fc.weight"; empty where all is
        finite. A scaled gradient may overflow: the scaler skips it."""
        for name, parameter in self.module.named_parameters():
            if not parameter.detach().isfinite().all():
                return f"parameter {name}"
            if parameter.grad is not None and not self.scaler.is_enabled() and not parameter.grad.isfinite().all():
                return f"gradient of {name}"
        return ""

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on but the batches; between two steps of the optimiser the gradients, too."""
        gradients = {n: p.grad for n, p in self.module.named_parameters() if p.grad is not None}
        return {**{name: getattr(self, name).state_dict() for name in PARTS}, "taken": self.taken, "gradients": gradients}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where the training stood that gave `state`. Raises UolError where it is of another module."""
        try:
            for name in PARTS:
                getattr(self, name).load_state_dict(state[name])
            self.taken = state["taken"]
            gradients = state["gradients"]
        except (KeyError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise UolError(f"the checkpoint is of another network: {reason}", hint="train into another folder") from error
        for name, parameter in self.module.named_parameters():
            parameter.grad = gradients.get(name)


def _schedule(optimiser: torch.optim.Optimizer, recipe: Recipe) -> torch.optim.lr_scheduler.LRScheduler:
    """The rate over the optimiser's steps."""
    schedules = torch.optim.lr_scheduler
    falls = schedules.CosineAnnealingWarmRestarts(optimiser, recipe.restart, T_mult=2)
    if not recipe.warm_up:
        return falls
    rises = schedules.LinearLR(optimiser, FIRST_RATE, total_iters=recipe.warm_up)
    return schedules.SequentialLR(optimiser, [rises, falls], [recipe.warm_up])
