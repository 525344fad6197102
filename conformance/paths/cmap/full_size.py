"""Cross-modal pooling in training at its full size: 64 clips with their words."""

from __future__ import annotations

import torch

from uol.conformance.paths.cmap.module import CrossModalPooling
from uol.conformance.paths.cmap.sizes import REAL, Sizes
from uol.conformance.paths.full_size import FullSize, Step, without_values
from uol.pytorch.optimisers.classes import AdamW

CASES = {"batch 64": REAL}


def dims(sizes: Sizes) -> dict[str, int]:
    """As mathematics.py and calls.toml name them."""
    clip = {"N": sizes.batch, "C": sizes.channels, "T": sizes.frames, "Y": sizes.height, "X": sizes.width}
    stem = {"S": sizes.stem[0], "D": sizes.model, "K": sizes.groups}
    return {**clip, **stem, "L": sizes.words, "E": sizes.text_width, "G": sizes.heads}


def build(case: str, dtype: torch.dtype) -> Step:
    """Forward, backward from the vectors to every parameter, AdamW. All in one type."""
    sizes = CASES[case]
    with without_values():
        network = CrossModalPooling(sizes).to(dtype)
        video, text = torch.empty(sizes.video, dtype=dtype), torch.empty(sizes.text, dtype=dtype)
        there = torch.empty(sizes.batch, sizes.words, dtype=torch.bool)

    def step() -> None:
        y = network(video, text, there)
        y.backward(torch.empty_like(y))
        AdamW(network.parameters()).step()

    return step


WORDS = "which words are there is data: all of them"
FULL_SIZE = FullSize({name: dims(sizes) for name, sizes in CASES.items()}, build, WORDS)
