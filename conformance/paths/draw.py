"""A step of a path on numbers drawn from a seed, on both sides and in float64; and how far the sides are from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from uol.conformance.accuracy.contracts import unit_roundoff
from uol.conformance.accuracy.dual import Dual, dual_benchmark, limit_of, typical
from uol.ir.errors import UolError

Size = Literal["check", "kernels", "narrow"]
"""check     what errors are judged at, against PyTorch's in the same type
kernels   the path's channels with few tokens, images or frames: what each kernel is run at in the twins
narrow    few of everything: what a whole step is run at in the twins"""

LOOSE = 2.0
"""Times the limits, of one of several values that are alike: its few draws scatter more than those of all."""
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
    DRAWS: Mapping[str, int]
    """By type, how many of the size "check", of which a value's error is the typical one."""

    def draw(self, size: Size, dtype: str, seed: int) -> Draw:
        """The step of a seed."""
        ...

    def alike(self, name: str) -> str:
        """What a value is judged as: its own name, or that of a group of values of one kind and of few numbers, where each is
        one more draw of the others."""
        ...


Sides = tuple[Values, Values, Values]
"""The values of one draw: ours, PyTorch's in the same type, and in float64."""


def sides_of(draw: Draw) -> Sides:
    """The values of a draw on this machine. Ours come first: a draw may let the others route as ours did."""
    ours = draw.ours()
    return ours, draw.theirs(), draw.golden()


def typical_errors(
    draws: Iterable[Draw], dtype: str, level: str, alike: Callable[[str], str] = lambda name: name
) -> dict[str, Dual]:
    """The dual benchmark of every value, the typical one of the draws: of few numbers the one that comes nearest to 0 decides
    alone what the largest and the root of the mean square of a draw's relative errors are. Values that are `alike` are judged
    by the typical one of all, and each of them by `LOOSE` times the limits, too.

    A value of one number is judged once, its draws being the numbers: the ratio of two single errors is chance (where they are
    normal, its logarithm scatters by pi / 2, that of a ratio of two means of 21 by 0.23).
    """
    found: list[Mapping[str, Dual]] = []
    numbers: list[Sides] = []
    for each in draws:
        sides = sides_of(each)
        found.append(errors(sides, dtype, level))
        numbers.append(_single_numbers(sides))
    single = errors(_together(numbers), dtype, level)
    groups: dict[str, list[str]] = {}
    for name in found[0]:
        groups.setdefault(alike(name), []).append(name)
    return {group: single[group] if group in single else _typical_of(names, found, level) for group, names in groups.items()}


def _typical_of(names: Sequence[str], draws: Sequence[Mapping[str, Dual]], level: str) -> Dual:
    """Of values that are alike; it fails where one of them is far beyond the limits by itself."""
    together = typical([draw[name] for draw in draws for name in names], level)
    if len(names) == 1:
        return together
    alone = {name: typical([draw[name] for draw in draws], level, loose=LOOSE) for name in names}
    beyond = "".join(f"; {name} alone: {dual.detail}" for name, dual in alone.items() if not dual.ok)
    return replace(together, ok=together.ok and not beyond, detail=together.detail + beyond)


def _single_numbers(sides: Sides) -> Sides:
    """The values of one number."""
    ours, theirs, golden = ({name: value for name, value in side.items() if value.numel() == 1} for side in sides)
    return ours, theirs, golden


def _together(draws: Sequence[Sides]) -> Sides:
    """All draws of each value as one value."""
    ours, theirs, golden = (
        {name: torch.stack([draw[side][name].detach() for draw in draws]) for name in draws[0][side]} for side in range(3)
    )
    return ours, theirs, golden


def errors(sides: Sides, dtype: str, level: str) -> dict[str, Dual]:
    """The dual benchmark of every value of a draw."""
    found = {}
    for name in _names(sides):
        ours, theirs, golden = (side[name].detach().double().numpy() for side in sides)
        found[name] = dual_benchmark(ours, theirs, golden, dtype, level)
    return found


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a side is from float64: the root of the mean of ||value - golden||^2 / ||golden||^2 over its values."""

    ours: float
    theirs: float
    limit: float

    @property
    def ok(self) -> bool:
        """Is ours within the limit times PyTorch's?"""
        return self.ours <= self.limit * self.theirs

    def __str__(self) -> str:
        ratio = f"{self.ours / self.theirs:.2f} (limit {self.limit:g})"
        return f"{self.ours:.2e} from float64, PyTorch's {self.theirs:.2e}: {ratio}"


def distance(sides: Sides, dtype: str, level: str) -> Distance:
    """Of one draw's values together, each by its own size. The limit is the one of `level` for the largest error: what a single
    draw of few numbers gives is chance on both sides. PyTorch's counts as half an ulp at least."""
    ours, theirs = (
        float(np.sqrt(np.mean([_relative(side[name], sides[2][name]) ** 2 for name in _names(sides)]))) for side in sides[:2]
    )
    return Distance(ours, max(theirs, unit_roundoff(dtype)), limit_of(level, "max"))


def _relative(value: Tensor, golden: Tensor) -> float:
    exact = golden.detach().double()
    return float((value.detach().double() - exact).norm() / exact.norm())


def _names(sides: Sides) -> list[str]:
    names = list(sides[0])
    if any(side.keys() != set(names) for side in sides):
        raise UolError("two sides of a path have different values", hint="its twin has the same parameters and results")
    return names
