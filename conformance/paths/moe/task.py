"""The training of the language model: the loss on text that no batch has, in nats a byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from uol.conformance.paths.moe import data, module, twin_module
from uol.conformance.paths.moe.sizes import MODELS, ModelSizes
from uol.conformance.paths.task import Batch, Side, Task
from uol.conformance.paths.training.recipe import of_optimiser

SIZES = MODELS["real"]
TEXTS = 16
KEPT_TEXTS = 128

Model = module.LanguageModel | twin_module.LanguageModel
_MODELS: Mapping[Side, Callable[[ModelSizes], Model]] = {"uol": module.LanguageModel, "pytorch": twin_module.LanguageModel}


def build(seed: int, side: Side) -> nn.Module:
    """The model, with parameters by the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _MODELS[side](SIZES)


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """The cross-entropy, with the losses of the routers."""
    assert isinstance(model, Model)
    return model.loss(*batch)[0]


def batch(seed: int, step: int) -> Batch:
    """Bytes and those after them."""
    return data.batch(seed, step, TEXTS, SIZES.context)


@torch.no_grad()
def validate(model: nn.Module) -> float:
    """The mean cross-entropy of a byte."""
    assert isinstance(model, Model)
    at, target = data.validation(KEPT_TEXTS, SIZES.context)
    parts = [model.loss(a, t)[1] for a, t in zip(at.split(TEXTS), target.split(TEXTS), strict=True)]
    return float(torch.stack(parts).mean())


RECIPE = of_optimiser("adamw", accumulate=1, restart=300)
TASK = Task("moe", build, loss, batch, validate, metric="validation loss", better="lower", steps=300, recipe=RECIPE)
