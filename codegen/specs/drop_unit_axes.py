"""Specs without axes of extent 1: such an axis is 0 wherever it occurs, and needs no variable in a kernel."""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import ONE, ZERO
from uol.codegen.indexing.fold_constants import substituted
from uol.codegen.specs.nodes import Attention, Contract, Fold, KernelSpec, Let, Map, Pack, Read, Reduce, Step, Store
from uol.codegen.specs.traverse import rewrite
from uol.ir.program.nodes import Axis, Expr


def without_unit_axes(spec: KernelSpec) -> KernelSpec:
    """The same kernel with every axis of extent 1 replaced by 0; of an attention, those of its rows and cols: a width says
    which steps are over it."""
    axes = spec.batch + spec.rows + spec.cols if isinstance(spec, Attention) else spec.axes
    unit = frozenset(a.name for a in axes if a.extent == ONE)
    if not unit:
        return spec

    def kept(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return tuple(a for a in axes if a.name not in unit)

    match spec:
        case Map() | Pack():
            return replace(spec, index=kept(spec.index), steps=tuple(_step(s, unit) for s in spec.steps))
        case Reduce():
            steps = tuple(_step(s, unit) for s in spec.steps)
            return replace(spec, rows=kept(spec.rows), cols=kept(spec.cols), steps=steps)
        case Attention():
            return replace(
                spec,
                batch=kept(spec.batch),
                rows=kept(spec.rows),
                cols=kept(spec.cols),
                dots=tuple(replace(d, a=_expr(d.a, unit), b=_expr(d.b, unit)) for d in spec.dots),
                steps=tuple(_step(s, unit) for s in spec.steps),
                sums=tuple(replace(s, value=_expr(s.value, unit)) for s in spec.sums),
                epilogue=tuple(_step(s, unit) for s in spec.epilogue),
            )
        case Contract():
            return replace(
                spec,
                batch=kept(spec.batch),
                m=kept(spec.m),
                n=kept(spec.n),
                k=kept(spec.k),
                a=_expr(spec.a, unit),
                b=_expr(spec.b, unit),
                epilogue=tuple(_step(s, unit) for s in spec.epilogue),
                segments=None if spec.segments is None else replace(spec.segments, key=_expr(spec.segments.key, unit)),
            )
    return spec


def _step(step: Step, unit: frozenset[str]) -> Step:
    match step:
        case Let(value=value, axes=axes):
            return replace(step, value=_expr(value, unit), axes=tuple(a for a in axes if a not in unit))
        case Fold(value=value, where=where):
            return replace(step, value=_expr(value, unit), where=tuple(_expr(w, unit) for w in where))
        case Store(offset=offset, strides=strides, value=value, axes=axes):
            return replace(
                step,
                offset=_expr(offset, unit),
                strides=tuple((n, s) for n, s in strides if n not in unit),
                value=_expr(value, unit),
                axes=tuple(a for a in axes if a not in unit),
            )


def _expr(expr: Expr, unit: frozenset[str]) -> Expr:
    zeroed = substituted(expr, dict.fromkeys(unit, ZERO))

    def narrowed(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        return replace(node, strides=tuple((n, s) for n, s in node.strides if n not in unit))

    return rewrite(zeroed, narrowed)
