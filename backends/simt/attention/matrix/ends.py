"""The ends of the keys and values that a block of an attention reads: of parts of the cols the last may have fewer than others,
and each batch may have a number of its own.

k[part * length + j] if part * length + j < M else 0        a part has M - part * length of them
v[b, j] if j < length[b] else 0                             a batch has length[b], behind which scores are -inf
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf

from uol.codegen.attention.reach import bounds_in, is_all_seen_by
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ONE, ZERO, conjuncts, sub, substituted
from uol.codegen.specs.nodes import Attention, Guard, Holds, Let, Read, Within
from uol.codegen.specs.traverse import main_read
from uol.ir.integers.polynomials import from_poly, to_poly
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.program.walk import rewrite, variables


def ends_of_cols(spec: Attention) -> tuple[Expr, ...]:
    """The cols from the least of which on there are neither keys nor values, but zeros; empty where no guard says so. They
    depend on the batch alone. One that is not asked of all of them must be one that scores are -inf from on."""
    if len(spec.cols) != 1:
        return ()
    found = [main_read(factor) for factor in (*(dot.b for dot in spec.dots), *(each.value for each in spec.sums))]
    if not all(isinstance(read.fill, Const) and read.fill.value == 0 for read in found if read.guard):
        return ()
    ends = {guard: _end(guard, spec) for guard in dict.fromkeys(guard for read in found for guard in read.guard)}
    unseen = set(_unseen_from(spec)) if ends else set()
    for guard, end in ends.items():
        if end is None or (not all(guard in read.guard for read in found) and _ordered(end) not in unseen):
            return ()
    return tuple(end for end in ends.values() if end is not None)


def _end(guard: Guard, spec: Attention) -> Expr | None:
    """The col from which on a guard does not hold, the same for all of a batch."""
    end = _end_in(guard, spec)
    inner = {axis.name for axis in spec.axes} - {axis.name for axis in spec.batch}
    return None if end is None or variables(end) & inner else end


def _end_in(guard: Guard, spec: Attention) -> Expr | None:
    col = spec.cols[0].name
    match guard:
        case Within(value=place, low=None, high=end) if end is not None:
            form = affine(place, [col])
            return None if form is None or form.factor(col) != ONE else sub(end, substituted(place, {col: ZERO}))
        case Holds(condition=condition):
            bounds = tuple(bounds_in(condition, spec.cols[0]))
            return bounds[0][1] if len(bounds) == 1 and bounds[0][0] else None
    return None


def _unseen_from(spec: Attention) -> Iterator[Expr]:
    """The cols from which on all scores are -inf, and nothing is added, by the conditions of scores."""
    lets = {step.name: step.value for step in spec.steps if isinstance(step, Let)}
    for name, value in lets.items():
        while isinstance(value, Call) and value.fn == "select" and value.args[2] == Const(-inf, value.dtype):
            if is_all_seen_by(spec, name, lets):
                for condition in conjuncts(value.args[0]):
                    yield from (_ordered(at) for is_end, at in bounds_in(condition, spec.cols[0]) if is_end)
            value = value.args[1]


def _ordered(end: Expr) -> Expr:
    """One form of what may be written in several."""
    return from_poly(to_poly(end, {}))


def without_ends(spec: Attention) -> Attention:
    """The attention as its kernel is written: one that `ends_of_cols` knows asks of no key whether it is there."""
    if not ends_of_cols(spec):
        return spec

    def rule(node: Expr) -> Expr | None:
        return replace(node, guard=(), fill=None) if isinstance(node, Read) else None

    dots = tuple(replace(dot, b=rewrite(dot.b, rule)) for dot in spec.dots)
    sums = tuple(replace(each, value=rewrite(each.value, rule)) for each in spec.sums)
    return replace(spec, dots=dots, sums=sums)
