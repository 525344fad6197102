"""Handwritten digits that scikit-learn ships (1,797 of 8 x 8, of the UCI repository), as pictures of 32 x 32 in three channels.

The split is fixed; a batch follows from a seed and a step alone.
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
    return images[TESTED:][order], labels[TESTED:][order]


def tested() -> tuple[Tensor, Tensor]:
    """The pictures that are kept apart, and their labels."""
    images, labels = pictures()
    return images[:TESTED], labels[:TESTED]
