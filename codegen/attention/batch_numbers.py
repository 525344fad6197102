"""Integers from memory that one batch of an attention has, as its number of keys: in conditions they are variables.

s = select(j < length[b], q . k, -inf)      ->      s = select(j < $length, q . k, -inf),   $length = length[b]

A kernel reads each once, and what bounds the cols is an expression over indices, as that of a diagonal is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Attention, Fold, Read, Step
from uol.codegen.specs.traverse import expressions, mapped, reads
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import rewrite, substitute, variables, walk
from uol.ir.types import INDEX

INTEGERS = frozenset({"i32", "i64"})
"""The types in which memory may say how many keys a batch has, or in which page they are."""


@dataclass(frozen=True, slots=True)
class BatchNumber:
    """What a variable stands for: an integer that is read at the batch's indices."""

    name: str
    read: Read


def with_batch_numbers(spec: Attention) -> tuple[Attention, tuple[BatchNumber, ...]]:
    """The attention with these integers as variables wherever scores, or the guards of what is read, ask for them."""
    batch = frozenset(axis.name for axis in spec.batch)
    places = {node for expr in expressions(spec) for read in reads(expr) for node in walk(read.offset)}
    found = dict.fromkeys(node for expr in expressions(spec) for node in _asked(expr) if _is_of_batch(node, batch))
    found = {node: None for node in found if node not in places}
    if not found:
        return spec, ()
    numbers: dict[Expr, BatchNumber] = {}
    for node in found:
        (read,) = node.args
        assert isinstance(read, Read)
        numbers[node] = BatchNumber(f"${read.tensor}_{len(numbers)}" if numbers else f"${read.tensor}_of_batch", read)

    def named(node: Expr) -> Expr | None:
        return Var(numbers[node].name, INDEX) if node in numbers else None

    def guarded(node: Expr) -> Expr | None:
        if isinstance(node, Read):
            return replace(node, guard=tuple(each.map_children(lambda e: rewrite(e, named)) for each in node.guard))
        return named(node)

    def of_step(step: Step) -> Step:
        return step if isinstance(step, Fold) else replace(step, value=rewrite(step.value, guarded))

    steps, epilogue = (tuple(map(of_step, found)) for found in (spec.steps, spec.epilogue))
    dots = tuple(replace(d, a=rewrite(d.a, guarded), b=rewrite(d.b, guarded)) for d in spec.dots)
    sums = tuple(replace(s, value=rewrite(s.value, guarded)) for s in spec.sums)
    return replace(spec, steps=steps, dots=dots, sums=sums, epilogue=epilogue), tuple(numbers.values())


def without_batch_numbers(spec: Attention, numbers: Iterable[BatchNumber]) -> Attention:
    """The attention with 0 for each of them: what indices need beside what memory says."""
    nothing: dict[str, Expr] = {each.name: ZERO for each in numbers}
    return mapped(spec, expr=lambda expr: substitute(expr, nothing)) if nothing else spec


def _asked(expr: Expr) -> Iterable[Call]:
    """The integers from memory that an expression asks for, but for those that say where something is read."""
    if isinstance(expr, Read):
        for guard in expr.guard:
            for child in guard.children:
                yield from _asked(child)
        return
    if isinstance(expr, Call) and expr.fn == "cast" and expr.dtype == INDEX and isinstance(expr.args[0], Read):
        yield expr
        return
    for child in expr.children:
        yield from _asked(child)


def _is_of_batch(node: Call, batch: frozenset[str]) -> bool:
    (read,) = node.args
    assert isinstance(read, Read)
    nested = sum(isinstance(inner, Read) for inner in walk(read))
    return read.dtype in INTEGERS and not read.guard and nested == 1 and variables(read.offset) <= batch
