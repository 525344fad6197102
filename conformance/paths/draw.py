"""A step of a path on numbers drawn from a seed, on both sides and in float64; and how far the sides are from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from uol.conformance.accuracy.dual import Dual, dual_benchmark

Size = Literal["check", "kernels", "narrow"]
"""check     what errors are judged at, against PyTorch's in the same type
kernels   the path's channels with few tokens, images or frames: what each kernel is run at in the twins
narrow    few of everything: what a whole step is run at in the twins"""

Values = Mapping[str, Tensor]
"""The network's results and the gradient of each parameter, by name."""


class Draw(Protocol):
    """Parameters, inputs and cotangents, rounded to a type. Each call is a step of its own: forward, and backward to every
    parameter."""

    @property
    def parameters(self) -> Values:
        """The parameters that have gradients, by name."""
        ...

    def ours(self) -> Values:
        """By uol's operators."""
        ...

    def theirs(self) -> Values:
        """By PyTorch in the same type."""
        ...

    def golden(self) -> Values:
        """By PyTorch in float64."""
        ...


class DrawnPath(Protocol):
    """A path's module `draw`."""

    LEVEL: str
    """The level of the dual benchmark that its values owe."""

    def draw(self, size: Size, dtype: str, seed: int) -> Draw:
        """The step of a seed."""
        ...


def errors(draw: Draw, ours: Callable[[], Values], dtype: str, level: str) -> dict[str, Dual]:
    """The dual benchmark of every value of `ours`, PyTorch in the same type being the partner."""
    golden, theirs, found = draw.golden(), draw.theirs(), ours()
    if found.keys() != golden.keys():
        raise KeyError(f"values {sorted(found.keys() ^ golden.keys())} are of one side alone")
    return {name: dual_benchmark(*_numbers((found[name], theirs[name], value)), dtype, level) for name, value in golden.items()}


def _numbers(tensors: Sequence[Tensor]) -> list[NDArray[np.float64]]:
    return [t.detach().double().numpy() for t in tensors]
