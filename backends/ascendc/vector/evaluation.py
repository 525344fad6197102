"""What the rules for one kind of expression (predicates, 64-bit pairs, random bits) ask of the evaluator that calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from uol.backends.ascendc.transfers.indices import Indices
from uol.backends.ascendc.vector.tile import Frame, Span
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Truth, Value
from uol.codegen.specs.nodes import Read
from uol.ir.program.nodes import Expr


class Evaluation(Protocol):
    """Expressions as values at one place of a kernel.

    load   brings a read's lanes
    lets   values of earlier steps, by name
    """

    unit: VectorUnit
    indices: Indices
    lets: dict[str, Value | Truth]

    @property
    def frame(self) -> Frame: ...

    @property
    def load(self) -> Callable[[Read], Value]: ...

    def value(self, expr: Expr) -> Value:
        """The expression's value, in whatever type it is at hand."""
        ...

    def number(self, expr: Expr) -> Value:
        """The value in the type in which values of its type are computed."""
        ...

    def lanes(self, value: Value, dtype: str, span: Span) -> Lanes:
        """The value as lanes of at least a span."""
        ...
