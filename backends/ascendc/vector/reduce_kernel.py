"""Reduce on the vector unit, by one of two choices of lanes.

    over rows   lanes are results: a loop over the cols folds into accumulators (pooling windows, channel sums); rows of a tile
                along one of the cols have accumulators each, which are folded at the end (statistics of channels)
    over cols   lanes are what is folded: rows are tasks, a row is read in tiles (softmax, norms)

Over cols, a row that fits into one tile is read once and stays in UB for all steps; a longer one is read once a pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod

from uol.backends.ascendc.helpers import LESSER
from uol.backends.ascendc.machine import ceil_div
from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.ascendc.transfers.indices import extent
from uol.backends.ascendc.transfers.stores import store
from uol.backends.ascendc.vector.evaluate import Evaluator
from uol.backends.ascendc.vector.folds import (
    INDEXED,
    LOGICAL,
    Accumulator,
    begin,
    call_of,
    check_index,
    conditions,
    fold_in,
    folded_value,
    kind_of,
    masked,
    result,
)
from uol.backends.ascendc.vector.kernel import VectorKernel
from uol.backends.ascendc.vector.lane_folds import across
from uol.backends.ascendc.vector.predicates import mask_of
from uol.backends.ascendc.vector.tile import LANES, TILE, Frame
from uol.backends.ascendc.vector.tiling import frame_of, row_end, without_conditions
from uol.backends.ascendc.vector.unit import VectorUnit, positions
from uol.backends.ascendc.vector.values import Lanes, Truth, Uniform, Unsupported, Value
from uol.codegen.indexing.arithmetic import add, mul
from uol.codegen.specs.nodes import Fold, Let, Reduce, Step, Store
from uol.codegen.specs.steps import Pass, passes_of
from uol.codegen.specs.traverse import values_of
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import variables, walk


def reduce_kernel(spec: Reduce, schedule: VectorSchedule) -> VectorKernel:
    """The kernel of a Reduce whose axes have been collapsed."""
    over_rows, empty = schedule.over == "rows", any(extent(a) == 0 for a in spec.cols)
    feeding = spec.rows if over_rows else spec.cols[-1:]
    if schedule.lane and schedule.lane not in [a.name for a in feeding]:
        raise Unsupported(f"{schedule.lane} is none of the {schedule.over} that that can be lanes", "take another lane axis")
    folds_rows = over_rows and schedule.row in [a.name for a in spec.cols]
    frame = frame_of(without_conditions(spec) if folds_rows else spec, schedule, spec.axes if over_rows else spec.cols)
    if empty and not over_rows:
        frame = frame.full()  # the steps of a row work on lanes, though no tile of the cols does
    kernel = VectorKernel(spec, schedule, frame)
    if any(extent(a) == 0 for a in spec.rows):
        return kernel
    check_index((s for s in spec.steps if isinstance(s, Fold)), prod(extent(a) for a in spec.cols))
    if over_rows:
        _over_rows(kernel, spec)
    elif not empty and _resident(kernel.frame, spec):
        _resident_row(kernel, spec)
    else:
        _tiled_row(kernel, spec)
    return kernel


def _resident(frame: Frame, spec: Reduce) -> bool:
    return len(spec.cols) == 1 and frame.lanes >= frame.lane_extent > 0


def _over_rows(kernel: VectorKernel, spec: Reduce) -> None:
    frame = kernel.frame
    outer = [a for a in spec.rows if a.name not in (frame.lane, frame.row)]
    if kernel.folds_rows:
        _over_folded_rows(kernel, spec, outer)
        return
    with kernel.task_loop(outer, slotted=not _several(spec.cols)):
        _passes(kernel, spec, lambda body: _nested(kernel, spec.cols, body, slotted=_several(spec.cols)), _finish_lanes)


def _over_folded_rows(kernel: VectorKernel, spec: Reduce, outer: Sequence[Axis]) -> None:
    """Rows that all folds leave out by one condition are beyond where a loop over tiles of rows ends."""
    row = next(a for a in spec.cols if a.name == kernel.frame.row)
    others = [a for a in spec.cols if a != row]
    if (end := row_end(spec, row)) is None:
        raise Unsupported(f"rows along {row.name} do not accumulate side by side for each fold", "take an axis of the results")
    with kernel.task_loop(outer, slotted=False):
        if end != row.extent:
            text = f"{LESSER}({extent(row)}, {kernel.indices.text(end)})"
            kernel.frame = replace(kernel.frame, row_end=kernel.builder.variable("row_end", text, kernel.builder.index))
            kernel.unit.frame = kernel.frame

        def columns(body: Callable[[], None]) -> None:
            _nested(kernel, others, lambda: _row_tiles(kernel, body), slotted=False)

        _passes(kernel, without_conditions(spec), columns, _finish_rows)


def _row_tiles(kernel: VectorKernel, body: Callable[[], None]) -> None:
    """A loop over tiles of so many rows along the axis that is folded."""
    frame, alternates = kernel.frame, kernel.schedule.slots == 2
    least = 0 if frame.row_end else ceil_div(frame.row_extent, frame.rows)
    end, step = frame.row_end or str(frame.row_extent), str(frame.rows)
    loop = kernel.builder.loop(kernel.start(frame.row), end, step=step, slotted=alternates, least=least)
    with loop, kernel.alternating(alternates):
        kernel.declare_tile()
        body()


def _several(axes: Sequence[Axis]) -> bool:
    """Do the axes span more than one element?"""
    return prod(extent(a) for a in axes) > 1


def _tiled_row(kernel: VectorKernel, spec: Reduce) -> None:
    def columns(body: Callable[[], None]) -> None:
        tiles = ceil_div(kernel.frame.lane_extent, max(kernel.frame.lanes, 1))
        outer = spec.cols[:-1]
        _nested(kernel, outer, lambda: _tiles(kernel, spec.cols[-1:], body), slotted=tiles == 1 and _several(outer))

    with kernel.task_loop(spec.rows, slotted=False):
        _passes(kernel, spec, columns, _finish_across)


def _tiles(kernel: VectorKernel, axis: Sequence[Axis], body: Callable[[], None]) -> None:
    """A loop over the tiles of the lane axis; none where there are no cols at all."""
    frame = kernel.frame
    tiles = ceil_div(frame.lane_extent, max(frame.lanes, 1)) if axis else 1
    if tiles == 0:
        return
    if tiles == 1:
        body()
        return
    start = kernel.start(frame.lane)
    alternates = kernel.schedule.slots == 2
    loop = kernel.builder.loop(start, str(frame.lane_extent), step=str(frame.lanes), slotted=alternates, least=tiles)
    with loop, kernel.alternating(alternates):
        kernel.declare_lanes()
        body()


def _nested(kernel: VectorKernel, axes: Sequence[Axis], body: Callable[[], None], *, slotted: bool) -> None:
    """Loops over axes, index by index. `slotted`: the innermost alternates between the slots of a double-buffered schedule."""
    if not axes:
        body()
        return
    name, count = kernel.names.variables[axes[0].name], extent(axes[0])
    alternates = slotted and kernel.schedule.slots == 2 and len(axes) == 1
    with kernel.builder.loop(name, str(count), slotted=alternates, least=count), kernel.alternating(alternates):
        _nested(kernel, axes[1:], body, slotted=slotted)


def _passes(
    kernel: VectorKernel,
    spec: Reduce,
    columns: Callable[[Callable[[], None]], None],
    finish: Callable[[VectorKernel, Accumulator], Value | Truth],
) -> None:
    """Every pass: accumulators, the cols, then the steps of the row that wait for the folds."""
    passes = passes_of(spec)
    _row_steps(kernel, passes.before)
    for run in passes.passes:
        span = kernel.frame.span(TILE)
        totals: dict[str, Accumulator] = {}
        for fold in run.folds:
            kernel.line(fold.line)
            totals[fold.name] = begin(_whole_tile(kernel), fold, span, _kind(kernel, fold), kernel.names.variables[fold.name])
        names = frozenset().union(*(variables(v) for s in run.elements for v in values_of(s)))
        lets = passes.needed(names)

        def element(run: Pass = run, lets: tuple[Let, ...] = lets, totals: dict[str, Accumulator] = totals) -> None:
            _element_steps(kernel, spec, (*lets, *run.elements), totals)

        if run.elements and all(extent(a) > 0 for a in spec.cols):
            columns(element)
        for fold in run.folds:
            kernel.lets[fold.name] = _named(kernel, fold, finish(kernel, totals[fold.name]))
        _row_steps(kernel, run.row_steps)


def _whole_tile(kernel: VectorKernel) -> VectorUnit:
    """The vector unit for what outlives a tile: a fold across lanes works on full ones, whatever a row's last tile holds."""
    if kernel.schedule.over == "rows" and not kernel.folds_rows:
        return kernel.unit
    return VectorUnit(kernel.builder, kernel.frame.full())


