"""Fewer axes for the same computation, and each step of an axis a number of its own: what TVM and LLVM address memory by."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ZERO, add, mul
from uol.codegen.specs import collapse_axes
from uol.codegen.specs.nodes import KernelSpec, Read
from uol.codegen.specs.traverse import mapped
from uol.codegen.specs.verify import verified
from uol.ir.integers.polynomials import from_poly
from uol.ir.program.nodes import Expr, Var
from uol.ir.program.walk import rewrite
from uol.ir.types import INDEX

S = TypeVar("S", bound=KernelSpec)


@verified
def collapsed(spec: S) -> S:
    """The spec with as few axes as its accesses allow; where it has fewer, with every affine offset as a sum of multiples."""
    found = collapse_axes.collapsed(spec)
    return found if found is spec else mapped(found, expr=_with_sums)


def _with_sums(expr: Expr) -> Expr:
    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        inner = node.map_children(lambda child: rewrite(child, rule))
        return replace(inner, offset=as_sum(inner.offset))

    found = rewrite(expr, rule)
    return as_sum(found) if found.type == INDEX else found


def as_sum(offset: Expr) -> Expr:
    """An affine offset as a sum of multiples of its axes."""
    form = affine(offset)
    if form is None:
        return offset
    total: Expr = ZERO
    for name in sorted(form.factors):
        total = add(total, mul(Var(name), form.factor(name)))
    return add(total, from_poly(form.constant))
