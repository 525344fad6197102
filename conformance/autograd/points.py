"""The points of an iteration space at which a value is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Points:
    """`count` points; `indices` holds the value of every index at each of them, i64[count] by the name of the index."""

    count: int
    indices: Mapping[str, Tensor]

    def at(self, kept: Tensor) -> Points:
        """Those of the given numbers, i64[n]."""
        return Points(len(kept), {name: values[kept] for name, values in self.indices.items()})

    def crossed(self, axes: Mapping[str, int]) -> Points:
        """Every point with all values of further indices, the last one the fastest."""
        inner = box(axes)
        indices = {name: values.repeat_interleave(inner.count) for name, values in self.indices.items()}
        indices |= {name: values.repeat(self.count) for name, values in inner.indices.items()}
        return Points(self.count * inner.count, indices)


def box(axes: Mapping[str, int]) -> Points:
    """All points of a box, by the extent of each index, in row-major order.

    >>> box({"i": 2, "j": 2}).indices["j"]
    tensor([0, 1, 0, 1])
    """
    count = 1
    for extent in axes.values():
        count *= extent
    indices, inner = {}, count
    for name, extent in axes.items():
        inner = inner // extent if extent else 0
        indices[name] = torch.arange(count) // max(inner, 1) % max(extent, 1)
    return Points(count, indices)


def spread(value: Tensor, count: int) -> Tensor:
    """A value at `count` points, one that is the same at all of them included."""
    return value.expand(count) if value.dim() == 0 else value


def merged(count: int, parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """One value a point, from values at some of the points: pairs of their numbers and of what is there. Together they
    are all points."""
    whole = [values for kept, values in parts if len(kept) == count]
    if whole:
        return whole[0]
    out = torch.zeros(count, dtype=parts[0][1].dtype)
    for kept, values in parts:
        out = out.index_put((kept,), spread(values, len(kept)))
    return out
