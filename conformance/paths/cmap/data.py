"""Clips of digits that move, with captions whose last word is to be found: "seven left and three ...".

The digits are scikit-learn's, 8 x 8 pixels of 0 to 16, written by hand. Two of them, of different kinds, move over a canvas
whose edges meet, a pixel a frame, each in a direction of its own; of the four captions that the last word makes, one belongs
to the clip. All is drawn from a seed and the number of a step, so that any batch can be made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uol.conformance.paths.cmap.sizes import TRAINED, Sizes
from uol.ir.errors import ToolchainError

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIRECTIONS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
"""Lines and columns a frame."""
WORDS = (*DIGITS, *DIRECTIONS, "and")
HELD_OUT = 360
"""Of the 1797 digits, the last ones: for validation alone."""
VALIDATION = 1 << 32
"""In the place of a seed, for validation: above any that is given."""
BRIGHTEST = 16


def token_count(sizes: Sizes) -> int:
    """How many tokens there are."""
    return len(WORDS) * sizes.words


Image = NDArray[np.float32]
Moves = tuple[tuple[str, str], ...]
"""Two digits with their directions."""
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Video f32 [N, 1, T, H, W], tokens i64 [N, L], which of them are there bool [N, L], and the last word, i64 [N], by its place
in DIRECTIONS. A word has a token for each place in a caption: the word's number in WORDS + len(WORDS) * its place."""


def batch(seed: int, step: int, sizes: Sizes = TRAINED) -> Batch:
    """The batch of a step of training."""
    images, kinds = _digits()
    return _batch(np.random.default_rng((seed, step)), images[:-HELD_OUT], kinds[:-HELD_OUT], sizes)


def validation_batch(number: int, sizes: Sizes = TRAINED) -> Batch:
    """A batch of digits that training does not see, the same for every seed."""
    images, kinds = _digits()
    return _batch(np.random.default_rng((VALIDATION, number)), images[-HELD_OUT:], kinds[-HELD_OUT:], sizes)


def caption(moves: Moves, *, joined: bool) -> tuple[str, ...]:
    """The words for what moves where, without the last one.

    >>> caption((("seven", "left"), ("three", "up")), joined=True)
    ('seven', 'left', 'and', 'three')
    """
    (first, direction), (second, _) = moves
    return (first, direction, "and", second) if joined else (first, direction, second)


@cache
def _digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images [1797, 8, 8] of 0 to 1, and which digits they are. Raises ToolchainError where scikit-learn is missing."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ToolchainError("the digits are scikit-learn's, which is missing", hint="install uol[paths]") from error
    found = load_digits()
    return found.images.astype(np.float32) / BRIGHTEST, found.target.astype(np.int64)


def _batch(draw: np.random.Generator, images: NDArray[np.float32], kinds: NDArray[np.int64], sizes: Sizes) -> Batch:
    video = np.zeros(sizes.video, np.float32)
    tokens = np.zeros((sizes.batch, sizes.words), np.int64)
    there = np.zeros((sizes.batch, sizes.words), np.bool_)
    last = np.zeros(sizes.batch, np.int64)
    for n in range(sizes.batch):
        moves = _moves(draw)
        shown = [images[draw.choice(np.flatnonzero(kinds == DIGITS.index(digit)))] for digit, _ in moves]
        video[n, 0] = _clip(draw, moves, shown, sizes)
        words = caption(moves, joined=bool(draw.integers(2)))
        said = [WORDS.index(word) + len(WORDS) * place for place, word in enumerate(words)]
        last[n] = list(DIRECTIONS).index(moves[1][1])
        tokens[n, : len(said)] = said
        there[n, : len(said)] = True
    return torch.from_numpy(video), torch.from_numpy(tokens), torch.from_numpy(there), torch.from_numpy(last)


def _moves(draw: np.random.Generator) -> Moves:
    """Two digits of different kinds, each with a direction."""
    digits = draw.choice(DIGITS, 2, replace=False)
    return tuple(
        (str(digit), str(direction)) for digit, direction in zip(digits, draw.choice(list(DIRECTIONS), 2), strict=True)
    )


def _clip(draw: np.random.Generator, moves: Moves, shown: Sequence[Image], sizes: Sizes) -> Image:
    """Images of digits that move from where they are drawn; where they meet, the brighter pixel is seen."""
    clip = np.zeros((sizes.frames, sizes.height, sizes.width), np.float32)
    times = np.arange(sizes.frames)[:, None]
    for (_, direction), image in zip(moves, shown, strict=True):
        starts, to = draw.integers((sizes.height, sizes.width)), DIRECTIONS[direction]
        lines = (starts[0] + to[0] * times + np.arange(image.shape[0])) % sizes.height
        columns = (starts[1] + to[1] * times + np.arange(image.shape[1])) % sizes.width
        at = times[..., None], lines[..., None], columns[:, None]
        clip[at] = np.maximum(clip[at], image)
    return clip
