"""Sizes of a layer of experts, and of a language model with such layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """`top` of `experts` for each of the `tokens`; `width` numbers a token, `hidden` in an expert."""

    tokens: int
    experts: int
    top: int
    width: int
    hidden: int


SIZES: Mapping[str, Sizes] = {
    "real": Sizes(tokens=8192, experts=128, top=4, width=512, hidden=1024),
    "decode": Sizes(tokens=256, experts=128, top=4, width=512, hidden=1024),
    "check": Sizes(tokens=512, experts=128, top=4, width=512, hidden=1024),
    "kernels": Sizes(tokens=5, experts=5, top=4, width=512, hidden=1024),
    "narrow": Sizes(tokens=24, experts=8, top=3, width=16, hidden=12),
}

BYTES = 256


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """`context` bytes are read at a time, `width` numbers stand for each; `hidden` in an expert, of `experts` the best `top`.
    `balance` and `z`: what the router's two losses weigh beside the cross-entropy."""

    context: int = 64
    width: int = 64
    heads: int = 4
    blocks: int = 2
    experts: int = 128
    top: int = 4
    hidden: int = 32
    capacity: int | None = None
    balance: float = 0.01
    z: float = 0.001


MODELS: Mapping[str, ModelSizes] = {
    "real": ModelSizes(),
    "narrow": ModelSizes(context=6, width=8, heads=2, blocks=1, experts=6, top=2, hidden=5),
}
