"""How a path is trained, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Optimiser = Literal["sgd", "adamw"]
SETTINGS: Mapping[Optimiser, Mapping[str, float]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4},
    "adamw": {"lr": 2e-3, "weight_decay": 1e-2},
}
"""What an optimiser is given where a path says nothing else."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """optimiser    the library's, or PyTorch's of the same name
    settings     its keywords: lr, weight_decay, ...
    dtype        type of what the batches hold, and so of the activations; parameters and optimiser stay f32 (f64 with f64)
    accumulate   steps whose gradients are added up before the optimiser takes one, of their mean
    warm_up      steps of the optimiser in which the rate rises to its own
    restart      steps of the optimiser before the rate, which falls along a cosine, begins anew; then twice as many
    """

    optimiser: Optimiser = "sgd"
    settings: Mapping[str, float] = field(default_factory=dict)
    dtype: str = "f32"
    accumulate: int = 4
    warm_up: int = 0
    restart: int = 30


def of_optimiser(optimiser: Optimiser, **others: Any) -> Recipe:
    """The recipe with an optimiser and its usual settings."""
    return Recipe(optimiser, SETTINGS[optimiser], **others)
