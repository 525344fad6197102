"""Contractions in segments on the CPU.

rows    tiles are cut out of runs, neighbouring rows of one segment: a task has some columns of every run
terms   each segment sums over the run of its keys, found by bisection
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term
from uol.backends.cpu.expressions.spec_expressions import Scope, conditions, conjunction, evaluate, evaluate_lazily
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.host import core_count
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.typical import typical_size
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.schedules.tile_axes import NOWHERE, Side
from uol.codegen.indexing.arithmetic import ceil_div, static
from uol.codegen.specs.nodes import Contract, Guard, Read, Segments, guard_operands
from uol.codegen.specs.traverse import own_segment
from uol.ir.program.nodes import Axis, Var
from uol.ir.program.walk import rewrite, variables

ZERO = index(0)
HIGHEST_BIT = 47
"""Of a number of terms: no address space holds more."""
RUN_ROWS = 256
"""Rows of a task, which has all columns of theirs where there are tasks enough: what b has for a segment is read once, from one
end to the other. A segment that goes on in another task is read there, too, for so many rows."""
FEWEST_TASKS, TASKS_PER_CORE = 8, 4
Part = tuple[Contract, Scope, tuple[Term, int], tuple[Term, int]]
"""A tile of rows of one segment: what it computes, where it is evaluated, the first row and how many, the same of columns."""


def within_segments(spec: Contract) -> Contract:
    """The contraction for rows whose segment exists: b without the guards that speak of the segment alone."""
    own = _own_guards(spec)

    def rule(node: Read) -> Read:
        kept = tuple(g for g in node.guard if g not in own)
        return replace(node, guard=kept, fill=node.fill if kept else None)

    return replace(spec, b=rewrite(spec.b, lambda n: rule(n) if isinstance(n, Read) else None)) if own else spec


def lengths_to(most: int) -> tuple[int, ...]:
    """Rows of tiles, descending: `most`, and powers of two below it."""
    return (most, *(n for n in (8, 4, 2, 1) if n < most))


def is_in_runs(spec: Contract) -> bool:
    """Are there rows in segments?"""
    return spec.segments is not None and spec.segments.over == "rows"


def tiles_of_runs(frame: Frame, spec: Contract, lengths: tuple[int, ...], columns: Side, *, parallel: bool) -> Iterator[Part]:
    """All tiles, of rows of the greatest of `lengths` that a run has room for. What is written for a part is run for the tiles
    that have its lengths."""
    row_blocks = Axis("row_block", ceil_div(_rows(spec).extent, RUN_ROWS))
    tasks, wanted = typical_size(spec, (*spec.batch, row_blocks)), max(FEWEST_TASKS, TASKS_PER_CORE * core_count())
    width = max(1, typical_size(spec, (columns.tiles,)) // -(-wanted // max(tasks, 1)))
    blocks = Axis("column_block", ceil_div(columns.tiles.extent, width))
    nest = (*spec.batch, row_blocks, *columns.outer, blocks)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if parallel else 0, frame.scope)
        run, count, here = loops.enter_context(_runs(frame, spec, scope))
        exists = _exists(spec, here)
        cases = [(within_segments(spec), exists, lengths)]
        if _own_guards(spec):
            cases.append((_without_segment(spec), tirx.Not(exists), (1,)))
        for part, is_there, heights in cases:
            with frame.code.when(is_there), frame.code.loop("column_tile", width) as place:
                number = scope.values[blocks.name] * index(width) + place
                with frame.code.when(number < index(frame.extent(columns.tiles.extent))):
                    there = here.with_values({columns.tiles.name: number})
                    for column, across in columns.pieces(frame, there):
                        for row, height in _pieces(frame, there, count, heights):
                            yield part, there, (run + row, height), (column, across)


@contextmanager
def _runs(frame: Frame, spec: Contract, scope: Scope) -> Iterator[tuple[Term, Term, Scope]]:
    """A loop over the runs of a block of rows: the first row, how many there are, where their segment is known."""
    code, segments = frame.code, spec.segments
    assert segments is not None
    name, block = _rows(spec).name, scope.values["row_block"] * index(RUN_ROWS)
    rows = code.hold("rows_end", tirx.Min(block + index(RUN_ROWS), index(frame.extent(_rows(spec).extent))))

    def key(row: Term) -> Term:
        return evaluate_lazily(segments.key, scope.with_values({name: row}))

    place, end = (code.local(each, 1, INDEX_TYPE) for each in ("run", "end"))
    code.add(tirx.BufferStore(place, block, [ZERO]))
    here, there = tirx.BufferLoad(place, [ZERO]), tirx.BufferLoad(end, [ZERO])
    with code.repeat(here < rows):
        first = code.hold("first", here)
        of = code.hold(segments.of, key(first))
        code.add(tirx.BufferStore(end, first + index(1), [ZERO]))
        with code.repeat(tirx.And(there < rows, tirx.EQ(key(tirx.Min(there, rows - index(1))), of))):
            code.add(tirx.BufferStore(end, there + index(1), [ZERO]))
        yield first, code.hold("count", there - first), scope.with_values({segments.of: of})
        code.add(tirx.BufferStore(place, there, [ZERO]))


def _rows(spec: Contract) -> Axis:
    """The axis whose rows are in segments."""
    return spec.m[-1] if spec.m else NOWHERE


def _pieces(frame: Frame, scope: Scope, count: Term, lengths: tuple[int, ...]) -> Iterator[tuple[Term, int]]:
    """(first, length) of the tiles of a run."""
    side = Side((), Axis("row", Var("rows_of_run")), lengths)
    frame = replace(frame, scope=scope.with_values({"rows_of_run": count}))
    with ExitStack() as loops:
        yield from side.pieces(frame, enter_nest(frame, loops, (side.tiles,), 0, frame.scope))


def _without_segment(spec: Contract) -> Contract:
    """The contraction for rows whose segment does not exist: b is its fill."""
    return replace(spec, b=rewrite(spec.b, lambda n: n.fill if isinstance(n, Read) else None))


def _exists(spec: Contract, scope: Scope) -> Term:
    return conjunction([part for guard in _own_guards(spec) for part in conditions(guard, scope)])


def _own_guards(spec: Contract) -> tuple[Guard, ...]:
    """The guards of b that speak of the segment alone."""
    assert spec.segments is not None
    axes = {a.name for a in spec.axes}
    return tuple(g for g in the_read(spec.b).guard if not axes & frozenset().union(*map(variables, guard_operands((g,)))))


@contextmanager
def terms(frame: Frame, spec: Contract, scope: Scope) -> Iterator[Scope]:
    """Loops over k."""
    with ExitStack() as loops:
        if spec.segments is not None and spec.segments.over == "terms" and not spec.k:
            of = evaluate(own_segment(spec), scope)
            loops.enter_context(frame.code.when(tirx.EQ(evaluate(spec.segments.key, scope), of)))
        yield enter_nest(frame, loops, spec.k, 0, scope)


def with_own_terms(frame: Frame, spec: Contract, scope: Scope) -> Scope:
    """The scope in which k is the run of a segment's keys, where the terms are in segments."""
    segments = spec.segments
    if segments is None or segments.over != "terms" or not spec.k:
        return scope
    (axis,), of = spec.k, evaluate(own_segment(spec), scope)
    find = _first if static(axis.extent) is not None else _first_of_any_number
    begin, end = (find(frame, segments, scope, frame.extent(axis.extent), key) for key in (of, of + index(1)))
    return replace(scope, limits={**scope.limits, axis.name: (begin, end)})


