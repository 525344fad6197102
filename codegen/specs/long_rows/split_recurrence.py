"""Recurrences along few long rows as many short ones: the map that each part is, what stands before each, and the parts.

    S_i = a_i * S_{i-1} + b_i
    ->  A[p], B[p] = what part p multiplies what stands before it by, and adds;  S[p + 1] = A[p] * S[p] + B[p]
        S_i = (the product of a up to i in part p) * S[p] + the recurrence within part p, from 0 on

Parts have one length. What is left behind the last of them is one more: the last one, or the first of what runs back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import ONE, ZERO, sub
from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_folds import folds_of, values_of
from uol.codegen.specs.long_rows.split_scan import at_part, even_parts
from uol.codegen.specs.nodes import Arg, Fold, Let, Read, Scan, Step, Store
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, place_in, read_of, scalars_of, workspace_over
from uol.codegen.specs.scan_ends import may_evaluate_all, within_row
from uol.codegen.specs.steps import AFFINE, RECURRENCE, names_behind
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

Axes = tuple[Axis, ...]


def is_split_by_maps(spec: Scan) -> bool:
    """Are all folds recurrences, none of what another leaves, that may be evaluated at the end of a part?"""
    folds = folds_of(spec)
    if not folds or any(fold.op != RECURRENCE for fold in folds) or within_row(spec) != spec.steps:
        return False
    return names_behind(spec.steps, folds).isdisjoint(fold.name for fold in folds) and may_evaluate_all(spec)


@verified
def split_recurrences(spec: Scan, parts: int) -> tuple[Scan, Scan, Scan]:
    """The kernels of such a Scan, in so many parts, which divide its extent."""
    cut = AxisParts.of(spec, spec.along, parts)
    assert cut.are_even, f"{parts} parts do not divide {spec.along.extent}"
    maps = _Maps.of(spec, cut)
    return maps.kernel(), maps.begins({}), maps.parts({})


@verified
def split_open_recurrences(spec: Scan, parts: int, multiple: int) -> tuple[Scan, ...]:
    """The kernels of such a Scan, whatever its extent is: so many parts of one size, a multiple of a length, and what is left
    behind the last of them, a position at least."""
    main, cut, left = even_parts(spec, parts, multiple, ONE)
    maps = _Maps.of(main, cut)
    if not spec.reverse:
        before = {fold.name: maps.behind_last(fold, (*spec.rows, left.along)) for fold in folds_of(spec)}
        return maps.kernel(), maps.begins({}), maps.parts({}), _behind(left, spec.rows, left.along, before)
    one = _Maps.of(left, AxisParts.of(left, left.along, 1))
    ends = {fold.name: _End(one.arrays[fold.name, "plus"], one.rows) for fold in folds_of(spec)}
    return replace(one.kernel(), name=f"{spec.name}_left"), left, maps.kernel(), maps.begins(ends), maps.parts(ends)


@dataclass(frozen=True, slots=True)
class _Before:
    """What stands before a part, a value that reads arrays; nothing where the condition holds."""

    value: Expr
    read: tuple[Arg, ...]
    nothing: Expr | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """What the one part of each row, which is all of it, leaves."""

    array: Arg
    own: Axes

    def at(self, axes: Axes) -> Read:
        return at_part(self.array, self.own, axes, ZERO)


@dataclass(frozen=True, slots=True)
class _Maps:
    """What every part of a Scan is a map by, in arrays over its rows and parts, `by` and `plus`, and what stands before it,
    `begin`. `ends`, by the names of folds: what stands before the first part."""

    spec: Scan
    cut: AxisParts
    arrays: Mapping[tuple[str, str], Arg]

    @staticmethod
    def of(spec: Scan, cut: AxisParts) -> _Maps:
        rows, whats = (*spec.rows, cut.part), ("by", "plus", "begin")
        arrays = {
            (fold.name, what): workspace_over(f"{spec.name}_{fold.name}_{what}", fold.dtype, rows)
            for fold in folds_of(spec)
            for what in whats
        }
        return _Maps(spec, cut, arrays)

    @property
    def rows(self) -> Axes:
        return (*self.spec.rows, self.cut.part)

    @property
    def is_first(self) -> Expr:
        return _is_first(self.spec, self.cut.part)

    def kernel(self) -> Scan:
        """The maps."""
        steps = list[Step]()
        needed = names_behind(self.spec.steps, folds_of(self.spec))
        for step in (over_axes(self.cut.step(step), (*self.rows, self.cut.within)) for step in self.spec.steps):
            if isinstance(step, Fold):
                steps += [_within(self.spec, step, self.cut.within), _product(step)]
            elif isinstance(step, Let) and step.name in needed:
                steps.append(step)
        for fold in folds_of(self.spec):
            steps += [_stored(fold, _product(fold).name, self.arrays[fold.name, "by"], self.rows)]
            steps += [_stored(fold, fold.name, self.arrays[fold.name, "plus"], self.rows)]
        return _scan(self.spec, "_maps", (self.rows, self.cut.within), steps, self.arrays.values(), exclusive=False)

    def begins(self, ends: Mapping[str, _End]) -> Scan:
        """What stands before each part; what `ends` say is in the map of the first."""
        steps = list[Step]()
        for fold in folds_of(self.spec):
            by, plus, begin = (self.arrays[fold.name, what] for what in ("by", "plus", "begin"))
            factor = read_of(by, self.rows, self.rows)
            term: Expr = read_of(plus, self.rows, self.rows)
            if fold.name in ends:
                after = _affine(factor, ends[fold.name].at(self.rows), term)
                term = Call("select", (self.is_first, after, term), fold.dtype)
            steps.append(replace(fold, value=Call(AFFINE, (_but_first(self.is_first, factor), term), fold.dtype)))
            steps.append(_stored(fold, fold.name, begin, self.rows))
        read = (*self.arrays.values(), *(end.array for end in ends.values()))
        return _scan(self.spec, "_begin", (self.spec.rows, self.cut.part), steps, read, exclusive=True)

    def parts(self, ends: Mapping[str, _End]) -> Scan:
        """The parts, each behind what stands before it."""
        axes = (*self.rows, self.cut.within)
        before = {}
        for fold in folds_of(self.spec):
            begin, end = self.arrays[fold.name, "begin"], ends.get(fold.name)
            value: Expr = read_of(begin, self.rows, axes)
            if end is None:
                before[fold.name] = _Before(value, (begin,), nothing=self.is_first)
            else:
                value = Call("select", (self.is_first, end.at(axes), value), fold.dtype)
                before[fold.name] = _Before(value, (begin, end.array))
        parted = replace(self.spec, steps=tuple(over_axes(self.cut.step(step), axes) for step in self.spec.steps))
        return _behind(parted, self.rows, self.cut.within, before)

    def behind_last(self, fold: Fold, axes: Axes) -> _Before:
        """What stands behind the last part, for a spec over these axes."""
        arrays = tuple(self.arrays[fold.name, what] for what in ("by", "begin", "plus"))
        own, last = (*axes[:-1], self.cut.part), sub(self.cut.part.extent, ONE)
        return _Before(_affine(*(at_part(array, own, axes, last) for array in arrays)), arrays)


def _behind(spec: Scan, rows: Axes, along: Axis, before: Mapping[str, _Before]) -> Scan:
    """A scan of what has something before it."""
    steps = list[Step]()
    for step in spec.steps:
        if not isinstance(step, Fold):
            steps.append(step)
            continue
        found, product, dtype = before[step.name], _product(step), step.dtype
        inner = replace(_within(spec, step, along), name=f"{step.name}_part")
        value = _affine(Var(product.name, dtype), found.value, Var(inner.name, dtype))
        if found.nothing is not None:
            value = Call("select", (found.nothing, Var(inner.name, dtype), value), dtype)
        steps += [inner, product, Let(step.name, value, dtype, tuple(a.name for a in (*rows, along)), step.line)]
    arrays = dict.fromkeys(array for found in before.values() for array in found.read)
    return _scan(spec, "", (rows, along), steps, arrays, exclusive=spec.exclusive)


def _product(fold: Fold) -> Fold:
    """The product of what a recurrence multiplies by."""
    return replace(fold, name=f"{fold.name}_by", op="prod", value=fold.value.children[0])


def _within(spec: Scan, fold: Fold, within: Axis) -> Fold:
    """A recurrence within a part: what its first position multiplies by is none of it."""
    by, plus = fold.value.children
    return replace(fold, value=Call(AFFINE, (_but_first(_is_first(spec, within), by), plus), fold.dtype))


def _is_first(spec: Scan, axis: Axis) -> Expr:
    return compare("==", Var(axis.name), sub(axis.extent, ONE) if spec.reverse else ZERO)


def _but_first(is_first: Expr, by: Expr) -> Expr:
    return Call("select", (is_first, Const(1.0, by.type), by), by.type)


def _affine(by: Expr, before: Expr, plus: Expr) -> Expr:
    return Call("+", (Call("*", (by, before), plus.type), plus), plus.type)


def _stored(fold: Fold, name: str, array: Arg, axes: Axes) -> Store:
    offset, strides = place_in(array, axes, axes)
    return Store(array.name, offset, strides, Var(name, fold.dtype), fold.dtype, tuple(a.name for a in axes), fold.line)


def _scan(
    spec: Scan, suffix: str, over: tuple[Axes, Axis], steps: Sequence[Step], arrays: Iterable[Arg], *, exclusive: bool
) -> Scan:
    """A scan in the direction of the whole one, with the arrays that it reads and writes."""
    rows, along = over
    values, head = values_of(steps), head_of(spec)
    whole = replace(spec, args=(*spec.args, *arrays))
    head["name"] = f"{spec.name}{suffix}"
    head["args"], head["scalars"] = ordered(args_of(whole, values, steps)), scalars_of(spec, values)
    return Scan(**head, rows=rows, along=along, reverse=spec.reverse, exclusive=exclusive, steps=tuple(steps))
