"""What `torch.autocast` does to an operator's float inputs: `autocast.toml`, and else what the text says.

low      contractions: a sum over a product of two inputs of which one has an index of its own
f32      other sums and products over an index, and exponentials, logarithms and powers
widest   everything else: the widest type among the inputs
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from uol.ir.syntax.surface import Access, Apply, Binary, Expr, Name, Op, Pack, Reduction, Statement, below

Policy = Literal["low", "f32", "widest"]
Find = Callable[[str], Op | None]
"""An operator by its name, for what a text calls."""

STEEP = frozenset({"exp", "exp2", "expm1", "log", "log2", "log1p", "pow", "rsqrt"})
"""Functions that lose a narrow type's digits, or its range."""


def policy_of(op: Op, find: Find) -> Policy:
    """The policy of an operator."""
    return table().get(op.name) or derived_policy(op, find)


def derived_policy(op: Op, find: Find) -> Policy:
    """The policy that the text alone gives."""
    inputs = frozenset(op.float_inputs)
    if any(_is_contraction(sum_, s, inputs) for s in op.body for sum_ in _reductions(s)):
        return "low"
    found: set[Policy] = {"f32"} if any(_is_steep(s) for s in op.body) else set()
    for statement in op.body:
        for node in below(statement.value):
            callee = find(node.fn) if isinstance(node, Apply) else None
            if callee is not None and callee.name != op.name:
                found.add(policy_of(callee, find))
    return "low" if "low" in found else "f32" if "f32" in found else "widest"


@cache
def table() -> Mapping[str, Policy]:
    """What is written down: where PyTorch's policy is another than the text says."""
    groups = tomllib.loads(files("uol.ops").joinpath("autocast.toml").read_text(encoding="utf-8"))
    assert set(groups) <= set(get_args(Policy))
    return {op: policy for policy in get_args(Policy) for op in groups.get(policy, ())}


def _reductions(statement: Statement) -> Iterator[Reduction]:
    for node in below(statement.value):
        if isinstance(node, Reduction):
            yield node


def _is_steep(statement: Statement) -> bool:
    sums = any(r.op in ("sum", "prod") for r in _reductions(statement))
    return sums or any(isinstance(n, Apply) and n.fn in STEEP for n in below(statement.value))


def _is_contraction(reduction: Reduction, statement: Statement, inputs: frozenset[str]) -> bool:
    if reduction.op != "sum":
        return False
    free = {i.id for t in statement.targets for i in t.index if isinstance(i, Name | Pack)}
    reads = [f for f in _factors(reduction.args[0]) if isinstance(f, Access) and _tensor(f) in inputs]
    owned = [_names(read) & free for read in reads]
    return any(
        _tensor(a) != _tensor(b) and own != other
        for n, (a, own) in enumerate(zip(reads, owned, strict=True))
        for b, other in zip(reads[:n], owned[:n], strict=True)
    )


def _factors(value: Expr) -> Iterator[Expr]:
    """The factors of a product; a conversion is what it converts."""
    match value:
        case Binary(op="*", left=left, right=right):
            yield from _factors(left)
            yield from _factors(right)
        case Apply(args=(Access() as inner,), keywords=()):
            yield inner
        case _:
            yield value


def _tensor(read: Access) -> str | None:
    return read.tensor.id if isinstance(read.tensor, Name) else None


def _names(read: Access) -> set[str]:
    return {n.id for i in read.index for n in below(i) if isinstance(n, Name | Pack)}
