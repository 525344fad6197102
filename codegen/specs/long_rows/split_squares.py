"""A mean and the squares about it from one reading of long rows: every part of a row has its own.

    s[r] = sum[c](x[r, c]);  m[r] = s[r] / n;  q[r] = sum[c]((x[r, c] - m[r])**2)
    ->   S[p, r] = sum[c in p](x[r, c]);     Q[p, r] = sum[c in p]((x[r, c] - S[p, r] / n_p)**2)
         s[r]    = sum[p](S[p, r]);          q[r]    = sum[p](Q[p, r] + n_p * (S[p, r] / n_p - m[r])**2)

This holds whatever m is, and nothing is taken off in it, so that q has the relative error of sums of positive terms, and what
an error of m or S makes of it (Chan, Golub, LeVeque, Algorithms for Computing the Sample Variance, The American Statistician
37, 1983). A thread that does not keep its part cannot go over it for its mean, and then again. It takes the part's first
element from all:

    d[c] = x[c] - k,  k = x[first of p]        D = sum[c](d);   Q[p] = sum[c](d**2) - D * D / n_p

With n = n_p the sum of d**2 is Q + n * (mean of d)**2, at most n * Q, since k is one of the elements. Its error in any order is
below n + 2 units of it, and that of D makes less than 2 n units, so that Q has (3 n + 5) * n units at most, a unit being the
roundoff u times Q. A sum of N positive terms in any order is owed N units: there are as many where the parts are about three
times as many as each has elements, by `are_enough`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import ONE, ZERO, mul, size, static, sub, substituted
from uol.codegen.names import unused
from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_folds import folds_of, over_parts, stored, values_of
from uol.codegen.specs.long_rows.squares import Squares, squares_in, sum_of
from uol.codegen.specs.nodes import Arg, Fold, Let, Reduce, Step, Strides
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, read_of, scalars_of, workspace_over
from uol.codegen.specs.steps import names_behind
from uol.codegen.specs.traverse import map_step, map_strides, names_of
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

Axes = tuple[Axis, ...]


def are_enough(parts: int, length: int) -> bool:
    """Are so many parts of a length enough for squares about their first elements to be within what a sum of all is owed? Each
    is within (3 n + 5) * n units, and their sum, of terms that are rounded five times, within so many more."""
    return (3 * length + 5) * length + parts + 5 <= length * parts


@verified
def split_squares(spec: Reduce, axis: Axis, parts: int, multiple: int = 1, *, kept: bool) -> tuple[Reduce, Reduce]:
    """The kernels of a Reduce with squares about a value of the row (`squares.are_of_one_reading`), with `axis`, one of its
    cols, in parts. `kept`: a part is gone over twice, for its mean, and then for the squares about that."""
    split = _Split.of(spec, AxisParts.of(spec, axis, parts, multiple), kept=kept)
    return split.parts(), split.whole()


@dataclass(frozen=True, slots=True)
class _Split:
    """A Reduce in parts. `totals` are the sums of what is squared, by the names of the squares: folds of the spec or new."""

    spec: Reduce
    cut: AxisParts
    squares: Mapping[str, Squares]
    totals: Mapping[str, Fold]
    arrays: Mapping[str, Arg]
    kept: bool

    @staticmethod
    def of(spec: Reduce, cut: AxisParts, *, kept: bool) -> _Split:
        squares, folds = squares_in(spec), folds_of(spec)
        totals = dict[str, Fold]()
        for fold in folds:
            if fold.name in squares:
                x = squares[fold.name].x
                own = Fold(unused(f"{fold.name}_total", names_of(spec)), "sum", x, fold.dtype, (), fold.line)
                totals[fold.name] = sum_of(x, spec) or own
        stored_of_parts = {f.name: f.dtype for f in (*folds, *totals.values())}
        rows = (cut.part, *spec.rows)
        arrays = {name: workspace_over(f"{spec.name}_{name}_parts", dtype, rows) for name, dtype in stored_of_parts.items()}
        return _Split(spec, cut, squares, totals, arrays, kept)

    @property
    def plain(self) -> list[Fold]:
        """The folds that are made of none: those of the spec, and totals that it does not have."""
        own = [fold for fold in folds_of(self.spec) if fold.name not in self.squares]
        return own + [total for total in dict.fromkeys(self.totals.values()) if total not in own]

    def parts(self) -> Reduce:
        """What every part folds to."""
        spec, cut = self.spec, self.cut
        rows, cols = (cut.part, *spec.rows), tuple(cut.within if a == cut.axis else a for a in spec.cols)
        behind = names_behind(spec.steps, self.plain)
        names = {*behind, *(name for each in self.squares.values() for name in names_behind(spec.steps, [_let(each.x)]))}
        steps: list[Step] = [s for s in spec.steps if isinstance(s, Let) and s.name in names]
        steps = [over_axes(cut.step(step), (*rows, *cols)) for step in (*steps, *self.plain)]
        steps = [self._inside(step) if isinstance(step, Fold) else step for step in steps]
        for name in self.squares:
            steps += [over_axes(step, (*rows, *cols)) for step in self._squares(name, rows, cols)]
        steps += [stored(fold, self.arrays[fold.name], rows) for fold in (*self.plain, *self._folds_of_squares())]
        return _reduce(replace(spec, name=f"{spec.name}_parts"), rows, cols, steps, self.arrays)

    def whole(self) -> Reduce:
        """What the parts come to, and all that is made of it."""
        spec, part = self.spec, self.cut.part
        rows, gone = {axis.name for axis in spec.rows}, {axis.name for axis in spec.cols}
        steps: list[Step] = []
        for step in (*(total for total in self.plain if total not in spec.steps), *spec.steps):
            if isinstance(step, Fold) and step.name in self.squares:
                steps += self._merged(step)
            elif isinstance(step, Fold):
                steps.append(replace(step, value=self._of_part(step.name), where=()))
            elif set(step.axes) <= rows:
                steps.append(map_step(step, lambda e: map_strides(e, lambda given: over_parts(given, gone, part.name))))
        return _reduce(spec, spec.rows, (part,), steps, self.arrays)

    def _folds_of_squares(self) -> list[Fold]:
        return [fold for fold in folds_of(self.spec) if fold.name in self.squares]

    def _inside(self, fold: Fold) -> Fold:
        """A fold without what is beyond the axis."""
        if self.cut.are_even:
            return fold
        return replace(fold, where=(compare("<", self.cut.place, self.cut.axis.extent), *fold.where))

    def _squares(self, name: str, rows: Axes, cols: Axes) -> Iterator[Step]:
        """The squares of a part about its mean: a value by the fold's name, over (part, rows)."""
        fold = next(f for f in folds_of(self.spec) if f.name == name)
        x, dtype, line = self.cut.value(self.squares[name].x), fold.dtype, fold.line
        of_rows, of_all = tuple(a.name for a in rows), tuple(a.name for a in (*rows, *cols))
        count, apart = self._count(dtype), self._name(f"{name}_apart")
        if self.kept:
            mean = self._name(f"{name}_mean")
            yield Let(mean, _call("/", _var(self.totals[name]), count), dtype, of_rows, line)
            yield Let(apart, _call("-", x, Var(mean, dtype)), dtype, of_all, line)
            yield self._inside(replace(fold, value=_call("*", Var(apart, dtype), Var(apart, dtype))))
            return
        first, sums, raw, mean = (self._name(f"{name}_{what}") for what in ("first", "moved", "raw", "mean"))
        infinite, zero = Const(math.inf, dtype), Const(0.0, dtype)
        yield Let(first, self._first(x, cols), dtype, of_rows, line)
        yield Let(apart, _call("-", x, Var(first, dtype)), dtype, of_all, line)
        moved = replace(fold, name=sums, value=Var(apart, dtype))
        square = replace(fold, name=raw, value=_call("*", Var(apart, dtype), Var(apart, dtype)))
        yield self._inside(moved)
        yield self._inside(square)
        yield Let(mean, _call("/", _var(moved), count), dtype, of_rows, line)
        left = Call("max", (_call("-", _var(square), _call("*", _var(moved), Var(mean, dtype))), zero), dtype)
        # the product may be infinite where all x are finite, and their squares as the text has them are infinite, not NaN
        too_large = _call("+", _call("-", _var(moved), _var(moved)), _var(square))
        value = Call("select", (compare("<", _var(square), infinite), left, too_large), dtype)
        yield Let(name, value, dtype, of_rows, line)

    def _first(self, x: Expr, cols: Axes) -> Expr:
        """The first x of a part; 0 where that has none."""
        gone = {axis.name for axis in cols}

        def strides(given: Strides) -> Strides:
            return tuple((name, ZERO if name in gone else stride) for name, stride in given)

        return map_strides(substituted(x, dict.fromkeys(gone, ZERO)), strides)

    def _merged(self, fold: Fold) -> Iterator[Step]:
        """The squares of all parts about the one value."""
        dtype, rows, part = fold.dtype, self.spec.rows, self.cut.part
        gone, apart = {axis.name for axis in self.spec.cols}, self._name(f"{fold.name}_apart")
        about = map_strides(self.squares[fold.name].about, lambda given: over_parts(given, gone, part.name))
        count = self._count(dtype)
        mean = _call("/", self._of_part(self.totals[fold.name].name), count)
        yield Let(apart, _call("-", mean, about), dtype, tuple(a.name for a in (*rows, part)), fold.line)
        moved = _call("*", count, _call("*", Var(apart, dtype), Var(apart, dtype)))
        yield replace(fold, value=_call("+", self._of_part(fold.name), moved))

    def _count(self, dtype: str) -> Expr:
        """How many elements a part has, where it has any; else 1, whose mean is then 0."""
        cut = self.cut
        others = size(a for a in self.spec.cols if a != cut.axis)
        length: Expr = cut.within.extent
        if not cut.are_even:
            left = sub(cut.axis.extent, mul(Var(cut.part.name), length))
            length = idx("min", length, left)
        count = mul(length, others)
        known = static(count)
        return Const(float(known), dtype) if known is not None else Call("cast", (idx("max", count, ONE),), dtype)

    def _of_part(self, name: str) -> Expr:
        rows, part = self.spec.rows, self.cut.part
        return read_of(self.arrays[name], (part, *rows), (*rows, part))

    def _name(self, stem: str) -> str:
        return unused(stem, names_of(self.spec))


def _reduce(spec: Reduce, rows: Axes, cols: Axes, steps: Sequence[Step], arrays: Mapping[str, Arg]) -> Reduce:
    """A Reduce with the arguments and numbers that its steps need."""
    values, head = values_of(steps), head_of(spec)
    whole = replace(spec, args=(*spec.args, *arrays.values()))
    head["args"], head["scalars"] = ordered(args_of(whole, values, steps)), scalars_of(spec, values)
    return Reduce(**head, rows=rows, cols=cols, steps=tuple(steps))


def _var(fold: Fold) -> Var:
    return Var(fold.name, fold.dtype)


def _let(value: Expr) -> Let:
    return Let("", value, value.type, (), 0)


def _call(fn: str, a: Expr, b: Expr) -> Call:
    return Call(fn, (a, b), a.type)
