"""What few elements neighbouring rows read, but apart from each other, is copied before, so that they lie side by side.

    y[o] = sum[r, s](x[..., o] * w[o, r, s])     ->     p[r, s, o] = w[o, r, s],   y[o] = sum[r, s](x[..., o] * p[r, s, o])

A depthwise convolution whose filter has its taps side by side touches a sector for each lane of a warp and each tap; the copy
is read once, and there are many rows for each of its elements.
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import ZERO, size, static
from uol.codegen.specs.nodes import Fold, Pack, Read, Reduce, Store
from uol.codegen.specs.rewrites import args_of, ordered, place_in, read_of, scalars_of, strides_over, workspace_over
from uol.codegen.specs.traverse import expressions, mapped, reads
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis
from uol.ir.program.walk import rewrite

FEWEST = 1 << 22
"""Elements that folds take, from which on a launch more is worth it: they cost a few microseconds of sectors."""
ROWS_FOR_EACH = 64
"""Rows for each element of a copy."""
LANES = 32
"""Neighbours from which on rows fill the sectors of a warp."""


def with_packed_reads(spec: Reduce) -> tuple[tuple[Pack, ...], Reduce]:
    """The copies, and the folds that read them: no copy where nothing is to be copied."""
    if spec.dims or spec.columns or not spec.rows or (static(size(spec.axes)) or 0) < FEWEST:
        return (), spec
    if (static(spec.rows[-1].extent) or 0) < LANES:
        return (), spec
    values = [step.value for step in spec.steps if isinstance(step, Fold)]
    found = dict.fromkeys(read for value in values for read in reads(value) if _lies_apart(spec, read))
    copies: list[Pack] = []
    for number, read in enumerate(found):
        pack, spec = _packed(spec, read, number)
        copies.append(pack)
    return tuple(copies), spec


def _lies_apart(spec: Reduce, read: Read) -> bool:
    """Are there few elements, at places that are known, and those of neighbouring rows not side by side?"""
    steps = dict(read.strides)
    if read.guard or None in steps.values() or next(reads(read.offset), None) is not None:
        return False
    if (static(steps.get(spec.rows[-1].name) or ZERO) or 0) <= 1:
        return False
    return (static(size(_axes(spec, read))) or 0) * ROWS_FOR_EACH <= (static(size(spec.rows)) or 0)


def _axes(spec: Reduce, read: Read) -> tuple[Axis, ...]:
    """Those that say what is read, the last of the rows behind all others."""
    steps = dict(read.strides)
    return tuple(axis for axis in (*spec.cols, *spec.rows) if (steps.get(axis.name) or ZERO) != ZERO)


@verified
def _packed(spec: Reduce, read: Read, number: int) -> tuple[Pack, Reduce]:
    """The copy of what is read, and the folds that read it."""
    index = _axes(spec, read)
    names = tuple(axis.name for axis in index)
    workspace = workspace_over(f"{spec.name}_{read.tensor}_packed{number or ''}", read.dtype, index)
    offset, strides = place_in(workspace, index, index)
    line = next(step.line for step in spec.steps if isinstance(step, Fold))
    copy = Store(workspace.name, offset, strides, strides_over(read, names), read.dtype, names, line)
    pack = Pack(
        name=f"{spec.name}_pack_{read.tensor}{number or ''}",
        args=(*args_of(spec, (read,), ()), workspace),
        scalars=scalars_of(spec, (read,)),
        dims=spec.dims,
        facts=spec.facts,
        source=spec.source,
        index=index,
        steps=(copy,),
    )
    copied = read_of(workspace, index, spec.axes)
    changed = mapped(spec, expr=lambda expr: rewrite(expr, lambda node: copied if node == read else None))
    kept = args_of(changed, tuple(expressions(changed)), changed.steps)
    return pack, replace(changed, args=ordered((*kept, workspace)))
