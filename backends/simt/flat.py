"""From one flat counter to the axes it runs over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from uol.backends.abi.workspace import static_extent
from uol.backends.simt.c_printer import Printer
from uol.backends.simt.fold_constants import folded, substituted
from uol.codegen.index import ZERO, dense_strides, size
from uol.codegen.spec import Fold, Let, Read, Step, Store
from uol.codegen.traverse import rewrite
from uol.ir.intervals import Interval
from uol.ir.nodes import Axis, Call, Const, Expr, Var
from uol.ir.types import INDEX


def count_of(axes: Iterable[Axis]) -> int:
    """How many points the axes span."""
    return prod(static_extent(a.extent) for a in axes)


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter `name` over `axes`, the last of them fastest. With one axis the counter is that axis."""

    name: str
    axes: tuple[Axis, ...]

    @staticmethod
    def over(axes: Sequence[Axis], name: str) -> Counter:
        return Counter(axes[0].name if len(axes) == 1 else name, tuple(axes))

    @property
    def count(self) -> int:
        return count_of(self.axes)

    def known(self, printer: Printer) -> Printer:
        """A printer that knows the counter and its range."""
        ranges = printer.ranges
        bounds = {**ranges.variables, self.name: Interval(0, max(self.count - 1, 0))}
        return replace(
            printer,
            names=printer.names.with_locals([self.name]),
            proofs=replace(printer.proofs, ranges=replace(ranges, variables=bounds)),
        )

    def declarations(self, printer: Printer, needed: frozenset[str]) -> list[str]:
        """`const int h = i / 56 % 56;` for every axis that is needed and is not the counter itself."""
        if len(self.axes) <= 1:
            return []
        lines = []
        for place, axis in enumerate(self.axes):
            if axis.name in needed:
                text = printer.value(self.axis_value(place))
                lines.append(f"const {printer.index_type} {printer.names.variable(axis.name)} = {text};")
        return lines

    def axis_value(self, place: int) -> Expr:
        """counter / (product of the inner extents) % extent; the outermost axis needs no remainder."""
        inner = size(self.axes[place + 1 :])
        value = folded(Call("/", (Var(self.name), inner), INDEX))
        return value if place == 0 else folded(Call("%", (value, self.axes[place].extent), INDEX))

    def shortened(self, step: Step) -> Step:
        """The step with every offset that is dense over the axes replaced by the counter: `x[i]`."""
        if len(self.axes) <= 1:
            return step
        match step:
            case Let(value=value):
                return replace(step, value=self._shortened(value))
            case Fold(value=value, where=where):
                return replace(step, value=self._shortened(value), where=tuple(self._shortened(w) for w in where))
            case Store(offset=offset, strides=strides, value=value):
                dense = self._is_dense(offset, strides)
                return replace(step, offset=Var(self.name) if dense else offset, value=self._shortened(value))

    def _shortened(self, expr: Expr) -> Expr:
        def rule(node: Expr) -> Expr | None:
            if isinstance(node, Read) and not node.guard and self._is_dense(node.offset, node.strides):
                return replace(node, offset=Var(self.name))
            return None

        return rewrite(expr, rule)

    def _is_dense(self, offset: Expr, strides: tuple[tuple[str, Expr | None], ...]) -> bool:
        wanted = dict(zip((a.name for a in self.axes), dense_strides([a.extent for a in self.axes]), strict=True))
        found = {name: stride for name, stride in strides if stride != ZERO}
        return found == wanted and substituted(offset, dict.fromkeys(wanted, ZERO)) == Const(0)
