"""A contraction whose rows or terms fall into segments by data, as it is where every segment has as many as any other.

    y[m] = sum[k](x[m, k] * w[segment(m), k])    ->    y[s, i] = sum[k](x[s*c + i, k] * w[s, k])       m = s*c + i

The sizes say how many rows there are, and how many segments; which row is of which one is data. What a kernel of the segments
costs is known only with that, so it is reckoned as the kernel of this spec, with the same tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from uol.codegen.backend import Backend, Device, Schedule
from uol.codegen.choice import candidates
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import ZERO, add, mul, static
from uol.codegen.schedule import distance
from uol.codegen.specs.nodes import Contract, Fold, Guard, KernelSpec, Let, Read, Segments, Step, Strides, Within
from uol.codegen.specs.traverse import map_step, reads
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite, substitute
from uol.ir.types import INDEX


def balanced(spec: KernelSpec) -> KernelSpec:
    """The spec itself where nothing falls into segments, or their number does not divide that of rows or terms."""
    if not isinstance(spec, Contract) or spec.segments is None:
        return spec
    axis = next(a for a in (*spec.m, *spec.k) if a.name == spec.segments.at)
    number = _number(spec, spec.segments)
    length = static(axis.extent)
    if number is None or length is None or length % number:
        return spec
    return _balanced(spec, spec.segments, number, length // number)


def nearest_schedule(spec: KernelSpec, like: Schedule, backend: Backend, device: Device) -> Schedule | None:
    """Of those that fit a spec the one that is nearest to that of another spec; None where none is of its kind."""
    fitting = [c.schedule for c in candidates(spec, backend, device) if c.fits and type(c.schedule) is type(like)]
    return min(fitting, key=lambda schedule: distance(schedule, like), default=None)


def _number(spec: Contract, segments: Segments) -> int | None:
    """How many segments there are: the extent of their axis, or what the read that looks one up is guarded by."""
    for axis in spec.batch:
        if axis.name == segments.of:
            return static(axis.extent)
    guards = (guard for read in reads(spec.b) for guard in read.guard)
    highs = (g.high for g in guards if isinstance(g, Within) and g.value == Var(segments.of, INDEX))
    return next((static(high) for high in highs if high is not None), None)


@verified
def _balanced(spec: Contract, segments: Segments, number: int, count: int) -> Contract:
    own = Axis(segments.of, Const(number))
    batch = spec.batch if any(a.name == own.name for a in spec.batch) else (own, *spec.batch)
    shorter = tuple(
        tuple(replace(a, extent=Const(count)) if a.name == segments.at else a for a in axes) for axes in (spec.m, spec.k)
    )
    value = _substitution(segments, count)
    return replace(
        spec,
        batch=batch,
        m=shorter[0],
        k=shorter[1],
        a=value(spec.a),
        b=value(spec.b),
        epilogue=tuple(_step(step, value, segments, count) for step in spec.epilogue),
        segments=None,
    )


def _substitution(segments: Segments, count: int) -> Callable[[Expr], Expr]:
    """at -> of * count + at, in every index; what a segment is guarded by holds."""
    place = {segments.at: add(mul(Var(segments.of, INDEX), Const(count)), Var(segments.at, INDEX))}

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        guard = tuple(_guard(each, place) for each in node.guard if not _is_of(each, segments.of))
        strides = _strides(node.strides, node.offset, segments, count)
        offset = substitute(node.offset, place)
        return replace(node, offset=offset, strides=strides, guard=guard, fill=node.fill if guard else None)

    return lambda expr: rewrite(expr, rule)


def _guard(guard: Guard, place: dict[str, Expr]) -> Guard:
    return guard.map_children(lambda child: substitute(child, place))


def _is_of(guard: Guard, of: str) -> bool:
    return isinstance(guard, Within) and guard.value == Var(of, INDEX)


def _strides(strides: Strides, offset: Expr, segments: Segments, count: int) -> Strides:
    """With that of the segments, first where they had no axis."""
    known = dict(strides)
    along = known[segments.at]
    looked_up = coefficient(offset, segments.of) if segments.of not in known else 0
    before = known.get(segments.of, ZERO)
    total = (
        None
        if along is None or before is None or looked_up is None
        else add(before, add(mul(along, Const(count)), Const(looked_up)))
    )
    rest = tuple((name, stride) for name, stride in strides if name != segments.of)
    return (
        ((segments.of, total), *rest)
        if segments.of not in known
        else tuple((n, total if n == segments.of else s) for n, s in strides)
    )


def _step(step: Step, value: Callable[[Expr], Expr], segments: Segments, count: int) -> Step:
    found = map_step(step, value)
    if isinstance(found, Fold) or segments.at not in found.axes:
        return found
    axes = found.axes if segments.of in found.axes else (segments.of, *found.axes)
    if isinstance(found, Let):
        return replace(found, axes=axes)
    place = {segments.at: add(mul(Var(segments.of, INDEX), Const(count)), Var(segments.at, INDEX))}
    strides = _strides(found.strides, found.offset, segments, count)
    return replace(found, offset=substitute(found.offset, place), strides=strides, axes=axes)
