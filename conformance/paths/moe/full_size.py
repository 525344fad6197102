"""The layer in training at its full size: 8,192 tokens, and 256 as in decoding."""

from __future__ import annotations

import torch

from uol.conformance.paths.full_size import FullSize, Step, without_values
from uol.conformance.paths.moe.layer import MixtureOfExperts
from uol.conformance.paths.moe.sizes import SIZES, Sizes
from uol.pytorch.optimisers.classes import AdamW

CASES = {"8192 tokens": SIZES["real"], "256 tokens": SIZES["decode"]}


def dims(sizes: Sizes) -> dict[str, int]:
    """As mathematics.py and calls.toml name them."""
    return {"N": sizes.tokens, "E": sizes.experts, "K": sizes.top, "D": sizes.width, "F": sizes.hidden}


def build(case: str, dtype: torch.dtype) -> Step:
    """Forward, backward from the tokens and both losses of the router to tokens and parameters, AdamW. All in one type."""
    sizes = CASES[case]
    with without_values():
        layer = MixtureOfExperts(sizes.width, sizes.hidden, sizes.experts, sizes.top).to(dtype)
        x = torch.empty(sizes.tokens, sizes.width, dtype=dtype).requires_grad_()

    def step() -> None:
        mixed = layer(x)
        results = [mixed.y, mixed.balance, mixed.z]
        torch.autograd.backward(results, [torch.empty_like(each) for each in results])
        AdamW(layer.parameters()).step()

    return step


FULL_SIZE = FullSize({name: dims(sizes) for name, sizes in CASES.items()}, build, "routing is data", is_routed=True)
