"""Sums of products that are added to each other, as sums of one kernel.

    s[m, n] = sum[k](a b);  y[m, n] = s[m, n] + sum[k](c d)   ->   y[m, n] = sum[k](a b + c d)

What the first stores for the second alone is neither written nor read then. Both are over the same axes, in the same segments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from uol.codegen.specs.nodes import Contract, KernelSpec, Read, Segments, Store
from uol.codegen.specs.rewrites import ordered
from uol.codegen.specs.traverse import expressions, map_step, products_in, reads
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import rewrite, substitute, walk


def with_joined_sums(specs: Sequence[KernelSpec], has_kernel: Callable[[Contract], bool]) -> tuple[KernelSpec, ...]:
    """The same kernels, with those as one for whose sum there is a kernel."""
    specs = tuple(specs)
    for second in specs:
        for first in specs:
            joined = _joined(first, second, specs)
            if joined is not None and has_kernel(joined):
                rest = tuple(joined if spec is second else spec for spec in specs if spec is not first)
                return with_joined_sums(rest, has_kernel)
    return specs


def _joined(first: KernelSpec, second: KernelSpec, specs: Sequence[KernelSpec]) -> Contract | None:
    """Both as one contraction, if the second adds what the first stores, and nobody else reads it."""
    if not (isinstance(first, Contract) and isinstance(second, Contract)) or first is second:
        return None
    match first.epilogue:
        case (Store(tensor=tensor, value=Var(name=name)) as store,) if name == first.acc:
            readers = [spec for spec in specs for expr in expressions(spec) for read in reads(expr) if read.tensor == tensor]
            if readers == [second] and first.arg(tensor).role == "workspace" and _are_alike(first, second):
                return _sum_of(first, store, second)
    return None


def _are_alike(first: Contract, second: Contract) -> bool:
    """Are both over the same axes, in the same segments, and added up in one type?"""
    both = (first, second)
    spaces = [(each.batch, each.m, each.n, each.k, each.acc_dtype, each.tf32, _segments(each)) for each in both]
    return spaces[0] == spaces[1] and not any(each.sums for each in both)


def _segments(spec: Contract) -> Segments | None:
    """Segments, whatever their number is called."""
    return None if spec.segments is None else replace(spec.segments, of="")


@verified
def _sum_of(first: Contract, store: Store, second: Contract) -> Contract | None:
    own = Var(second.acc, second.acc_dtype)

    def rule(node: Expr) -> Expr | None:
        match node:
            case Call(fn="+", args=(Read(tensor=tensor, offset=offset, guard=()), Var() as acc)) | Call(
                fn="+", args=(Var() as acc, Read(tensor=tensor, offset=offset, guard=()))
            ) if (tensor, offset, acc) == (store.tensor, store.offset, own):
                return own
        return None

    epilogue = tuple(map_step(step, lambda expr: rewrite(expr, rule)) for step in second.epilogue)
    if any(read.tensor == store.tensor for step in epilogue for read in _reads(step.value)):
        return None
    added = products_in(first)
    if first.segments is not None and second.segments is not None:
        segment: dict[str, Expr] = {first.segments.of: Var(second.segments.of)}
        added = tuple((substitute(a, segment), substitute(b, segment)) for a, b in added)
    args = {arg.name: arg for spec in (first, second) for arg in spec.args if arg.name != store.tensor}
    scalars = tuple(dict.fromkeys((*first.scalars, *second.scalars)))
    more = (*second.more, *added)
    return replace(second, args=ordered(tuple(args.values())), scalars=scalars, epilogue=epilogue, more=more)


def _reads(expr: Expr) -> Iterator[Read]:
    return (node for node in walk(expr) if isinstance(node, Read))
