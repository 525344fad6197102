"""Sums over rows beside what is made of each row: both from one reading of memory.

    dx[s, c] = f(x[s, :], dy[s, :])            ->  for each part of the rows, one row after another:
    dw[c]    = sum[s](dy[s, c] * g(x[s, :]))           dx[s, :] = ...;  W[part, :] += dy[s, :] * ...
                                                   dw[c] = sum[part](W[part, c])

A kernel that goes over the rows alone, and one that goes over the columns, would each read both tensors whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_folds import folds_of, may_be_split, split_folds, values_of
from uol.codegen.specs.nodes import Arg, KernelSpec, Let, Read, Reduce, Step, Store
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, place_in, scalars_of
from uol.codegen.specs.steps import names_behind
from uol.codegen.specs.traverse import accesses, searched
from uol.codegen.specs.traverse import reads as reads_of
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Expr
from uol.ir.program.walk import rewrite
from uol.ir.types import DTYPES

FEWEST_PARTS, FEWEST_ROWS = 8, 4
"""Parts of the rows at the least: what cores share; and rows of a part, each of which adds to its sums."""
LEAST_SHARED_BYTES = 1 << 22
"""Of what both kernels read: less stays in a cache from the one to the other."""
MOST_SUMS_BYTES = 1 << 16
"""Of the sums of a part, which a core goes over once a row."""


def with_column_sums(specs: Sequence[KernelSpec], parts: int) -> tuple[KernelSpec, ...]:
    """The kernels of an operator, where sums over rows go along with the rows in so many parts, or fewer. All buffers that a
    kernel reads were stored before it."""
    found = list(specs)
    for at, sums in enumerate(specs):
        rows = next((s for s in found[:at] if isinstance(s, Reduce) and _go_along(s, sums)), None) if at else None
        if rows is None or not isinstance(sums, Reduce):
            continue
        made_since = {a.tensor for s in found[found.index(rows) + 1 : at] for a in accesses(s) if isinstance(a, Store)}
        others = [s for s in (*found, *specs[at + 1 :]) if s is not rows and s is not sums]
        joined = None if made_since & _read_by(sums) else _joined(rows, sums, parts, frozenset().union(*map(_read_by, others)))
        if joined is not None:
            found[found.index(rows)], found[at] = joined
    return tuple(found)


def _go_along(rows: Reduce, sums: KernelSpec) -> bool:
    """Is it a kernel over the same rows and columns whose folds are sums over those rows, with enough to read alike?"""
    if not isinstance(sums, Reduce) or rows.columns or rows.rows != sums.cols or rows.cols != sums.rows or not sums.rows:
        return False
    if any(static(a.extent) is None for a in rows.axes) or not may_be_split(sums):
        return False
    folds = folds_of(sums)
    lets = {s.name for s in sums.steps if isinstance(s, Let)}
    if any(f.op != "sum" or f.where for f in folds) or names_behind(sums.steps, folds) & lets:
        return False
    column, stores = sums.rows[-1].name, [s for s in rows.steps if isinstance(s, Store) and len(s.axes) == len(rows.axes)]
    whole = [a for a in accesses(sums) if isinstance(a, Read) and _is_whole(a, rows)]
    offsets = [*(s.offset for s in stores), *(read.offset for read in whole)]
    if not stores or any(coefficient(offset, column) != 1 for offset in offsets):
        return False
    shared = {a.tensor: a for a in whole if a.tensor in _read_by(rows)}
    points = _points(rows.axes)
    sums_bytes = sum(DTYPES[f.dtype].bytes for f in folds) * _points(sums.rows)
    return sum(points * DTYPES[a.dtype].bytes for a in shared.values()) >= LEAST_SHARED_BYTES and sums_bytes <= MOST_SUMS_BYTES


@verified
def _joined(rows: Reduce, sums: Reduce, parts: int, read_elsewhere: frozenset[str]) -> tuple[Reduce, Reduce] | None:
    """The rows with the sums of parts beside them, and the sums of the parts; None where the terms are not at hand."""
    axis = rows.rows[0]
    count = _count(axis, _points(rows.rows[1:]), parts)
    if count < FEWEST_PARTS:
        return None
    terms = [_at_hand(fold.value, rows) for fold in folds_of(sums)]
    values = [term for term in terms if term is not None]
    if len(values) < len(terms):
        return None
    cut = AxisParts.of(replace(rows, args=_args(rows, sums)), axis, count)
    order = (cut.part, *(cut.within if a == axis else a for a in rows.rows), *rows.cols)
    _, whole = split_folds(sums, axis, count)
    arrays = {f.name: whole.arg(f"{sums.name}_{f.name}_parts") for f in folds_of(sums)}
    columns = tuple(
        _column(over_axes(cut.step(replace(fold, value=value)), order), arrays[fold.name], (cut.part, *sums.rows))
        for fold, value in zip(folds_of(sums), values, strict=True)
    )
    steps = [over_axes(cut.step(s), order) for s in rows.steps if not _is_left_out(s, rows, read_elsewhere)]
    every = [*steps, *columns]
    head = head_of(rows)
    head["args"] = ordered((*args_of(replace(rows, args=_args(rows, sums)), values_of(every), every), *arrays.values()))
    head["scalars"] = scalars_of(replace(rows, scalars=tuple(dict.fromkeys((*rows.scalars, *sums.scalars)))), values_of(every))
    own = order[: len(rows.rows) + 1]
    return Reduce(**head, rows=own, cols=rows.cols, steps=tuple(steps), ascending=rows.ascending, columns=columns), whole


def _count(axis: Axis, others: int, most: int) -> int:
    """In how many parts of one size the axis goes, each with rows enough; at the most, or 0."""
    extent = static(axis.extent) or 0
    counts = (n for n in range(min(most, extent), 0, -1) if extent % n == 0 and extent // n * others >= FEWEST_ROWS)
    return next(counts, 0)


def _at_hand(value: Expr, rows: Reduce) -> Expr | None:
    """A term of a sum with what the rows' own kernel stores of a row taken from where it is; None where that is an element, or
    is read at another row."""
    stored = {s.tensor: s for s in rows.steps if isinstance(s, Store)}
    for read in reads_of(value):
        store = stored.get(read.tensor)
        if store is not None and (len(store.axes) > len(rows.rows) or read.guard or read.offset != store.offset):
            return None
    return rewrite(value, lambda node: stored[node.tensor].value if isinstance(node, Read) and node.tensor in stored else None)


def _column(step: Step, array: Arg, axes: tuple[Axis, ...]) -> Store:
    offset, strides = place_in(array, axes, axes)
    return Store(array.name, offset, strides, step.value, array.dtype, tuple(a.name for a in axes), step.line)


def _is_left_out(step: Step, rows: Reduce, read_elsewhere: frozenset[str]) -> bool:
    """Is it a store that the sums alone have read?"""
    return isinstance(step, Store) and rows.arg(step.tensor).role == "workspace" and step.tensor not in read_elsewhere


def _args(*specs: KernelSpec) -> tuple[Arg, ...]:
    return ordered(tuple(dict.fromkeys(arg for spec in specs for arg in spec.args)))


def _read_by(spec: KernelSpec) -> frozenset[str]:
    return frozenset((*(a.tensor for a in accesses(spec) if isinstance(a, Read)), *(s.tensor for s in searched(spec))))


def _is_whole(read: Read, rows: Reduce) -> bool:
    """Does a read have an element for each of the rows and columns?"""
    return not read.guard and all(coefficient(read.offset, a.name) for a in rows.axes)


def _points(axes: Iterable[Axis]) -> int:
    return static(size(axes)) or 0