def _first_of_any_number(frame: Frame, segments: Segments, scope: Scope, count: Term, key: Term) -> Term:
    """The same where the count is an argument: from the highest place that there can be; none is read that there is not."""
    code = frame.code
    place = code.local("first", 1, INDEX_TYPE)
    code.add(tirx.BufferStore(place, ZERO, [ZERO]))
    with code.loop("bit", HIGHEST_BIT + 1) as bit:
        here = tirx.BufferLoad(place, [ZERO])
        further = code.hold("further", here + tirx.shift_left(index(1), index(HIGHEST_BIT) - bit))
        with code.when(tirx.LE(further, count)):
            before = tirx.LT(evaluate(segments.key, scope.with_values({segments.at: further - index(1)})), key)
            code.add(tirx.BufferStore(place, tirx.Select(before, further, here), [ZERO]))
    return code.hold("first", tirx.BufferLoad(place, [ZERO]))


def _first(frame: Frame, segments: Segments, scope: Scope, count: int, key: Term) -> Term:
    """The first of `count` terms whose key is `key` or more: by halves, the same number of steps for every key."""
    place = ZERO
    for bit in reversed(range(count.bit_length())):
        further = place + index(1 << bit)
        last = tirx.Min(further, index(count)) - index(1)
        before = tirx.LT(evaluate(segments.key, scope.with_values({segments.at: last})), key)
        inside = tirx.LE(further, index(count))
        place = frame.code.hold("first", tirx.Select(tirx.And(inside, before), further, place))
    return place
