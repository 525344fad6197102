"""Scan, Scatter and Select as plain loops: what they mean in TensorIR. An order is found by counting, element by element."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace

from tvm import tirx

from uol.backends.cpu.expressions.arithmetic import is_nan
from uol.backends.cpu.expressions.builder import Builder, index
from uol.backends.cpu.expressions.casts import cast
from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.folds import State, combine
from uol.backends.cpu.expressions.spec_expressions import Scope, conditions, conjunction, evaluate, load, store
from uol.backends.cpu.frame import Frame, span
from uol.backends.cpu.statements import enter, run_steps, take
from uol.codegen.specs.nodes import Fold, Scan, Scatter, Select, Step, Store
from uol.codegen.specs.scan_ends import is_at_end, within_row
from uol.ir.program.nodes import Var
from uol.ir.types import INDEX, is_float

ZERO = index(0)


def write_loops(frame: Frame, spec: Scan | Scatter | Select) -> None:
    """The body of the kernel."""
    with ExitStack() as loops:
        match spec:
            case Scan():
                _scan_row(frame, spec, enter(frame, loops, spec.rows, frame.scope))
            case Scatter():
                _scatter(frame, spec)
            case Select():
                _select_row(frame, spec, enter(frame, loops, spec.rows, frame.scope))


def _scan_row(frame: Frame, spec: Scan, scope: Scope) -> None:
    code, extent = frame.code, index(frame.extent(spec.along.extent))
    states = {s.name: State.declare(code, s, 1, wide=True) for s in spec.steps if isinstance(s, Fold)}
    for state in states.values():
        state.clear(code, ZERO)
    with code.loop(spec.along.name, frame.extent(spec.along.extent)) as number:
        position = code.bind("position", extent - index(1) - number) if spec.reverse else number
        more = tirx.LT(number, extent - index(1)) if spec.exclusive else None
        advance(code, within_row(spec), states, ZERO, scope.with_values({spec.along.name: position}), (spec, position, more))
    results = {name: code.hold(name, state.result(code.share, ZERO)) for name, state in states.items()}
    run_steps(code, tuple(step for step in spec.steps if is_at_end(spec, step)), scope.with_values(results))


def advance(
    code: Builder,
    steps: tuple[Step, ...],
    states: Mapping[str, State],
    lane: Term,
    scope: Scope,
    at: tuple[Scan, Term, Term | bool | None],
) -> None:
    """The steps at one position. `at`: the scan, the position, and whether its value counts (a condition; None: yes), which
    the last one of an exclusive scan does not."""
    spec, position, counts = at
    for step in steps:
        if not isinstance(step, Fold):
            scope = run_steps(code, (step,), scope)
            continue
        state = states[step.name]
        before = code.hold(step.name, state.result(code.share, lane)) if spec.exclusive else None
        if counts is not False:
            with nullcontext() if counts is None or counts is True else code.when(counts):
                take(code, state, lane, position, scope)
        value = code.hold(step.name, state.result(code.share, lane)) if before is None else before
        scope = scope.with_values({step.name: value})


def _scatter(frame: Frame, spec: Scatter) -> None:
    code = frame.code
    arg = spec.arg(spec.add.tensor)
    with code.loop("element", frame.extent(span(arg))) as element:
        code.add(cleared(spec, frame.scope, element))
    with ExitStack() as loops:
        scope = run_steps(code, spec.steps, enter(frame, loops, spec.index, frame.scope))
        inside = conjunction([part for guard in spec.guard for part in conditions(guard, scope)])
        with code.when(inside):
            code.add(added(spec.add, scope, evaluate(spec.add.offset, scope)))


def cleared(spec: Scatter, scope: Scope, element: Term) -> Term:
    """The statement that sets an element to 0."""
    buffer = scope.buffers[spec.add.tensor]
    return tirx.BufferStore(buffer, tirx.const(0, str(buffer.dtype)), [element])


def added(add: Store, scope: Scope, offset: Term) -> Term:
    """The statement `tensor[offset] += value`."""
    buffer = scope.buffers[add.tensor]
    held = load(scope.share, buffer, offset, add.dtype)
    total = combine(scope.share, "sum", held, evaluate(add.value, scope), add.dtype)
    return store(scope.share, buffer, offset, total, add.dtype)


def _select_row(frame: Frame, spec: Select, scope: Scope) -> None:
    """Every element's place is how many stand before it."""
    code, extent, wanted = frame.code, frame.extent(spec.col.extent), index(frame.extent(spec.place.extent))
    rank = code.local("rank", 1, "int64")
    with code.loop(spec.col.name, extent) as element:
        code.add(tirx.BufferStore(rank, ZERO, [ZERO]))
        mine = code.hold("mine", evaluate(spec.key, scope.with_values({spec.col.name: element})))
        with code.loop("other", extent) as other:
            theirs = code.hold("theirs", evaluate(spec.key, scope.with_values({spec.col.name: other})))
            first = _before(code.share, spec, (theirs, other), (mine, element))
            counted = tirx.Select(first, index(1), ZERO)
            code.add(tirx.BufferStore(rank, tirx.BufferLoad(rank, [ZERO]) + counted, [ZERO]))
        place = code.hold("place", tirx.BufferLoad(rank, [ZERO]))
        with code.when(tirx.LT(place, wanted)):
            at = cast(code.share, element, INDEX, spec.at_dtype)
            run_steps(code, spec.steps, scope.with_values({spec.place.name: place, spec.at: at}))
    if spec.tally is not None:
        _tally(frame, spec, spec.tally, scope)


def _tally(frame: Frame, spec: Select, tally: Store, scope: Scope) -> None:
    """The number of elements that have each key."""
    code, (key,) = frame.code, spec.keys
    number = code.local("number", 1, "int64")
    with code.loop(key.name, frame.extent(key.extent)) as wanted:
        code.add(tirx.BufferStore(number, ZERO, [ZERO]))
        with code.loop(spec.col.name, frame.extent(spec.col.extent)) as element:
            held = evaluate(spec.key, scope.with_values({spec.col.name: element}))
            same = tirx.EQ(cast(code.share, held, spec.key.type, INDEX), wanted)
            code.add(tirx.BufferStore(number, tirx.BufferLoad(number, [ZERO]) + tirx.Select(same, index(1), ZERO), [ZERO]))
        found = cast(code.share, tirx.BufferLoad(number, [ZERO]), INDEX, tally.dtype)
        step = replace(tally, value=Var("$number", tally.dtype))
        run_steps(code, (step,), scope.with_values({key.name: wanted, "$number": found}))


def _before(share: Share, spec: Select, a: tuple[Term, Term], b: tuple[Term, Term]) -> Term:
    """Does the first (key, index) stand before the second?"""
    x, y = (b[0], a[0]) if spec.descending else (a[0], b[0])
    less, greater = _less(share, x, y, spec.key.type), _less(share, y, x, spec.key.type)
    return tirx.Or(less, tirx.And(tirx.Not(greater), tirx.LT(a[1], b[1])))


def _less(share: Share, x: Term, y: Term, dtype: str) -> Term:
    """x < y, NaN greater than every number."""
    if not is_float(dtype):
        return tirx.LT(x, y)
    return tirx.Or(tirx.LT(x, y), tirx.And(is_nan(share, y), tirx.EQ(x, x)))
