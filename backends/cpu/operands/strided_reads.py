"""Reads that step over elements, for a vector of rows: whole vectors from memory, and what is wanted of them by a shuffle.

TVM loads a vector with a stride element by element: eight loads and seven insertions, where two loads and two shuffles do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import Builder, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.spec_expressions import Scope, conditions, conjunction, evaluate
from uol.backends.cpu.expressions.transposes import put_vector, vector_at
from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Read, Step, guard_operands
from uol.codegen.specs.traverse import map_step, reads, step_expressions
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import rewrite, variables

LONGEST_STEP = 4
"""Of wider steps, more is loaded in vain than there are loads to save."""
AT_ONCE = 8
"""Elements of a shuffle: LLVM takes a longer one apart, into single elements."""
LANE = "#lane"


def strided_reads(steps: tuple[Step, ...], axis: str) -> tuple[Read, ...]:
    """The reads of steps that step over elements along the axis, by the same number of them everywhere, and under no condition
    that varies along it."""
    found = (read for step in steps for expr in step_expressions(step) for read in _outside_selects(expr))
    return tuple(read for read in dict.fromkeys(found) if _is_strided(read, axis))


def loaded(code: Builder, found: tuple[Read, ...], axis: str, scope: Scope, start: Term, lanes: int) -> Scope:
    """Loads the reads for the lanes from `start` on; the scope in which `from_lanes` of the steps is evaluated."""
    buffers = dict(scope.buffers)
    for number, read in enumerate(found):
        array = code.local(f"strided_{number}", lanes, representation(read.dtype).storage)
        parts = [part for guard in read.guard for part in conditions(guard, scope)]
        with code.when(conjunction(parts)) if parts else nullcontext():
            base = code.bind("base", evaluate(read.offset, scope.with_values({axis: start})))
            step = coefficient(read.offset, axis) or 1
            for first in range(0, lanes, AT_ONCE):
                many, start_at = min(AT_ONCE, lanes - first), base + index(first * step)
                put_vector(code, array, index(first), every(scope.buffers[read.tensor], start_at, step, many), many)
        buffers[_name(number)] = array
    return replace(scope, buffers=buffers)


def from_lanes(steps: tuple[Step, ...], found: tuple[Read, ...]) -> tuple[Step, ...]:
    """The steps with those reads from what was loaded, at the lane `LANE`."""
    own = {read: replace(read, tensor=_name(number), offset=Var(LANE), strides=()) for number, read in enumerate(found)}
    return tuple(map_step(step, lambda expr: _exchanged(expr, own)) for step in steps) if own else steps


def _exchanged(expr: Expr, own: Mapping[Read, Read]) -> Expr:
    return rewrite(expr, lambda node: own.get(node) if isinstance(node, Read) else None)


def _name(number: int) -> str:
    return f"#strided_{number}"


def _outside_selects(expr: Expr) -> Iterator[Read]:
    """Reads that are evaluated whatever the values are."""
    if isinstance(expr, Read):
        yield expr
    elif not (isinstance(expr, Call) and expr.fn == "select"):
        for child in expr.children:
            yield from _outside_selects(child)


def _is_strided(read: Read, axis: str) -> bool:
    if any(axis in variables(operand) for operand in guard_operands(read.guard)) or any(reads(read.offset)):
        return False
    return 1 < (coefficient(read.offset, axis) or 0) <= LONGEST_STEP


def every(buffer: Term, base: Term, step: int, lanes: int) -> Term:
    """Every `step`-th element from `base` on. The last of the vectors ends with the last element: none is read beyond it."""
    if step == 1 or lanes == 1:
        return vector_at(buffer, base, lanes)
    last = (lanes - 1) * (step - 1)
    starts = [*(number * lanes for number in range(step - 1)), last]
    places = [(at // lanes, at % lanes) if at < last else (step - 1, at - last) for at in range(0, step * lanes, step)]
    vectors = [vector_at(buffer, base + index(start), lanes) for start in starts]
    return tirx.Shuffle(vectors, [tirx.const(vector * lanes + place, "int32") for vector, place in places])


def stretched(buffer: Term, base: Term, step: int, count: int, lanes: int) -> Term:
    """A vector of `lanes` that begins with so many elements, fewer than lanes but more than one, and none beyond them is read:
    of two shorter vectors, of which the second ends with the last element. What follows in it is one of them."""
    half = 1 << ((count - 1).bit_length() - 1)
    parts = [every(buffer, base + index(start * step), step, half) for start in (0, count - half)]
    parts *= -(-lanes // (2 * half))  # a shuffle gives no more elements than it is given
    places = [lane if lane < half else min(lane, count - 1) + 2 * half - count for lane in range(lanes)]
    return tirx.Shuffle(parts, [tirx.const(place, "int32") for place in places])
