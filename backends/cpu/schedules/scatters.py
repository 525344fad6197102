"""Scatter: zeros, then one addition after another.

A target that is an axis alone makes points that differ in it strangers to each other: such axes are cut into tasks, and the
one that lies contiguously feeds the lanes. All others run serially within a task, so that every element is added to in the
order of the points, whatever the number of threads: results are the same bit by bit.
"""

from __future__ import annotations

from contextlib import ExitStack

from uol.backends.cpu.expressions.builder import PARALLEL, SERIAL, VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, conditions, conjunction, evaluate
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.buffer_span import static_span
from uol.backends.cpu.oracle.index_loops import added, cleared
from uol.backends.cpu.schedules.cost import PARALLEL_FROM, size, steps_cost
from uol.backends.cpu.schedules.kinds import Additions
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.statements import run_steps
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Scatter, guard_operands
from uol.codegen.specs.steps import split_lets
from uol.ir.program.nodes import Axis, Const, Var
from uol.ir.program.walk import variables

ZEROS_AT_ONCE = 8
"""Elements that are set to zero for the cost of one that is computed."""


def candidates(spec: Scatter, host: Host) -> tuple[Additions, ...]:
    """One schedule; none where the length of the tensor is an argument."""
    if static_span(spec.arg(spec.add.tensor)) is None:
        return ()
    free = [a for a in spec.index if Var(a.name) in spec.place]
    lane = next((a for a in free if _feeds_lanes(spec, a)), None)
    others = tuple(a for a in free if a is not lane)
    points, zeros = size(spec.index) or 0, static_span(spec.arg(spec.add.tensor)) or 0
    work = points * steps_cost((*spec.steps, spec.add)) if free else 0
    worthwhile = host.cores > 1 and max(work, zeros // ZEROS_AT_ONCE) >= PARALLEL_FROM
    if lane is None:
        return (Additions(1, "", 1, tuple(a.name for a in others), worthwhile),)
    extent = static(lane.extent) or 0
    lanes = host.lanes
    while lanes > 1 and lanes > extent:
        lanes //= 2
    most = max(1, extent // lanes)
    pieces = min(most, host.cores) if worthwhile and (size(others) or 1) < 2 * host.cores else 1
    return (Additions(lanes, lane.name, pieces, tuple(a.name for a in others), worthwhile),)


def _feeds_lanes(spec: Scatter, axis: Axis) -> bool:
    """Does the tensor lie contiguously along the axis, and nothing else of where and when depend on it?"""
    dims = [d for d, place in enumerate(spec.place) if axis.name in variables(place)]
    if len(dims) != 1 or spec.place[dims[0]] != Var(axis.name):
        return False
    guarded = any(axis.name in variables(e) for e in guard_operands(spec.guard))
    return not guarded and static(spec.arg(spec.add.tensor).strides[dims[0]]) == 1


def scheduled(spec: Scatter, schedule: Additions) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    _clear(frame, spec, schedule)
    free = tuple(a for a in spec.index if a.name in schedule.free)
    serial = tuple(a for a in spec.index if a.name not in (*schedule.free, schedule.lane_axis))
    lane_axis = next((a for a in spec.index if a.name == schedule.lane_axis), None)
    length = 0 if lane_axis is None else static(lane_axis.extent) or 0
    width = _piece_width(length, schedule)
    # rounding up to whole vectors can leave fewer pieces than were asked for: 48 in five pieces of 8 lanes are three of 16
    pieces = Axis(f"{schedule.lane_axis}_piece", Const(-(-length // width)))
    nest = (*free, pieces) if lane_axis is not None else free
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
        if lane_axis is None:
            _points(frame, spec, serial, scope, None)
        else:
            _pieces(frame, spec, serial, scope, (lane_axis, scope.values[pieces.name], width, schedule.lanes))
    return frame.close()


def _piece_width(length: int, schedule: Additions) -> int:
    """How much of the lanes' axis a task takes: whole vectors, so that only the last piece ends within one."""
    return max(1, -(-length // (schedule.pieces * schedule.lanes))) * schedule.lanes


def _clear(frame: Frame, spec: Scatter, schedule: Additions) -> None:
    code = frame.code
    span = static_span(spec.arg(spec.add.tensor))
    assert span is not None
    lanes = 16
    kind = PARALLEL if schedule.parallel and span // ZEROS_AT_ONCE >= PARALLEL_FROM else SERIAL
    with code.loop("vector", span // lanes, kind) as vector, code.loop("lane", lanes, VECTORIZED) as lane:
        code.add(cleared(spec, frame.scope, vector * index(lanes) + lane))
    with code.loop("element", span % lanes, start=span - span % lanes) as element:
        code.add(cleared(spec, frame.scope, element))


def _pieces(frame: Frame, spec: Scatter, serial: tuple[Axis, ...], scope: Scope, piece: tuple[Axis, Term, int, int]) -> None:
    """All points of a piece of the lanes' axis: whole pieces, then the last, which may be shorter."""
    axis, number, width, lanes = piece
    extent = static(axis.extent) or 0
    whole, rest = divmod(extent, width)
    for length, start, condition in (
        (width if whole else 0, number * index(width), number < index(whole) if rest else None),
        (rest, index(whole * width), number >= index(whole) if whole else None),
    ):
        if not length:
            continue
        with ExitStack() as guard:
            if condition is not None:
                guard.enter_context(frame.code.when(condition))
            _points(frame, spec, serial, scope, (axis.name, start, length, lanes))


def _points(
    frame: Frame, spec: Scatter, serial: tuple[Axis, ...], scope: Scope, stretch: tuple[str, Term, int, int] | None
) -> None:
    """The additions of a task, in the order of the points. `stretch`: the lanes' axis, where it starts, how long it is and
    how many lanes there are."""
    code = frame.code
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, serial, 0, scope)
        hoisted, steps = split_lets(spec.steps, set() if stretch is None else {stretch[0]})
        scope = run_steps(code, hoisted, scope)
        inside = conjunction([part for guard in spec.guard for part in conditions(guard, scope)])
        if spec.guard:
            loops.enter_context(code.when(inside))
        if stretch is None:
            scope = run_steps(code, steps, scope)
            code.add(added(spec.add, scope, evaluate(spec.add.offset, scope)))
            return
        name, start, length, lanes = stretch
        base = code.hold("base", evaluate(spec.add.offset, scope.with_values({name: start})))
        kind = lane_loop((*steps, spec.add), (name,), scope)
        for first, count, wide in ((0, length // lanes, lanes), (length - length % lanes, 1, length % lanes)):
            if not count or not wide:
                continue
            with code.loop("vector", count) as vector, code.loop("lane", wide, kind) as lane:
                along = index(first) + vector * index(lanes) + lane
                here = run_steps(code, steps, scope.with_values({name: start + along}))
                code.add(added(spec.add, here, base + along))
