"""Loop nests over axes: a fused parallel loop outside, serial loops within."""

from __future__ import annotations

from contextlib import ExitStack

from tvm import tirx

from uol.backends.cpu.expressions.builder import PARALLEL, Extent, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.extents import remainder
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame
from uol.ir.program.nodes import Axis


def product(extents: list[Extent]) -> Extent:
    """The product, a number where all are."""
    total: Extent = 1
    for extent in extents:
        total = total * extent
    return total


def split(extent: Extent, step: int) -> tuple[Extent, Extent]:
    """(whole steps, what is left) of an extent."""
    if isinstance(extent, int):
        return divmod(extent, step)
    return tirx.FloorDiv(extent, index(step)), tirx.FloorMod(extent, index(step))


def flatten(frame: Frame, scope: Scope, axes: tuple[Axis, ...]) -> Term:
    """The position in row-major order of the axes: `unflatten` backwards."""
    flat = index(0)
    for axis in axes:
        flat = flat * index(frame.extent(axis.extent)) + scope.values[axis.name]
    return flat


def unflatten(frame: Frame, flat: Term, named: list[tuple[str, Extent]]) -> dict[str, Term]:
    """The indices of a position in row-major order, each under its name."""
    found: dict[str, Term] = {}
    for place, (name, extent) in enumerate(reversed(named)):
        last = place == len(named) - 1
        if isinstance(extent, int) and extent <= 1:  # of no index at all nothing is run
            found[name] = index(0)
            continue
        quotient, rest = (flat, flat) if last else _divided(flat, extent)
        found[name] = frame.code.bind(name, rest)
        if not last:
            flat = frame.code.bind("rest", quotient)
    return found


def _divided(flat: Term, extent: Extent) -> tuple[Term, Term]:
    """Quotient and rest; nothing is negative. TVM sees that of numbers alone: an argument would be rounded down by conditions
    that take LLVM ten times as long as all else."""
    whole = tirx.FloorDiv(flat, index(extent)) if isinstance(extent, int) else tirx.Div(flat, extent)
    return whole, remainder(flat, extent)


def enter_nest(frame: Frame, loops: ExitStack, axes: tuple[Axis, ...], parallel: int, scope: Scope) -> Scope:
    """Opens loops over the axes, the first `parallel` of them as one parallel loop; the scope within."""
    first = [(a.name, _held(frame, a)) for a in axes[:parallel]]
    if first:
        name = "_".join(n for n, _ in first)
        flat = loops.enter_context(frame.code.loop(name, product([e for _, e in first]), PARALLEL))
        scope = scope.with_values(unflatten(frame, flat, first))
    for axis in axes[parallel:]:
        if axis.name in scope.limits:
            start, end = scope.limits[axis.name]
            variable = loops.enter_context(frame.code.loop(axis.name, end - start, start=start))
        else:
            variable = loops.enter_context(frame.code.loop(axis.name, frame.extent(axis.extent)))
        scope = scope.with_values({axis.name: variable})
    return scope


def _held(frame: Frame, axis: Axis) -> Extent:
    """The extent of an axis, evaluated once."""
    extent = frame.extent(axis.extent)
    return extent if isinstance(extent, int) else frame.code.bind(f"{axis.name}_extent", extent)
