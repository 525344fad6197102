"""Training of the path: which last word of a caption belongs to a clip?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from uol.conformance.paths.cmap import data, module, twin
from uol.conformance.paths.cmap.sizes import TRAINED
from uol.conformance.paths.task import Batch, Side, Task
from uol.conformance.paths.training.recipe import of_optimiser

STEPS = 600
VALIDATION_BATCHES = 32


def build(seed: int, side: Side) -> nn.Module:
    """The network of a side, with the parameters that PyTorch's layers draw from the seed."""
    torch.manual_seed(seed)
    theirs = twin.Answerer(TRAINED, data.token_count(TRAINED), len(data.DIRECTIONS))
    if side == "pytorch":
        return theirs
    ours = module.Answerer(TRAINED, data.token_count(TRAINED), len(data.DIRECTIONS))
    ours.load_state_dict(theirs.state_dict())
    return ours


def loss(network: nn.Module, batch: Batch) -> Tensor:
    """The cross entropy of a batch."""
    assert isinstance(network, module.Answerer | twin.Answerer)
    found: Tensor = network.loss(*batch)
    return found


def batch(seed: int, step: int) -> Batch:
    """See `data.batch`."""
    return data.batch(seed, step)


def validate(network: nn.Module) -> float:
    """The share of last words that are right, of clips whose digits no batch of training holds. A quarter is chance."""
    right = 0
    with torch.no_grad():
        for number in range(VALIDATION_BATCHES):
            *inputs, last = data.validation_batch(number)
            right += int((network(*inputs).argmax(1) == last).sum())
    return right / (VALIDATION_BATCHES * TRAINED.batch)


RECIPE = of_optimiser("adamw", accumulate=1, warm_up=100, restart=STEPS)
TASK = Task("cmap", build, loss, batch, validate, "validation accuracy", "higher", STEPS, RECIPE)
