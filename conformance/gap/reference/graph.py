"""The mathematics of a path as a graph: tensors, and what each of them is computed from.

    given       parameters, data, gradients that come in: in memory from the start
    product     a sum of products over reduced axes: of matrices, a convolution, an attention, a gradient of one
    elements    element by element, of tensors with the same axes and of vectors, which have fewer axes
    row         a reduction along the last axis: a softmax's sum, a norm's statistics, the best k
    total       a sum over other axes: a batch norm's statistics, a bias's gradient; known when all of it is done
    gather      rows of a tensor by an index, element by element of it, besides vectors
    part        every second line and column of a tensor: what is read of it
    move        windows and sums by routing: an element of several others

Axes are names with extents, the last one innermost; two tensors lie alike where their axes are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

Kind = Literal["given", "product", "elements", "row", "total", "gather", "part", "move"]
Phase = Literal["forward", "backward", "optimiser"]
Axes = tuple[tuple[str, int], ...]
F32, I32, BIT = 4.0, 4.0, 0.125
"""Bytes of a number: of statistics, of an index, of a truth value."""


def axes(**extents: int) -> Axes:
    """Axes by name.

    >>> axes(N=2, C=3)
    (('N', 2), ('C', 3))
    """
    return tuple(extents.items())


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor: `width` bytes of each of its numbers, and what it is computed from.

    Of a product `inputs` are its operands, `reduced` names what it sums over, `operations` counts multiply-adds twice, and what
    has the same `unit` is one kernel by nature (a softmax's two products).
    """

    name: str
    kind: Kind
    axes: Axes
    width: float
    inputs: tuple[Tensor, ...] = ()
    phase: Phase = "forward"
    row: str = ""
    reduced: tuple[str, ...] = ()
    operations: int = 0
    unit: str = ""

    @property
    def bytes(self) -> float:
        """The bytes that cross memory where it is read, or written, once."""
        return self.width * prod(extent for _, extent in self.axes)

    def __repr__(self) -> str:
        return self.name


@dataclass(slots=True)
class Graph:
    """Tensors in an order in which they can be computed. `width`: bytes of an element; `phase` and `row` are those of what is
    added next, `row` being a line of the table that `uol gap` prints."""

    width: float
    phase: Phase = "forward"
    row: str = ""
    tensors: list[Tensor] = field(default_factory=list)
    results: list[Tensor] = field(default_factory=list)

    def at(self, phase: Phase, row: str) -> None:
        """Sets phase and row of the tensors that follow."""
        self.phase, self.row = phase, row

    def given(self, name: str, at: Axes, width: float | None = None) -> Tensor:
        """A parameter, or data."""
        return self._added(name, "given", at, (), width)

    def product(
        self,
        name: str,
        at: Axes,
        operands: Sequence[Tensor],
        over: Sequence[str],
        operations: int,
        unit: str = "",
        width: float | None = None,
    ) -> Tensor:
        """A sum of products of its operands over the axes that `over` names."""
        wide = width or self.width
        tensor = Tensor(name, "product", at, wide, tuple(operands), self.phase, self.row, tuple(over), operations, unit or name)
        self.tensors.append(tensor)
        return tensor

    def elements(self, name: str, at: Axes, *inputs: Tensor, width: float | None = None) -> Tensor:
        return self._added(name, "elements", at, inputs, width)

    def rows(self, name: str, at: Axes, *inputs: Tensor, width: float | None = None) -> Tensor:
        return self._added(name, "row", at, inputs, width)

    def total(self, name: str, at: Axes, *inputs: Tensor, width: float | None = F32) -> Tensor:
        return self._added(name, "total", at, inputs, width)

    def gather(self, name: str, at: Axes, *inputs: Tensor) -> Tensor:
        return self._added(name, "gather", at, inputs, None)

    def part(self, name: str, at: Axes, whole: Tensor) -> Tensor:
        return self._added(name, "part", at, (whole,), whole.width)

    def move(self, name: str, at: Axes, *inputs: Tensor, width: float | None = None) -> Tensor:
        return self._added(name, "move", at, inputs, width)

    def result(self, *tensors: Tensor) -> None:
        """Adds tensors that have to be in memory in the end."""
        self.results += tensors

    def _added(self, name: str, kind: Kind, at: Axes, inputs: Sequence[Tensor], width: float | None) -> Tensor:
        tensor = Tensor(name, kind, at, width or self.width, tuple(inputs), self.phase, self.row)
        self.tensors.append(tensor)
        return tensor


def is_vector(tensor: Tensor, beside: Tensor) -> bool:
    """Has it fewer axes than the other: a scale, a shift, a mask, statistics, an index?"""
    return len(tensor.axes) < len(beside.axes)
