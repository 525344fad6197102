"""The smallest text that still fails: what a random text is reported as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from uol.ir import Op, parse, print_op
from uol.ir.syntax.surface import Access, Binder, Expr, Name, Node, Number, Reduction, Statement, below, exchange, operands

Fails = Callable[[str, Mapping[str, int]], bool]
"""Whether a text with these sizes still shows the fault."""

TRIALS = 400
"""The most texts that are tried."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A text and its sizes."""

    text: str
    dims: Mapping[str, int]


def shrunk(text: str, dims: Mapping[str, int], fails: Fails) -> Shrunk:
    """A text that fails and of which nothing can be left out any more, by one node, statement, input or size at a time."""
    *others, op = parse(text)
    sizes, left = dict(dims), TRIALS
    changed = True
    while changed and left:
        changed = False
        for candidate, smaller in (*((c, sizes) for c in _smaller(op)), *((op, d) for d in _narrower(sizes))):
            left -= 1
            if fails(_text([*others, candidate]), smaller):
                op, sizes, changed = candidate, dict(smaller), True
                break
            if not left:
                break
    called = {n.fn for s in op.body for n in below(s.value) if hasattr(n, "fn")}
    return Shrunk(_text([o for o in others if o.name in called] + [op]), sizes)


def _text(ops: list[Op]) -> str:
    return "\n".join(print_op(op) for op in ops)


def _narrower(sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    for name, size in sizes.items():
        if size > 1:
            yield {**sizes, name: size - 1}


def _smaller(op: Op) -> Iterator[Op]:
    """Operators with one thing left out, the largest things first."""
    for number in range(len(op.body)):
        yield replace(op, body=op.body[:number] + op.body[number + 1 :])
    for number, result in enumerate(op.results):
        if len(op.results) > 1:
            yield replace(op, results=op.results[:number] + op.results[number + 1 :])
        del result
    read = {n.tensor.id for s in op.body for n in _nodes(s) if isinstance(n, Access) and isinstance(n.tensor, Name)}
    for param in op.params:
        if param.name not in read and len(op.params) > 1:
            yield replace(op, params=tuple(p for p in op.params if p is not param))
    for number in range(len(op.where)):
        yield replace(op, where=op.where[:number] + op.where[number + 1 :])
    for number, statement in enumerate(op.body):
        for value in _values(statement.value):
            yield replace(op, body=(*op.body[:number], replace(statement, value=value), *op.body[number + 1 :]))


def _nodes(statement: Statement) -> Iterator[Node]:
    yield from below(statement.value)
    for target in statement.targets:
        for index in target.index:
            yield from below(index)


def _values(value: Expr) -> Iterator[Expr]:
    """The value with one node put simpler: an operand in its place, an `else` or a bound left out."""
    for node in below(value):
        yield from (_with(value, node, simpler) for simpler in _simpler(node))


def _with(value: Expr, node: Node, simpler: Expr) -> Expr:
    return exchange(value, lambda n: simpler if n is node else None)


def _simpler(node: Node) -> Iterator[Expr]:
    if isinstance(node, Name | Number):
        return
    if isinstance(node, Reduction):
        for binder in node.binders:
            if len(node.binders) > 1 or binder.bound is not None:
                yield replace(node, binders=_loosened(node.binders, binder))
    if isinstance(node, Access):
        if node.fill is not None:
            yield replace(node, fill=None)
            if node.fill != Number(0):
                yield replace(node, fill=Number(0))
        return
    yield from (operand for operand in operands(node) if isinstance(operand, Expr))


def _loosened(binders: tuple[Binder, ...], binder: Binder) -> tuple[Binder, ...]:
    if sum(b.name == binder.name for b in binders) > 1:
        return tuple(b for b in binders if b is not binder)
    return tuple(Binder(b.name) if b is binder else b for b in binders)
