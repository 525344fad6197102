"""Recognising contractions in segments: rows, or terms, that fall into runs by a key in ascending order.

    rows    y[m, f] = sum[d](x[m, d] * w[key[m], f, d])     rows of one key share an operand: a product of groups
    terms   y[key[m], f, d] += x[m, f] * z[m, d]            the terms of a key make one product

That the keys ascend is a promise of the text (`where sorted(key)`). Rows are right in any order of the keys, and quick in
this one, but where a kernel looks for bounds first (`contractions/segment_bounds.py`); the terms of a key are looked for where
they should be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.names import taken_names, unused
from uol.codegen.partition.contraction import Contraction, as_contraction
from uol.codegen.partition.grouped_value import Mode, Segmented
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Expr, Load, Program, Reduce, Scatter, Stage, Var
from uol.ir.program.walk import rewrite, variables, walk


def as_segments(program: Program, modes: Collection[Mode]) -> Program:
    """The same program with every sum of products over a sorted key as a Segmented, in the `modes` that a machine has."""
    taken = set(taken_names(program))
    stages: list[Stage] = []
    for stage in program.stages:
        found = _terms(stage, program, taken) if isinstance(stage, Scatter) else _rows(stage, program, taken)
        segments = found.value if found is not None else None
        if found is None or not isinstance(segments, Segmented) or segments.over not in modes:
            stages.append(stage)
            continue
        taken.add(segments.of.name)
        stages.append(found)
    return replace(program, stages=tuple(stages))


def contraction_of(stage: Stage, inner: str | None, taken: Collection[str]) -> Contraction | None:
    """The stage as a contraction, in segments or not; `inner` and `taken` as in `as_contraction`. The operand that a segment
    has of its own is b."""
    segments = stage.value
    if not isinstance(segments, Segmented):
        return as_contraction(stage, inner, taken)
    plain = replace(stage, value=segments.value)
    if segments.over == "terms":
        whole = next(a for a in stage.axes if a.name == segments.of.name)
        found = as_contraction(_without(plain, whole), inner, taken, gathers=True)
        return None if found is None or found.split else replace(found, batch=(whole, *found.batch))
    columns = _columns(plain, segments.of.name)
    found = as_contraction(plain, inner if inner in columns else next(iter(columns), None), taken, gathers=True)
    if found is None or found.split or segments.of.name not in variables(found.b) - variables(found.a):
        return None
    return found if [a.name for a in found.m] == [segments.at.name] else None


def _columns(stage: Stage, segment: str) -> list[str]:
    """The axes that the factor with the segment knows, innermost first, and the other does not."""
    assert isinstance(stage.value, Reduce)
    factors = [variables(f) for f in getattr(stage.value.body, "args", ())]
    keyed, other = (frozenset().union(*(f for f in factors if (segment in f) is has)) for has in (True, False))
    return [a.name for a in reversed(stage.axes) if a.name in keyed - other]


def _rows(stage: Stage, program: Program, taken: Collection[str]) -> Stage | None:
    value = stage.value
    if not isinstance(value, Reduce):
        return None
    own = {a.name for a in stage.axes}
    for key, at in _keys(value, program.sorted):
        if at.name not in own:
            continue
        of = Var(unused(f"{_tensor(key)}_of_{at.name}", taken))
        segment_of: dict[Expr, Expr] = {key: of}
        inner = rewrite(value, segment_of.get)
        assert isinstance(inner, Reduce)
        found = replace(stage, value=Segmented("rows", at, key, of, inner, stage.dtype))
        if contraction_of(found, None, taken) is not None:
            return found
    return None


def _terms(stage: Scatter, program: Program, taken: Collection[str]) -> Stage | None:
    keys = [(d, k, at) for d, target in enumerate(stage.target) for k, at in _keys(target, program.sorted) if k == target]
    if len(keys) != 1:
        return None
    (dim, key, at) = keys[0]
    extent = program.tensors[stage.name].shape[dim]
    others = {t.name: d for d, t in enumerate(stage.target) if isinstance(t, Var)}
    terms = next((a for a in stage.axes if a.name == at.name), None)
    if terms is None or len(others) + 1 != len(stage.target) or set(others) | {at.name} != {a.name for a in stage.axes}:
        return None
    if at.name in others or not all(g in _inside(key, extent) for g in stage.guard):
        return None
    of = Var(unused(f"{_tensor(key)}_segment", taken))
    extents = {a.name: a for a in stage.axes}
    axes = tuple(extents[t.name] if isinstance(t, Var) else Axis(of.name, extent) for t in stage.target)
    value = Segmented("terms", at, key, of, Reduce("sum", (terms,), stage.value, stage.dtype), stage.dtype)
    found = Stage(stage.name, axes, value, stage.dtype, stage.line, stage.span)
    return found if contraction_of(found, None, taken) is not None else None


def _keys(expr: Expr, promised: Collection[str]) -> Iterator[tuple[Expr, Var]]:
    """The indices that are elements of a sorted tensor at one index, with that index."""
    for node in walk(expr):
        match node:
            case Call(fn="cast", args=(Load(tensor=tensor, index=(Var() as at,), guard=()),)) if tensor in promised:
                yield node, at


def _tensor(key: Expr) -> str:
    return next(node.tensor for node in walk(key) if isinstance(node, Load))


def _inside(key: Expr, extent: Expr) -> tuple[Expr, Expr]:
    return compare(">=", key, ZERO), compare("<", key, extent)


def _without(stage: Stage, axis: Axis) -> Stage:
    return replace(stage, axes=tuple(a for a in stage.axes if a != axis))