def _finish_lanes(kernel: VectorKernel, total: Accumulator) -> Value | Truth:
    return result(kernel.unit, total)


def _finish_rows(kernel: VectorKernel, total: Accumulator) -> Value | Truth:
    """The accumulators of all rows folded into those of the first, half of them at a time."""
    frame, view, left = kernel.frame.full(), total.lanes.view, min(kernel.frame.rows, kernel.frame.row_extent)
    while left > 1:
        half = ceil_div(left, 2)
        upper, count = view.at(str(half * frame.pitch)), (left - half) * frame.pitch
        kernel.unit.emit(f"{call_of(total)}({view}, {view}, {upper}, {count});", (view, upper), (view,))
        left = half
    return result(_whole_tile(kernel), replace(total, lanes=Lanes(view, LANES, spare=False)))


def _finish_across(kernel: VectorKernel, total: Accumulator) -> Value | Truth:
    unit = _whole_tile(kernel)
    lanes = across(unit, total, kernel.frame.lanes)
    return result(unit, Accumulator(total.op, lanes)) if total.op in LOGICAL else lanes


def _named(kernel: VectorKernel, step: Fold, value: Value | Truth) -> Value | Truth:
    """The result of a fold, in a buffer of its name."""
    if not isinstance(value, Lanes):
        return value
    return (kernel.named(value, kernel.names.variables[step.name]) if value.spare else value).kept()


