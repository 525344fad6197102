"""`uol.SGD` and `uol.AdamW`: torch.optim's optimisers with the steps of `uol.ops.foreach`, one launch over all parameters of a
type where the backend of their device has such (`ForeachBackend`).

    optimiser = uol.SGD(module.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=100)

They are `torch.optim.Optimizer`s: parameter groups, schedulers, `torch.amp.GradScaler` and hooks work on them, and their state
dicts are those of torch.optim's SGD and AdamW, so that a training may change from one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from uol.binding.argument_checks import shown
from uol.ir.errors import UolError
from uol.pytorch import foreach
from uol.pytorch.optimisers.narrow_copies import NarrowCopies

Closure = Callable[[], Any]
Group = dict[str, Any]


class _Optimiser(torch.optim.Optimizer):
    """What the steps have in common. `_advance` takes the parameters of a group that have a gradient. `copies`, where there are
    such, get the new values with the step."""

    copies: NarrowCopies | None = None

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        """One step on every parameter that has a gradient. `closure`, where it is given, makes the gradients anew; its result
        is given back."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self._advance(params, group)
                if self.copies is not None:
                    self.copies.are_written(params)
        return loss

    def _advance(self, params: list[Tensor], group: Group) -> None:
        raise NotImplementedError

    def _copies(self, params: list[Tensor]) -> list[Tensor | None] | None:
        """The copies that a step of these parameters writes."""
        return None if self.copies is None else self.copies.of(params)

    def _kept(self, params: list[Tensor], name: str) -> list[Tensor]:
        """A tensor kept for each parameter, which begins at zero."""
        for p in params:
            if self.state[p].get(name) is None:
                self.state[p][name] = torch.zeros_like(p, memory_format=torch.preserve_format)
        return [self.state[p][name] for p in params]


class SGD(_Optimiser):
    """b = momentum * b + g + weight_decay * p; p -= lr * b (nesterov: lr * (g + weight_decay * p + momentum * b)).

    The buffers b begin at zero and are kept where momentum is not 0. `copies` get the new values. Raises UolError for a rate or
    factor below 0, and for nesterov without momentum.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        copies: NarrowCopies | None = None,
    ) -> None:
        _require_not_negative("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and momentum == 0:
            raise UolError("SGD: nesterov needs momentum", hint="give momentum=0.9")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})
        self.copies = copies

    def _advance(self, params: list[Tensor], group: Group) -> None:
        grads = [p.grad for p in params]
        options = {"lr": float(group["lr"]), "weight_decay": group["weight_decay"]}
        if group["momentum"] == 0:
            foreach.sgd_(params, grads, **options, copies=self._copies(params))
            return
        options |= {"momentum": group["momentum"], "nesterov": group["nesterov"]}
        foreach.sgd_momentum_(params, grads, self._kept(params, "momentum_buffer"), **options, copies=self._copies(params))


class AdamW(_Optimiser):
    """m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g*g; p = p*(1 - lr*weight_decay) - lr * m' / (sqrt(v') + eps), where m' and v'
    are m and v by 1 - b1**step and 1 - b2**step.

    `copies` get the new values. Raises UolError for a rate, factor or eps below 0, and for a beta that is not in [0, 1).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        copies: NarrowCopies | None = None,
    ) -> None:
        _require_not_negative("AdamW", lr=lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise UolError(f"AdamW: betas is {shown(betas)}", hint="each is at least 0 and below 1")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self.copies = copies

    def _advance(self, params: list[Tensor], group: Group) -> None:
        options = {"lr": float(group["lr"]), **{name: group[name] for name in ("betas", "eps", "weight_decay")}}
        for step, alike in self._by_step(params):
            means, squares = (self._kept(alike, name) for name in ("exp_avg", "exp_avg_sq"))
            grads = [p.grad for p in alike]
            foreach.adamw_(alike, grads, means, squares, step=step, **options, copies=self._copies(alike))

    def _by_step(self, params: list[Tensor]) -> Iterator[tuple[int, list[Tensor]]]:
        """The parameters by the number of the step that they take: those without a gradient stay behind."""
        found: dict[int, list[Tensor]] = {}
        for p in params:
            taken = self.state[p].setdefault("step", torch.tensor(0.0))
            taken += 1
            found.setdefault(int(taken), []).append(p)
        yield from found.items()


def _require_not_negative(optimiser: str, **options: float) -> None:
    for name, value in options.items():
        if not float(value) >= 0:  # also where it is NaN
            raise UolError(f"{optimiser}: {name} is {shown(value)}", hint=f"{name} is at least 0")
