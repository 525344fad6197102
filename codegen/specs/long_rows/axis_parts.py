"""An axis in parts: what is along it is along two."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import add, ceil_div, mul, static
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Fold, KernelSpec, Let, Read, Step, Strides, Within
from uol.codegen.specs.traverse import map_step, map_strides, names_of
from uol.ir.program.nodes import Axis, Const, Expr, Var, zero_of
from uol.ir.program.walk import rewrite, substitute, variables


@dataclass(frozen=True, slots=True)
class AxisParts:
    """`axis` is at `part * extent of within + within`, where `within` has its name. Where the parts are not of one size, the
    last are shorter, or empty: reads beyond the axis are guarded."""

    axis: Axis
    part: Axis
    within: Axis
    are_even: bool

    @staticmethod
    def of(spec: KernelSpec, axis: Axis, parts: int, multiple: int = 1) -> AxisParts:
        """One of a spec's axes in so many, or fewer: where the parts are multiples of a length. Where a dim says how long the
        axis is, there are so many, and some may be empty."""
        length = mul(ceil_div(axis.extent, parts * multiple), Const(multiple))
        known, extent = static(length), static(axis.extent)
        if known and extent is not None:
            parts = -(-extent // known)
        part, within = Axis(_name_of_part(spec), Const(parts)), Axis(axis.name, length)
        return AxisParts(axis, part, within, mul(length, Const(parts)) == axis.extent)

    @staticmethod
    def of_length(spec: KernelSpec, axis: Axis, length: int) -> AxisParts:
        """One of a spec's axes in parts of a length."""
        parts = ceil_div(axis.extent, length)
        part, within = Axis(_name_of_part(spec), parts), Axis(axis.name, Const(length))
        return AxisParts(axis, part, within, mul(within.extent, parts) == axis.extent)

    @staticmethod
    def even(spec: KernelSpec, axis: Axis, parts: int, length: Expr) -> AxisParts:
        """One of a spec's axes in so many parts, which have that length."""
        return AxisParts(axis, Axis(_name_of_part(spec), Const(parts)), Axis(axis.name, length), are_even=True)

    @property
    def place(self) -> Expr:
        """Where on the axis."""
        return add(mul(Var(self.part.name), self.within.extent), Var(self.axis.name))

    def value(self, expr: Expr) -> Expr:
        """An expression over both axes."""
        return map_strides(substitute(self._guarded(expr), {self.axis.name: self.place}), self._strides)

    def step(self, step: Step) -> Step:
        """A step over both axes, where it was over the one."""
        new = map_step(step, self.value)
        if isinstance(new, Fold) or self.axis.name not in new.axes:
            return new
        axes = tuple(each for name in new.axes for each in ((self.part.name, name) if name == self.axis.name else (name,)))
        return replace(new, axes=axes) if isinstance(new, Let) else replace(new, axes=axes, strides=self._strides(new.strides))

    def _strides(self, given: Strides) -> Strides:
        """The strides of an access; the part's in front of that of what is within."""
        out: list[tuple[str, Expr | None]] = []
        for name, stride in given:
            if name == self.axis.name:
                out.append((self.part.name, None if stride is None else mul(stride, self.within.extent)))
            out.append((name, stride))
        return tuple(out)

    def _guarded(self, expr: Expr) -> Expr:
        """The expression with reads along the axis at 0 beyond it."""
        if self.are_even:
            return expr
        inside = Within(Var(self.axis.name), None, self.axis.extent)

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Read) or self.axis.name not in variables(node.offset):
                return None
            fill = zero_of(node.dtype) if node.fill is None else node.fill
            return replace(node, guard=(inside, *node.guard), fill=fill)

        return rewrite(expr, rule)


def _name_of_part(spec: KernelSpec) -> str:
    """A name that nothing has."""
    buffers, numbers = (a.name for a in spec.args), (s.name for s in spec.scalars)
    return unused("part", {*names_of(spec), *(a.name for a in spec.axes), *buffers, *numbers, *spec.dims})