def _element_steps(kernel: VectorKernel, spec: Reduce, steps: Sequence[Step], totals: dict[str, Accumulator]) -> None:
    at = kernel.evaluator(v for s in steps for v in values_of(s))
    uses = _uses(steps)
    for step in steps:
        kernel.line(step.line)
        match step:
            case Let():
                kernel.let(at, step, once=uses[step.name] == 1)
            case Fold():
                _fold(kernel, at, spec, step, totals[step.name])
            case Store():
                store(kernel, at, step)


def _fold(kernel: VectorKernel, at: Evaluator, spec: Reduce, step: Fold, total: Accumulator) -> None:
    frame = kernel.frame
    text, mask = conditions(at, step)
    value = folded_value(at, step, total.lanes.span, _kind(kernel, step))
    if step.op not in INDEXED:
        value = masked(at, step, value, mask)
    elif mask is not None:
        mask = mask_of(at, mask, total.lanes.span)
    flat = frame.flat
    count = frame.lanes_text() if flat and kernel.schedule.over == "cols" else frame.count(total.lanes.span)
    index = _index_of(kernel, at, spec) if step.op in INDEXED else None
    with kernel.builder.branch(text):
        fold_in(kernel.unit, total, value, index, count, mask)


def _index_of(kernel: VectorKernel, at: Evaluator, spec: Reduce) -> Lanes | Uniform:
    """The row-major number of the element among the cols, in f32."""
    total: Expr = Const(0)
    for axis in spec.cols:
        total = add(mul(total, axis.extent), Var(axis.name))
    value = at.value(total)
    return value if isinstance(value, Lanes) else Uniform(f"static_cast<float>({value.text})", "f32")


def _row_steps(kernel: VectorKernel, steps: Iterable[Let | Store]) -> None:
    """The steps of a row, before, between and after the loops over its tiles: no tile's size is declared there."""
    steps = tuple(steps)
    if not steps:
        return
    at = kernel.evaluator((v for s in steps for v in values_of(s)), _whole_tile(kernel))
    for step in steps:
        kernel.line(step.line)
        if isinstance(step, Let):
            kernel.let(at, step)
        else:
            store(kernel, at, step)


def _resident_row(kernel: VectorKernel, spec: Reduce) -> None:
    """A whole row in UB: loaded once, every step in order."""
    with kernel.task_loop(spec.rows):
        at = kernel.evaluator(v for s in spec.steps for v in values_of(s))
        uses = _uses(spec.steps)
        for step in spec.steps:
            kernel.line(step.line)
            match step:
                case Let():
                    kernel.let(at, step, once=uses[step.name] == 1)
                case Fold():
                    kernel.lets[step.name] = _named(kernel, step, _resident_fold(kernel, at, step))
                case Store():
                    store(kernel, at, step)


def _resident_fold(kernel: VectorKernel, at: Evaluator, step: Fold) -> Value | Truth:
    text, mask = conditions(at, step)
    if text:
        everywhere = mask_of(at, Uniform(f"({text})", "bool"), LANES)
        mask = everywhere if mask is None else at.unit.bits("And", everywhere, mask_of(at, mask, LANES))
    if mask is not None and step.op in INDEXED:
        raise Unsupported(
            f"{step.op} under a condition, across lanes: positions of excluded lanes would count",
            "fold a `select` whose other arm never wins: -inf for argmax, inf for argmin",
        )
    value = masked(at, step, folded_value(at, step, LANES, kind_of(step)), mask)
    index = positions(kernel.unit, LANES) if step.op in INDEXED else None
    return _finish_across(kernel, Accumulator(step.op, value, index))


def _kind(kernel: VectorKernel, step: Fold) -> str:
    return kind_of(step, over_rows=kernel.schedule.over == "rows" and bool(kernel.frame.lane))


def _uses(steps: Iterable[Step]) -> Counter[str]:
    return Counter(n.name for s in steps for v in values_of(s) for n in walk(v) if isinstance(n, Var))
