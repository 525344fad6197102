"""Reductions that do not depend on all indices around them, or stand beside others, each in a statement of its own.

    y[s, c] = x[s, c] / sum[k](x[s, k])      becomes      total[s] = sum[k](x[s, k]);  y[s, c] = x[s, c] / total[s]

Their cotangents are then summed over the other indices once, and not anew for every one of them.

    y[s] = sum[i](sum[j <= i](x[s, j]))          becomes      total[s, i] = sum[j <= i](x[s, j]);  y[s] = sum[i](total[s, i])

What runs within another reduction is then a running one in its gradient, too, of whatever order.
"""

from __future__ import annotations

from dataclasses import replace

from uol.ir.gradients.text.forms import stands_alone
from uol.ir.gradients.text.inference import Types, extent_in
from uol.ir.gradients.text.local_inference import is_order, learn
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.substitution import Item, binder_key, free_keys, key_item
from uol.ir.syntax.surface import (
    Access,
    Apply,
    Binder,
    Expr,
    Name,
    Node,
    Op,
    Pack,
    Reduction,
    Statement,
    Target,
    below,
    bounded_by,
    exchange,
    operands,
)

WISHES = {"sum": "total", "prod": "product", "max": "hi", "min": "lo"}


def reductions_apart(op: Op, types: Types, names: Names) -> Op:
    """The operator with such reductions as locals. Learns the types on the way."""
    body: list[Statement] = []
    for number, statement in enumerate(op.body):
        if statement.op == "=" and len(statement.targets) == 1 and not is_order(statement):
            body += _apart(statement, types, names)
        else:
            body.append(statement)
        if not isinstance(body[-1].value, Apply):
            learn(types, body[-1], op.body[number + 1 :])
    return replace(op, body=tuple(body))


def _apart(statement: Statement, types: Types, names: Names) -> list[Statement]:
    before: list[Statement] = []
    made: dict[Reduction, Expr] = {}
    indices = frozenset(names.indices) | {f"*{n}" for n in names.indices}
    around = frozenset(free_keys(statement.value) & indices)
    several = _outermost(statement.value) > 1

    def rule(node: Node) -> Expr | None:
        if not isinstance(node, Reduction):
            return None
        axes = _axes(node, statement, indices, types)
        if node is statement.value or axes is None or types.of(node) is None:
            return None
        bound = _bound_around(statement.value, node)
        runs_within = bool(bound) and len(node.binders) == 1 and any(any(bounded_by(node, Name(name))) for name in bound)
        if set(axes) == around | bound and not several and not runs_within:
            return None
        if node not in made:
            index = tuple(key_item(k) for k in axes)
            local = Statement((Target(names.fresh(WISHES.get(node.op, "found")), index),), "=", node, span=statement.span)
            learn(types, local)
            before.extend(_apart(local, types, names))
            made[node] = Access(Name(local.targets[0].tensor), index)
        return made[node]

    rest = replace(statement, value=exchange(statement.value, rule))
    return [*before, rest]


def _outermost(node: Node) -> int:
    """How many reductions stand in no other."""
    return 1 if isinstance(node, Reduction) else sum(map(_outermost, operands(node)))


def _axes(node: Reduction, statement: Statement, indices: frozenset[str], types: Types) -> tuple[str, ...] | None:
    """The free indices of a reduction in the order in which they are read; None where one of them, or a read, does not say
    by itself how far it reaches in the statement."""
    reads = [n for n in below(node) if isinstance(n, Access)]
    if not stands_alone(node):
        return None
    free = free_keys(node) & indices
    ordered = dict.fromkeys(_key(i) for r in reads for i in r.index if isinstance(i, Name | Pack))
    ordered |= dict.fromkeys(b.bound.id for b in node.binders if isinstance(b.bound, Name))
    axes = tuple(k for k in ordered if k in free)
    known = all(_runs_as_far(node, statement, key_item(k), types) for k in axes)
    return axes if known and set(axes) == free else None


def _runs_as_far(node: Reduction, statement: Statement, item: Name | Pack, types: Types) -> bool:
    """Whether an index has a range in the reduction alone, and the one that it has in the statement."""
    if extent_in(types, (node,), item, firm=True) is not None:
        return True
    target = statement.targets[0]
    if item in target.index and target.tensor in types.dims:
        whole: Item | None = types.dims[target.tensor][target.index.index(item)]
    else:
        around = _binding(statement.value, node, item)
        whole = extent_in(types, (statement.value,) if around is None else around.args, item)
        if around is not None and any(_cuts(b, item) for b in around.binders):
            return False
    return whole is not None and extent_in(types, (node,), item) == whole


def _binding(root: Node, node: Node, item: Name | Pack) -> Reduction | None:
    """The reduction around a node that binds an index."""
    if isinstance(root, Reduction) and isinstance(item, Name) and any(b.name == item.id and not b.pack for b in root.binders):
        return root
    inner = next((o for o in operands(root) if any(n is node for n in below(o))), None)
    return None if inner is None else _binding(inner, node, item)


def _cuts(binder: Binder, item: Name | Pack) -> bool:
    """Is an index bounded from above by anything but another index, which runs as far as a read says?"""
    is_upper = binder.relation in ("<", "<=") and not isinstance(binder.bound, Name)
    return isinstance(item, Name) and binder.name == item.id and is_upper


def _key(item: Name | Pack) -> str:
    return f"*{item.id}" if isinstance(item, Pack) else item.id


def _bound_around(root: Node, node: Node) -> frozenset[str]:
    """The indices that reductions around a node bind."""
    if root is node:
        return frozenset()
    for operand in operands(root):
        if any(n is node for n in below(operand)):
            own = {binder_key(b) for b in root.binders} if isinstance(root, Reduction) else set()
            return _bound_around(operand, node) | own
    return frozenset()
