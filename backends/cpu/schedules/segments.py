"""Contractions in segments on the CPU.

rows    a tile whose rows are all of one segment is a tile as any other; any other tile goes row by row
terms   each segment sums over the run of its keys, found by bisection
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term
from uol.backends.cpu.expressions.spec_expressions import Scope, conditions, conjunction, evaluate
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.schedules.nest import enter_nest
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Guard, Read, Segments, guard_operands
from uol.codegen.specs.traverse import own_segment
from uol.ir.program.walk import rewrite, variables

ZERO = index(0)
HIGHEST_BIT = 47
"""Of a number of terms: no address space holds more."""
Part = tuple[Contract, Scope, Term, int]
"""Rows of one segment: what they compute, where it is evaluated, the first row, how many rows."""


def within_segments(spec: Contract) -> Contract:
    """The contraction for rows whose segment exists: b without the guards that speak of the segment alone."""
    own = _own_guards(spec)

    def rule(node: Read) -> Read:
        kept = tuple(g for g in node.guard if g not in own)
        return replace(node, guard=kept, fill=node.fill if kept else None)

    return replace(spec, b=rewrite(spec.b, lambda n: rule(n) if isinstance(n, Read) else None)) if own else spec


def by_segment(frame: Frame, spec: Contract, scope: Scope, first: Term, height: int) -> Iterator[Part]:
    """A tile of rows, as parts whose rows are of one segment: all of them where they are, else one after another. What is
    written for a part is run for the tiles that have it."""
    segments = spec.segments
    if segments is None or segments.over != "rows":
        yield spec, scope, first, height
        return
    code, name = frame.code, spec.m[-1].name if spec.m else ""

    def segment(row: Term) -> Scope:
        here = scope.with_values({name: first + row})
        return scope.with_values({segments.of: code.bind(segments.of, evaluate(segments.key, here))})

    together = segment(ZERO)
    if height == 1:
        yield from _one_row(frame, spec, together, first)
        return
    others = [segment(index(row)).values[segments.of] for row in range(1, height)]
    same = conjunction([_exists(spec, together), *(tirx.EQ(other, together.values[segments.of]) for other in others)])
    with code.when(same):
        yield within_segments(spec), together, first, height
    with code.when(tirx.Not(same)), code.loop("row", height) as row:
        yield from _one_row(frame, spec, segment(row), first + row)


def _one_row(frame: Frame, spec: Contract, scope: Scope, row: Term) -> Iterator[Part]:
    """A row of a segment, or of none."""
    exists = _exists(spec, scope)
    with frame.code.when(exists):
        yield within_segments(spec), scope, row, 1
    if _own_guards(spec):
        with frame.code.when(tirx.Not(exists)):
            yield _without_segment(spec), scope, row, 1


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
    """Loops over k; over the run of a segment's keys alone where the terms are in segments."""
    segments = spec.segments
    with ExitStack() as loops:
        if segments is None or segments.over != "terms":
            yield enter_nest(frame, loops, spec.k, 0, scope)
            return
        of = evaluate(own_segment(spec), scope)
        if not spec.k:
            loops.enter_context(frame.code.when(tirx.EQ(evaluate(segments.key, scope), of)))
            yield scope
            return
        (axis,) = spec.k
        find = _first if static(axis.extent) is not None else _first_of_any_number
        begin, end = (find(frame, segments, scope, frame.extent(axis.extent), key) for key in (of, of + index(1)))
        term = loops.enter_context(frame.code.loop(axis.name, end - begin, start=begin))
        yield scope.with_values({axis.name: term})


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
