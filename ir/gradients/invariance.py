"""Stabilisers: an extremum on which no result depends, such as the row maximum that a softmax subtracts.

Where hi grows by d, every value responds: it stays, it grows by k*d, or it grows by the factor exp(k*d). A sum of terms
that grow by one factor grows by it, exp turns the one response into the other and log turns it back. An extremum is a
stabiliser where all results stay: its cotangent is exactly 0, and is not computed. So is an extremum in whose place a constant
stands where it is infinite, as in log-sum-exp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from uol.ir.gradients.text.substitution import Item, binder_key, index_key
from uol.ir.syntax.surface import Access, Apply, Binary, Expr, Name, Node, Number, Pack, Reduction, Statement, Unary, operands
from uol.ir.types import DTYPES


@dataclass(frozen=True, slots=True)
class Response:
    """`value + by * d` or `value * exp(by * d)`; by = 0 is the value that stays, in either form."""

    form: Literal["shift", "scale"]
    by: int


STAYS = Response("shift", 0)


def stabilisers(body: Sequence[Statement], results: frozenset[str], casts: frozenset[str]) -> frozenset[str]:
    """The tensors that a maximum or minimum defines, or its finite part, and on which no result depends."""
    found = set()
    for number, statement in enumerate(body):
        if len(statement.targets) > 1 or statement.op != "=" or statement.targets[0].tensor in results:
            continue
        if _may_stabilise(statement.value):
            target = statement.targets[0]
            study = _Study(target.index, {target.tensor: (target.index, Response("shift", 1))}, casts)
            if study.all_stay(body[number + 1 :], results):
                found.add(target.tensor)
    return frozenset(found)


def _may_stabilise(value: Expr) -> bool:
    """A maximum or minimum, or `select(abs(hi) == inf, 0, hi)`: one where it is finite, and a constant elsewhere."""
    match value:
        case Reduction(op="max" | "min") | Apply(fn="select", args=(_, Number(), Access())):
            return True
    return False


@dataclass(slots=True)
class _Study:
    """`row` are the indices of the extremum; `known` the tensors that respond, with the indices of their definition."""

    row: tuple[Item, ...]
    known: dict[str, tuple[tuple[Item, ...], Response]]
    casts: frozenset[str]

    def all_stay(self, body: Sequence[Statement], results: frozenset[str]) -> bool:
        for statement in body:
            response = self.of(statement.value) if self.row_in(statement) or not self.reads(statement.value) else None
            if response is None or len(statement.targets) > 1 or statement.op != "=":
                if self.reads(statement.value):
                    return False
                continue
            target = statement.targets[0]
            if response.by and target.tensor in results:
                return False
            if response.by:
                self.known[target.tensor] = (target.index, response)
        return True

    def row_in(self, statement: Statement) -> bool:
        return all(item in statement.targets[0].index for item in self.row)

    def reads(self, node: Node) -> bool:
        if isinstance(node, Access) and isinstance(node.tensor, Name) and node.tensor.id in self.known:
            return True
        return any(map(self.reads, operands(node)))

    def of(self, node: Expr | Pack) -> Response | None:
        """How a value responds; None where in no such way."""
        if isinstance(node, Pack) or not self.reads(node):
            return STAYS
        match node:
            case Access(tensor=Name(id=name), index=index, fill=None):
                return self.read(name, index)
            case Unary(op="neg", arg=arg):
                inner = self.of(arg)
                return Response("shift", -inner.by) if inner is not None and inner.form == "shift" else inner
            case Binary(op="+" | "-" as op, left=left, right=right):
                return _sum(self.of(left), self.of(right), 1 if op == "+" else -1)
            case Binary(op="*" | "/" as op, left=left, right=right):
                return _product(self.of(left), self.of(right), 1 if op == "*" else -1)
            case Apply(fn="exp" | "log" as fn, args=(arg,)):
                inner = self.of(arg)
                wanted = "shift" if fn == "exp" else "scale"
                return Response("scale" if fn == "exp" else "shift", inner.by) if inner and inner.form == wanted else None
            case Apply(fn="select", args=(condition, a, b)):
                return self.either(a, b) if not self.reads(condition) else None
            case Apply(fn=fn, args=(arg,)) if fn == "acc" or fn in self.casts or fn in DTYPES:
                return self.of(arg)
            case Reduction(op=op, binders=binders, args=(arg,)):
                if {binder_key(b) for b in binders} & {index_key(i) for i in self.row}:
                    return None
                inner = self.of(arg)
                wanted = "scale" if op == "sum" else "shift" if op in ("max", "min") else ""
                return inner if inner is not None and inner.form == wanted else None
        return None

    def either(self, a: Expr | Pack, b: Expr | Pack) -> Response | None:
        """The response that both arms have; 0 grows by any factor."""
        arms = [self.of(arm) for arm in (a, b) if arm != Number(0)]
        if len(arms) == 1:
            return arms[0] if arms[0] is not None and (arms[0].form == "scale" or not arms[0].by) else None
        return arms[0] if arms and arms[0] == arms[1] else STAYS if not arms else None

    def read(self, name: str, index: tuple[Item, ...]) -> Response | None:
        defined, response = self.known[name]
        at_row = all(index[defined.index(item)] == item for item in self.row)
        return response if at_row else None


def _sum(a: Response | None, b: Response | None, sign: int) -> Response | None:
    if a is None or b is None:
        return None
    if a.form == b.form == "shift":
        return Response("shift", a.by + sign * b.by)
    return a if a == b else None


def _product(a: Response | None, b: Response | None, sign: int) -> Response | None:
    if a is None or b is None or any(r.form == "shift" and r.by for r in (a, b)):
        return None
    total = a.by + sign * b.by
    return Response("scale", total) if total else STAYS
