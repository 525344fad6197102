"""Fewer axes for the same computation.

An axis of extent 1 is 0. Two neighbouring axes of a group are one where every access steps over the inner one's whole
extent in a step of the outer: a dense tensor is then a flat run, and a pointwise convolution a matrix product.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from uol.backends.cpu.spec_parts import coefficient, expressions
from uol.codegen.indexing.arithmetic import ZERO, add, affine, mul, static
from uol.codegen.specs.nodes import Contract, KernelSpec, Read, guard_operands
from uol.codegen.specs.traverse import accesses, axis_groups, mapped
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import variables
from uol.ir.types import INDEX

S = TypeVar("S", bound=KernelSpec)


@verified
def collapsed(spec: S) -> S:
    """The spec without axes of extent 1, and with neighbouring axes joined wherever no access tells them apart."""
    own = [a for axes in axis_groups(spec).values() for a in axes]
    for axis in [a for a in own if static(a.extent) == 1]:
        spec = _without(spec, axis.name, None)
    for group in axis_groups(spec):
        spec = _join_group(spec, group)
    return spec


def _join_group(spec: S, group: str) -> S:
    place = 0
    while place + 1 < len(getattr(spec, group)):
        outer, inner = getattr(spec, group)[place : place + 2]
        if _may_join(spec, outer, inner):
            spec = _without(spec, outer.name, Axis(inner.name, mul(outer.extent, inner.extent)))
        else:
            place += 1
    return spec


def _may_join(spec: KernelSpec, outer: Axis, inner: Axis) -> bool:
    extent = static(inner.extent)
    if extent is None or static(outer.extent) is None:
        return False
    if isinstance(spec, Contract) and spec.segments is not None and spec.segments.of in (outer.name, inner.name):
        return False
    pair = {outer.name, inner.name}
    if any(pair & told_apart(expr) for expr in expressions(spec)):
        return False
    offsets = [access.offset for access in accesses(spec) if affine(access.offset) is not None]
    return all(coefficient(offset, outer.name) == extent * coefficient(offset, inner.name) for offset in offsets)


def told_apart(expr: Expr) -> frozenset[str]:
    """The variables of an expression other than those of affine offsets: in values, guards, fills, quotients."""
    if isinstance(expr, Read):
        inner = [told_apart(e) for e in (*guard_operands(expr.guard), *((expr.fill,) if expr.fill is not None else ()))]
        own = frozenset() if affine(expr.offset) is not None else variables(expr.offset)
        return own.union(*inner)
    if isinstance(expr, Var):
        return frozenset((expr.name,))
    return frozenset().union(*(told_apart(child) for child in expr.children))


def _without(spec: S, name: str, joined: Axis | None) -> S:
    """The spec without an axis: it is 0, and the axis `joined` (which keeps its name) runs over its steps as well."""
    into = None if joined is None else joined.name

    def axes(old: tuple[Axis, ...]) -> tuple[Axis, ...]:
        kept = (a for a in old if a.name != name)
        return tuple(joined if joined is not None and a.name == into else a for a in kept)

    def expr(old: Expr) -> Expr:
        new = _at_zero(old, name)
        return tidy(new) if new.type == INDEX else new

    return mapped(spec, expr=expr, axes=axes, name=lambda n: into if n == name else n)


def _at_zero(expr: Expr, name: str) -> Expr:
    """The expression where an axis is 0, with tidy offsets."""
    match expr:
        case Var() if expr.name == name:
            return Const(0, expr.dtype)
        case Read():
            inner = expr.map_children(lambda child: _at_zero(child, name))
            return replace(inner, offset=tidy(inner.offset))
    return expr.map_children(lambda child: _at_zero(child, name))


def tidy(offset: Expr) -> Expr:
    """An affine offset as a plain sum of multiples."""
    form = affine(offset)
    if form is None:
        return offset
    total: Expr = ZERO
    for name, factor in form.coefficients:
        total = add(total, mul(Var(name), Const(factor)))
    return add(total, Const(form.constant))
