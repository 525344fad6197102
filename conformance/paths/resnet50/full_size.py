"""ResNet-50 in training at its full size: 256 pictures of 224 x 224."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from uol.conformance.paths.full_size import FullSize, Step, without_values
from uol.conformance.paths.resnet50.module import ResNet, loss
from uol.conformance.paths.resnet50.sizes import SIZES, Sizes
from uol.conformance.paths.training.recipe import SETTINGS
from uol.pytorch.optimisers.classes import SGD

CASES = {"batch 256": SIZES["real"]}


def dims(sizes: Sizes) -> dict[str, int]:
    """As mathematics.py and calls.toml name them."""
    return {"N": sizes.batch, "S": sizes.image, "W": sizes.width, "Z": sizes.classes}


def build(case: str, dtype: torch.dtype) -> Step:
    """Forward, backward from the loss to every parameter, SGD with momentum. Pictures and activations are channels-last in the
    type, parameters and optimiser f32. The step is one behind others: the optimiser has written the weights' copies in the
    type."""
    sizes = CASES[case]
    settings: Mapping[str, Any] = SETTINGS["sgd"]
    with without_values():
        network = ResNet(sizes).train()
        pictures = torch.empty(sizes.batch, 3, sizes.image, sizes.image, dtype=dtype).to(memory_format=torch.channels_last)
        labels = torch.empty(sizes.batch, dtype=torch.int64)

    copies = network.keep_copies(dtype) if dtype.itemsize < torch.float32.itemsize else None

    def step() -> None:
        loss(network(pictures), labels).backward()
        SGD(network.parameters(), **settings, copies=copies).step()

    return step


MASTERS = "activations are channels-last, weights and optimiser f32, with copies of weights that the optimiser writes"
FULL_SIZE = FullSize({name: dims(sizes) for name, sizes in CASES.items()}, build, MASTERS)
