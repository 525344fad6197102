"""The axes of a spec, and a spec with its expressions and axes exchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from uol.codegen.specs.nodes import Dot, Fold, KernelSpec, Let, Read, Segments, SpecHead, Step, Store, Weighted
from uol.codegen.specs.traverse import rewrite
from uol.ir.program.nodes import Axis, Expr

S = TypeVar("S", bound=KernelSpec)
Strides = tuple[tuple[str, Expr | None], ...]
Rename = Callable[[str], str | None]


def axis_groups(spec: KernelSpec) -> dict[str, tuple[Axis, ...]]:
    """The axes of a spec by the field that they stand in: only axes of one group may become one. An axis with a part of its
    own (what a scan runs along) is in no group."""
    return {field.name: getattr(spec, field.name) for field in fields(spec) if field.type == "tuple[Axis, ...]"}


def mapped(
    spec: S,
    *,
    expr: Callable[[Expr], Expr],
    axes: Callable[[tuple[Axis, ...]], tuple[Axis, ...]] = lambda axes: axes,
    name: Rename = lambda name: name,
) -> S:
    """The spec with every expression exchanged for `expr` of it, and every group of axes for `axes` of it.

    name    what an axis is called from now on, in what steps are over and in strides; None for one that is gone. Where two
            become one, its stride is that of the inner

    >>> mapped(spec, expr=lambda e: substitute(e, {"n": ZERO}), name=lambda n: None if n == "n" else n)
    """

    def go(old: Any) -> Any:
        match old:
            case Expr():
                return _renamed(expr(old), name)
            case (Axis(), *_):
                return axes(old)
            case tuple():
                return tuple(go(item) for item in old)
            case Let() | Fold() | Store():
                return _step(old, go, name)
            case Dot() | Weighted() | Segments():
                return replace(old, **{field.name: go(getattr(old, field.name)) for field in fields(old)})
        return old

    own = (field.name for field in fields(spec) if field.name not in SpecHead.__annotations__)
    return replace(spec, **{field: go(getattr(spec, field)) for field in own})


def _step(step: Step, go: Callable[[Any], Any], name: Rename) -> Step:
    match step:
        case Let():
            return replace(step, value=go(step.value), axes=_names(step.axes, name))
        case Fold():
            return replace(step, value=go(step.value), where=go(step.where))
        case Store():
            return replace(
                step,
                offset=go(step.offset),
                strides=_strides(step.strides, name),
                value=go(step.value),
                axes=_names(step.axes, name),
            )


def _renamed(expr: Expr, name: Rename) -> Expr:
    """The expression with the strides of every read under other names, of reads within reads, too."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        inner = rewrite(node, lambda n: None if n is node else rule(n))
        assert isinstance(inner, Read)
        return replace(inner, strides=_strides(inner.strides, name))

    return rewrite(expr, rule)


def _names(axes: tuple[str, ...], name: Rename) -> tuple[str, ...]:
    return tuple(dict.fromkeys(new for old in axes if (new := name(old)) is not None))


def _strides(strides: Strides, name: Rename) -> Strides:
    return tuple({new: stride for old, stride in strides if (new := name(old)) is not None}.items())
