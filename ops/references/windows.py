"""Attributes of windows, as PyTorch takes them: the finer ones (`stride_h`, `pad_left`) default to the coarser ones."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

Attributes = Mapping[str, int]

AXES = {1: ("w",), 2: ("h", "w"), 3: ("d", "h", "w")}
"""The suffixes of attributes by the number of axes."""

SIDES = {"d": ("front", "back"), "h": ("top", "bottom"), "w": ("left", "right")}


def each_axis(attrs: Attributes, name: str, default: int, rank: int) -> tuple[int, ...]:
    """An attribute for each axis of the window."""
    common = attrs.get(name, default)
    return tuple(attrs.get(f"{name}_{axis}", common) for axis in AXES[rank])


def sides(attrs: Attributes, rank: int) -> list[tuple[int, int]]:
    """The padding before and after, for each axis."""
    found = []
    for axis in AXES[rank]:
        first, last = SIDES[axis]
        before = attrs.get(f"pad_{first}", attrs.get("pad", 0))
        found.append((before, attrs.get(f"pad_{last}", before)))
    return found


def padded(x: Tensor, attrs: Attributes, value: float, rank: int) -> Tensor:
    """x with its last `rank` dims padded."""
    return functional.pad(x, [side for both in reversed(sides(attrs, rank)) for side in both], value=value)
