"""Handwritten digits that scikit-learn ships (1,797 of 8 x 8, of the UCI repository), as pictures of 32 x 32 in three channels.

The split is fixed; a batch follows from a seed and a step alone. Pictures for training are moved a little, each time
otherwise, without which seeds differ by several points: 1,437 of them are learned by heart.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uol.ir.errors import ToolchainError

SIDE = 32
TESTED = 360
"""Pictures that no batch holds: one in five."""
SPLIT_SEED = 20
FARTHEST = 2
"""Pixels by which a picture for training is moved at the most, up or down and to a side."""


@cache
def pictures() -> tuple[Tensor, Tensor]:
    """All pictures [N, 3, 32, 32], bilinear, of mean 0 and deviation 1, and their labels; in an order that is drawn once."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ToolchainError("the digits are scikit-learn's, which is missing", hint="install uol[paths]") from error
    digits, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    large = upsampled(digits.reshape(-1, 8, 8)[order])
    normal = ((large - large.mean()) / large.std()).astype(np.float32)
    three = np.repeat(normal[:, None], 3, axis=1)
    return torch.from_numpy(three), torch.from_numpy(labels[order].astype(np.int64))


def upsampled(small: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, H, W] -> [N, 32, 32]: linear along both axes, between the middles of the pixels."""
    along = [_weights(size) for size in small.shape[1:]]
    large: NDArray[np.float64] = np.einsum("ih,nhw,jw->nij", along[0], small, along[1])
    return large


def _weights(size: int) -> NDArray[np.float64]:
    places = np.clip((np.arange(SIDE) + 0.5) * size / SIDE - 0.5, 0, size - 1)
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(size)))
    return weights


def training(seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
    """The batch of a step: each epoch takes all pictures for training in an order of its own, but those that fill no batch."""
    images, labels = pictures()
    count = len(labels) - TESTED
    epoch, place = divmod(step, count // size)
    order = np.random.default_rng((seed, epoch)).permutation(count)[place * size : (place + 1) * size]
    moves = np.random.default_rng((seed, epoch, place)).integers(-FARTHEST, FARTHEST + 1, (size, 2))
    return moved(images[TESTED:][order], moves), labels[TESTED:][order]


def moved(images: Tensor, moves: NDArray[np.int64]) -> Tensor:
    """Each picture some pixels down and to the right; what comes into it is as dark as the darkest place of all."""
    wide = torch.nn.functional.pad(images, (FARTHEST,) * 4, value=float(images.min()))
    corners = (FARTHEST - moves).tolist()
    return torch.stack([image[:, y : y + SIDE, x : x + SIDE] for image, (y, x) in zip(wide, corners, strict=True)])


def tested() -> tuple[Tensor, Tensor]:
    """The pictures that are kept apart, and their labels."""
    images, labels = pictures()
    return images[:TESTED], labels[:TESTED]
