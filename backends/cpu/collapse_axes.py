"""Fewer axes for the same computation.

An axis of extent 1 is 0. Two neighbouring axes of a group are one where every access steps over the inner one's whole
extent in a step of the outer: a dense tensor is then a flat run, and a pointwise convolution a matrix product.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from uol.backends.cpu.spec_parts import accesses, expressions, with_expressions
from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import ZERO, add, mul, static
from uol.codegen.specs.nodes import (
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Let,
    Map,
    Pack,
    Read,
    Reduce,
    Scan,
    Select,
    Step,
    Store,
)
from uol.codegen.specs.traverse import children, guard_operands, rewrite, substitute, variables
from uol.ir.integers.polynomials import from_poly
from uol.ir.program.nodes import Axis, Const, Expr, Var

S = TypeVar("S", bound=KernelSpec)

GROUPS: dict[type[KernelSpec], tuple[str, ...]] = {
    Map: ("index",),
    Pack: ("index",),
    Reduce: ("rows", "cols"),
    Contract: ("batch", "m", "n", "k"),
    Attention: ("batch", "rows", "cols"),
    Scan: ("rows",),
    Select: ("rows",),
}
"""The fields of a spec that hold axes, in which neighbours may join."""


def collapsed(spec: S) -> S:
    """The spec without axes of extent 1, and with neighbouring axes joined wherever no access tells them apart."""
    own = [a for group in GROUPS[type(spec)] for a in getattr(spec, group)]
    for axis in [a for a in own if static(a.extent) == 1]:
        spec = _without(spec, axis.name, None)
    for group in GROUPS[type(spec)]:
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
    return all(coefficient(offset, outer.name) == extent * (coefficient(offset, inner.name) or 0) for offset in offsets)


def told_apart(expr: Expr) -> frozenset[str]:
    """The variables of an expression other than those of affine offsets: in values, guards, fills, quotients."""
    if isinstance(expr, Read):
        inner = [told_apart(e) for e in (*guard_operands(expr.guard), *((expr.fill,) if expr.fill is not None else ()))]
        own = frozenset() if affine(expr.offset) is not None else variables(expr.offset)
        return own.union(*inner)
    if isinstance(expr, Var):
        return frozenset((expr.name,))
    return frozenset().union(*(told_apart(child) for child in children(expr)))


def _without(spec: S, name: str, joined: Axis | None) -> S:
    """The spec without an axis: it is 0, and the axis `joined` (which keeps its name) runs over its steps as well."""
    into = None if joined is None else joined.name

    def value(expr: Expr) -> Expr:
        return _drop(expr, name)

    def step(old: Step) -> Step:
        match old:
            case Let(axes=axes):
                return replace(old, value=value(old.value), axes=_renamed(axes, name, into))
            case Fold(where=where):
                return replace(old, value=value(old.value), where=tuple(value(w) for w in where))
            case Store(axes=axes):
                return replace(
                    old,
                    value=value(old.value),
                    offset=tidy(substitute(old.offset, {name: ZERO})),
                    strides=tuple((n, s) for n, s in old.strides if n != name),
                    axes=_renamed(axes, name, into),
                )

    spec = with_expressions(spec, value, step)
    kept: dict[str, Any] = {}
    for group in GROUPS[type(spec)]:
        axes = (a for a in getattr(spec, group) if a.name != name)
        kept[group] = tuple(joined if joined is not None and a.name == into else a for a in axes)
    return replace(spec, **kept)


def _drop(expr: Expr, name: str) -> Expr:
    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Var) and node.name == name:
            return Const(0, node.dtype)
        if not isinstance(node, Read):
            return None
        inner = rewrite(node, lambda n: None if n is node else rule(n))
        assert isinstance(inner, Read)
        return replace(inner, offset=tidy(inner.offset), strides=tuple((n, s) for n, s in inner.strides if n != name))

    return rewrite(expr, rule)


def tidy(offset: Expr) -> Expr:
    """An affine offset as a plain sum of multiples."""
    form = affine(offset)
    if form is None:
        return offset
    total: Expr = ZERO
    for name in sorted(form.factors):
        total = add(total, mul(Var(name), form.factor(name)))
    return add(total, from_poly(form.constant))


def _renamed(axes: tuple[str, ...], name: str, into: str | None) -> tuple[str, ...]:
    if name not in axes:
        return axes
    kept = tuple(a for a in axes if a != name)
    return kept if into is None or into in kept else (*kept, into)
