"""How large the tensors are that are only added to, in the body of a gradient.

A text does not declare the size of such a local: it has that of the index that reads it. The readers of a recomputed one are
not those of the forward; where they would give it another size, or none, a read at its own size comes first:

    t[at[i]] += v[i]        t_whole[j] = select(true, t[j], b[j])        dy[j / 2] ... t_whole[3*j]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uol.ir.gradients.cotangent import Index
from uol.ir.gradients.cotangent_accumulator import Accumulator
from uol.ir.gradients.text.local_inference import scattered_dims
from uol.ir.syntax.surface import Access, Apply, Bool, Expr, Name, Node, Pack, Statement, Target, exchange


def with_sizes(body: Sequence[Statement], results: frozenset[str], accumulator: Accumulator) -> tuple[Statement, ...]:
    """The statements, every tensor that is only added to as large as the derivation took it to be."""
    out = list(body)
    known = {p.name for p in (*accumulator.op.params, *accumulator.op.results)} | set(accumulator.seeds.values())
    number = 0
    while number < len(out):
        statement = out[number]
        (name, *_) = (t.tensor for t in statement.targets)
        begun = statement.op == "+=" and name not in known and name not in results
        types = accumulator.types
        if begun and scattered_dims(types, statement, out[number + 1 :], known, results) != types.dims[name]:
            out = _sized(out, name, accumulator)
        known |= {t.tensor for t in statement.targets}
        number += 1
    return tuple(out)


def _sized(body: list[Statement], name: str, accumulator: Accumulator) -> list[Statement]:
    """The body with a read of the whole tensor behind the last statement that adds to it, and that in place of the tensor."""
    dims, used = accumulator.types.dims[name], list[str]()
    scope: list[Index] = []
    for dim in dims:
        item = accumulator.names.index_of(dim, used)
        used.append(item.id)
        scope.append(Index(f"*{item.id}" if isinstance(item, Pack) else item.id, dim, False))
    other = accumulator.standing_in(scope, accumulator.types.tensors[name])
    if other is None:
        return body
    index = tuple(i.item for i in scope)
    whole = accumulator.names.fresh(f"{name}_whole")
    accumulator.types.tensors[whole], accumulator.types.dims[whole] = accumulator.types.tensors[name], dims
    read = Apply("select", (Bool(True), Access(Name(name), index), other))
    last = max(n for n, s in enumerate(body) if any(t.tensor == name for t in s.targets))

    def rule(node: Node) -> Expr | None:
        if isinstance(node, Access) and node.tensor == Name(name):
            items = tuple(i if isinstance(i, Pack) else exchange(i, rule) for i in node.index)
            fill = None if node.fill is None else exchange(node.fill, rule)
            return replace(node, tensor=Name(whole), index=items, fill=fill)
        return None

    def moved(statement: Statement) -> Statement:
        targets = tuple(
            replace(t, index=tuple(i if isinstance(i, Pack) else exchange(i, rule) for i in t.index)) for t in statement.targets
        )
        return replace(statement, targets=targets, value=exchange(statement.value, rule))

    return [*body[: last + 1], Statement((Target(whole, index),), "=", read), *map(moved, body[last + 1 :])]
