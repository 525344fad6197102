"""Which constructs a text holds: read from its tree, and not from how it was drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from uol.conformance.random_texts.draft import STEP
from uol.ir.syntax.surface import Access, Apply, Binary, Expr, Name, Node, Op, Pack, Reduction, Statement, below, operands

CONSTRUCTS = (
    *("remainder in an index", "quotient in an index", "nested index arithmetic", "reversal", "sum of two indices"),
    *("unguarded reads of one tensor in a product", "guarded reads of one tensor in a product"),
    *("guarded and unguarded reads of one tensor in a product", "select on data", "select on indices"),
    *("nested reductions with a bound", "scatter", "gather by data", "extremum of a product", "attribute in an index"),
)
"""What a text can hold that gradients have gone wrong on: each is in at least one text of twenty."""


def constructs(op: Op) -> frozenset[str]:
    """Those of `CONSTRUCTS` that an operator's text holds."""
    return frozenset(name for statement in op.body for name in _of_statement(statement))


def _of_statement(statement: Statement) -> Iterator[str]:
    if statement.op == "+=":
        yield "scatter"
        for item in statement.targets[0].index:
            yield from _of_index(item)
    for node in below(statement.value):
        match node:
            case Access(index=index):
                for item in index:
                    yield from _of_index(item)
            case Binary(op="*"):
                yield from _of_product(node)
            case Apply(fn="select", args=(condition, *_)):
                yield "select on data" if any(isinstance(n, Access) for n in below(condition)) else "select on indices"
            case Reduction():
                yield from _of_reduction(node)


def _of_index(item: Expr | Pack) -> Iterator[str]:
    nodes = tuple(below(item))
    if any(isinstance(n, Access) for n in nodes):
        yield "gather by data"
    if Name(STEP) in nodes:
        yield "attribute in an index"
    for node in nodes:
        if not isinstance(node, Binary):
            continue
        if node.op == "%":
            yield "remainder in an index"
        if node.op == "/":
            yield "quotient in an index"
        if node.op == "-" and _has_index(node.right):
            yield "reversal"
        if node.op == "+" and _has_index(node.left) and _has_index(node.right):
            yield "sum of two indices"
        rounded = [n for n in operands(node) for m in below(n) if isinstance(m, Binary) and m.op in "%/"]
        if rounded or (node.op in "%/" and isinstance(node.left, Binary)):
            yield "nested index arithmetic"


def _has_index(node: Node) -> bool:
    """Whether an index stands there: dims have upper-case names in random texts."""
    return any(isinstance(n, Name) and n.id.islower() and n.id != STEP for n in below(node))


def _factors(node: Node) -> Iterator[Node]:
    if isinstance(node, Binary) and node.op == "*":
        yield from _factors(node.left)
        yield from _factors(node.right)
    elif isinstance(node, Apply) and node.fn == "acc":
        yield from node.args
    else:
        yield node


def _of_product(node: Binary) -> Iterator[str]:
    reads: dict[str, Counter[bool]] = {}
    for factor in _factors(node):
        if isinstance(factor, Access) and isinstance(factor.tensor, Name):
            reads.setdefault(factor.tensor.id, Counter())[factor.fill is not None] += 1
    for found in reads.values():
        if found[True] > 1:
            yield "guarded reads of one tensor in a product"
        if found[False] > 1:
            yield "unguarded reads of one tensor in a product"
        if found[True] and found[False]:
            yield "guarded and unguarded reads of one tensor in a product"


def _of_reduction(node: Reduction) -> Iterator[str]:
    inner = [n for arg in node.args for n in below(arg) if isinstance(n, Reduction)]
    if any(b.bound is not None for n in (node, *inner) for b in n.binders) and inner:
        yield "nested reductions with a bound"
    products = [n for arg in node.args for n in below(arg) if isinstance(n, Binary) and n.op == "*"]
    if node.op in ("max", "min") and any(sum(isinstance(n, Access) for n in below(p)) > 1 for p in products):
        yield "extremum of a product"
