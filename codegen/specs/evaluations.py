"""Where a spec evaluates its expressions: over which axes, and what every name stands for there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from uol.codegen.specs.nodes import (
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Let,
    Map,
    Pack,
    Reduce,
    Scan,
    Scatter,
    Select,
    Step,
    Store,
    guard_operands,
)
from uol.codegen.specs.scan_ends import within_row
from uol.codegen.specs.traverse import products_in, step_expressions, steps_of
from uol.ir.program.nodes import Axis, Expr
from uol.ir.program.walk import variables
from uol.ir.types import INDEX

Space = frozenset[str]


@dataclass(frozen=True, slots=True)
class Value:
    """What a name stands for: a value of a type that varies over some axes."""

    dtype: str
    axes: Space


Known = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An expression, the axes that it may vary over, and the names that are defined before it."""

    expr: Expr
    space: Space
    known: Known


def space_of(*groups: Sequence[Axis]) -> Space:
    return frozenset(axis.name for group in groups for axis in group)


def evaluations(spec: KernelSpec) -> Iterator[Evaluation]:
    """Every expression of a spec, in the order in which its values are defined."""
    known = _outside(spec)
    match spec:
        case Contract():
            yield from _of_contract(spec, known)
        case Attention():
            yield from _of_attention(spec, known)
        case Select(rows=rows, col=col, place=place, key=key):
            yield Evaluation(key, space_of(rows, [col]), known)
            known = {**known, spec.at: Value(spec.at_dtype, space_of(rows, [place]))}
            yield from _of_steps(spec.steps, known, space_of(rows, [place]))
            if spec.tally is not None:
                yield from _of_steps((spec.tally,), known, space_of(spec.keys))
        case Scatter():
            whole = space_of(spec.axes)
            yield from _of_steps(steps_of(spec), known, whole)
            known = _with_defined(spec.steps, known, whole)
            yield from (Evaluation(e, whole, known) for e in (*spec.place, *guard_operands(spec.guard)))
        case Reduce(rows=rows):
            yield from _of_steps(spec.steps, known, space_of(spec.axes), space_of(rows))
            known = _with_defined(spec.steps, known, space_of(rows))
            yield from _of_columns(spec, known)
        case Scan(rows=rows):
            within, whole = within_row(spec), space_of(spec.axes)
            yield from _of_steps(within, known, whole, whole, whole)
            known = _with_defined(within, known, space_of(rows), space_of(rows))
            yield from _of_steps([step for step in spec.steps if step not in within], known, space_of(rows))
        case Map() | Pack():
            yield from _of_steps(spec.steps, known, space_of(spec.axes))
        case _:
            raise TypeError(f"what {type(spec).__name__} evaluates is not said")


def _outside(spec: KernelSpec) -> Known:
    """Attributes, dims and axes."""
    scalars = {s.name: Value(s.dtype, frozenset()) for s in spec.scalars}
    return {
        **scalars,
        **{dim: Value(INDEX, frozenset()) for dim in spec.dims},
        **{axis.name: Value(INDEX, frozenset((axis.name,))) for axis in spec.axes},
    }


def _of_columns(spec: Reduce, known: Known) -> Iterator[Evaluation]:
    """Sums over all rows but the first, once the steps of a row are known."""
    for step in spec.columns:
        yield Evaluation(step.value, space_of(spec.axes), known)
        if isinstance(step, Store):
            yield Evaluation(step.offset, space_of(spec.rows[:1], spec.cols), known)


def _of_contract(spec: Contract, known: Known) -> Iterator[Evaluation]:
    of_b = known
    if spec.segments is not None:
        yield Evaluation(spec.segments.key, frozenset((spec.segments.at,)), known)
        if spec.segments.over == "rows":
            of_b = {**known, spec.segments.of: Value(INDEX, frozenset())}
    for a, b in products_in(spec):
        yield Evaluation(a, space_of(spec.batch, spec.m, spec.k), known)
        yield Evaluation(b, space_of(spec.batch, spec.n, spec.k), of_b)
    result = space_of(spec.batch, spec.m, spec.n)
    yield from _of_steps(spec.epilogue, {**known, spec.acc: Value(spec.acc_dtype, result)}, result)
    if spec.sums:
        row = space_of(spec.batch, spec.m)
        yield from _of_steps(spec.sums, {**known, spec.sum_of_a: Value(spec.acc_dtype, row)}, row)


def _of_attention(spec: Attention, known: Known) -> Iterator[Evaluation]:
    row, pair = space_of(spec.batch, spec.rows), space_of(spec.batch, spec.rows, spec.cols)
    for dot in spec.dots:
        yield Evaluation(dot.a, row | space_of(dot.depth), known)
        yield Evaluation(dot.b, space_of(spec.batch, spec.cols, dot.depth), known)
        known = {**known, dot.name: Value(dot.dtype, pair)}
    yield from _of_steps(spec.steps, known, pair, row)
    known = _with_defined(spec.steps, known, row)
    for total in spec.sums:
        yield Evaluation(total.value, space_of(spec.batch, spec.cols, total.width), known)
        known = {**known, total.name: Value(total.dtype, row | space_of(total.width))}
    yield from _of_steps(spec.epilogue, known, row)


def _of_steps(
    steps: Sequence[Step], known: Known, space: Space, folded: Space = frozenset(), always: Space = frozenset()
) -> Iterator[Evaluation]:
    """Steps in order: folds are evaluated over the whole space, and vary over those axes of `folded` that what they fold varies
    over, and over `always`."""
    for number, step in enumerate(steps):
        before = _with_defined(steps[:number], known, folded, always)
        own = space if isinstance(step, Fold) else frozenset(step.axes)
        yield from (Evaluation(expr, own, before) for expr in step_expressions(step))


def _with_defined(steps: Sequence[Step], known: Known, folded: Space, always: Space = frozenset()) -> Known:
    """What is known, and what steps give names to."""
    found = dict(known)
    for step in steps:
        if isinstance(step, Let):
            found[step.name] = Value(step.dtype, frozenset(step.axes))
        elif isinstance(step, Fold):
            used = frozenset().union(*map(variables, step_expressions(step)))
            varies = frozenset().union(*(found[name].axes for name in used & found.keys()))
            found[step.name] = Value(step.dtype, always | varies & folded)
    return found
