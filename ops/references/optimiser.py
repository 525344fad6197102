"""Optimiser steps, by torch.optim itself: one step of a parameter from a given state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def sgd(p: Tensor, g: Tensor, lr: float, weight_decay: float = 0.0) -> Tensor:
    """p after a step without momentum."""
    return _stepped(torch.optim.SGD, p, g, {}, lr=lr, weight_decay=weight_decay)[0]


def sgd_momentum(
    p: Tensor, g: Tensor, buf: Tensor, lr: float, momentum: float = 0.9, weight_decay: float = 0.0, nesterov: int = 0
) -> tuple[Tensor, ...]:
    """p and its momentum after a step."""
    options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": bool(nesterov)}
    return _stepped(torch.optim.SGD, p, g, {"momentum_buffer": buf}, **options)


def adamw(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, lr: float = 1e-3, beta1: float = 0.9, bias1: float = 1.0, **attrs: float
) -> tuple[Tensor, ...]:
    """p and its moments after the step in which 1 - beta1**step is bias1; 1 stands for late ones."""
    beta2, eps = attrs.get("beta2", 0.999), attrs.get("eps", 1e-8)
    step = round(math.log(1 - bias1, beta1)) if bias1 < 1 else 10**6
    state = {"step": torch.tensor(float(step - 1), dtype=torch.float64), "exp_avg": m, "exp_avg_sq": v}
    options = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": attrs.get("weight_decay", 1e-2)}
    new_p, _, new_m, new_v = _stepped(torch.optim.AdamW, p, g, state, **options)
    return new_p, new_m, new_v


def _with_copy(step: Callable[..., Tensor | tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
    """The step with the new parameter once more behind its results: the golden value of a copy leaves the last cast out."""

    def mixed(*inputs: Tensor, **options: float) -> tuple[Tensor, ...]:
        found = step(*inputs, **options)
        results = (found,) if isinstance(found, Tensor) else found
        return *results, results[0]

    return mixed


def _stepped(
    optimiser: Callable[..., torch.optim.Optimizer], p: Tensor, g: Tensor, state: Mapping[str, Tensor], **options: object
) -> tuple[Tensor, ...]:
    """The parameter, then what its state has become; both may be differentiated."""
    parameter = p.clone()
    parameter.grad = g.clone()
    stepper = optimiser([parameter], differentiable=True, **options)
    if state:
        stepper.state[parameter] = {name: value.clone() for name, value in state.items()}
    stepper.step()
    return parameter, *(stepper.state[parameter][name] for name in state)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "sgd": sgd,
    "sgd_momentum": sgd_momentum,
    "adamw": adamw,
    "sgd_mixed": _with_copy(sgd),
    "sgd_momentum_mixed": _with_copy(sgd_momentum),
    "adamw_mixed": _with_copy(adamw),
    "gradient_norm": torch.linalg.vector_norm,
    "clip_gradient": lambda g, scale: g * scale,
}
