"""An attention over parts of its cols, and what the parts come to: of few rows and many cols, as decoding has them.

    hi = max[j](s[j]),  z = sum[j](exp(s[j] - hi)),  y = sum[j](exp(s[j] - hi) v[j])

    hi[p], z[p], y[p]      the same over the cols of part p alone, in f32, in a workspace
    hi = max[p](hi[p]),    f[p] = exp(hi[p] - hi), 0 where hi[p] is -inf
    z = sum[p](f[p] z[p]),  y = sum[p](f[p] y[p])         in the order of the parts

Pure and mechanical, as `split_terms` is. Weights that were rounded relative to the maximum of a part are f[p] <= 1 times what
they would be relative to that of the row: the rounding is that of an exponential taken 1/f[p] >= 1 times as large, which the
language admits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd, inf

from uol.codegen.attention.parts import vanishes_without_maximum
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import add, mul, size, static, sub, substituted
from uol.codegen.names import unused
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Arg, Attention, Fold, Let, Read, Reduce, Step, Store, Within
from uol.codegen.specs.rewrites import (
    args_of,
    in_physical_order,
    ordered,
    over_axes,
    place_in,
    read_of,
    scalars_of,
    strides_over,
    workspace_over,
)
from uol.codegen.specs.traverse import expressions, names_of, reads, step_expressions
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import INDEX


def may_be_split(spec: Attention) -> bool:
    """Has it one axis of cols, along which all that it reads goes on by the same, or two, pages and the cols of one; is all
    that it adds up 0 where a score is -inf, so that a part without a col that is seen adds nothing; and is what it stores over
    the rows and one width?"""
    hi = spec.hi
    if hi is None or not 1 <= len(spec.cols) <= 2 or len(spec.sums) != 1 or not isinstance(hi.value, Var):
        return False
    if any(static(axis.extent) is None for axis in spec.cols[1:]):
        return False
    col = spec.cols[0].name
    found = [read for expr in expressions(spec) for read in reads(expr)]
    goes_on = all(affine(read.offset, [col]) is not None or col not in variables(read) for read in found)
    is_plain = goes_on or len(spec.cols) > 1
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    is_scored = any(isinstance(s, Let) and s.name == hi.value.name for s in spec.steps)
    has_room = all(each.op in ("max", "sum") and not each.where for each in folds)
    return is_plain and is_scored and has_room and vanishes_without_maximum(spec)


@verified
def split_cols(spec: Attention, number: int, multiple: int) -> tuple[Attention, Reduce]:
    """The attention over `number` parts at most of its cols, of a `multiple` of them each but for the last, which may be
    shorter or without any; and the kernel that merges these, with the epilogue. Where the cols are as many as a dim says, the
    length of a part is what the dim says, too. Parts of cols in pages are whole pages. Of a spec that `may_be_split`."""
    buffers, numbers = [a.name for a in spec.args], [s.name for s in spec.scalars]
    taken = {*names_of(spec), *spec.dims, *buffers, *numbers, *(a.name for a in spec.axes)}
    cut = _Cut.of(spec, number, multiple, unused("part", taken))
    taken.add(cut.part.name)
    arrays = tuple(_arrays(spec, cut))
    return _over_parts(spec, cut, arrays), _merged(spec, cut, arrays, taken)


@dataclass(frozen=True, slots=True)
class _Cut:
    """The outer axis of cols in parts: the number of a part, the axis within it, what there is in all, and the axis of the cols
    of each, where cols are in pages."""

    part: Axis
    within: Axis
    count: Expr
    inner: tuple[Axis, ...]

    @staticmethod
    def of(spec: Attention, number: int, multiple: int, name: str) -> _Cut:
        cols, *inner = spec.cols
        each = static(size(inner))
        assert each is not None, "asked of a spec that may be split"
        multiple //= gcd(multiple, each)
        extent = static(cols.extent)
        if extent is None:
            length = mul(idx("/", add(cols.extent, Const(number * multiple - 1)), Const(number * multiple)), Const(multiple))
            within = Axis(cols.name, idx("max", length, Const(multiple)))
            return _Cut(Axis(name, Const(number)), within, cols.extent, tuple(inner))
        length_ = -(-extent // (number * multiple)) * multiple
        return _Cut(Axis(name, Const(-(-extent // length_))), Axis(cols.name, Const(length_)), cols.extent, tuple(inner))

    @property
    def outer_place(self) -> Expr:
        """Of what the outer axis counts, among all."""
        return add(mul(Var(self.part.name, INDEX), self.within.extent), Var(self.within.name, INDEX))

    @property
    def place(self) -> Expr:
        """Of a col among all."""
        return self._of_cols(self.outer_place)

    @property
    def cols(self) -> Expr:
        """How many there are in all."""
        return mul(self.count, size(self.inner))

    @property
    def is_whole(self) -> bool:
        """Has the last part as many cols as the others?"""
        number, within = static(self.part.extent), static(self.within.extent)
        return number is not None and within is not None and number * within == static(self.count)

    @property
    def condition(self) -> Expr:
        """Is there such a col?"""
        left = sub(self.count, mul(Var(self.part.name, INDEX), self.within.extent))
        return Call("<", (self._of_cols(Var(self.within.name, INDEX)), mul(left, size(self.inner))), "bool")

    def moved(self, expr: Expr) -> Expr:
        """An index of the part as one of all; what is read for it, as the number of a page, has a step from part to part."""
        col = self.within.name

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Read) or col not in variables(node):
                return None
            return replace(node, strides=((self.part.name, _step_of_parts(node, self)), *node.strides))

        return substituted(rewrite(expr, rule), {col: self.outer_place})

    def _of_cols(self, outer: Expr) -> Expr:
        for axis in self.inner:
            outer = add(mul(outer, axis.extent), Var(axis.name, INDEX))
        return outer


@dataclass(frozen=True, slots=True)
class _Array:
    """What a fold or a sum comes to in each part: `own`, the axes of the workspace."""

    name: str
    dtype: str
    line: int
    own: tuple[Axis, ...]
    arg: Arg


def _arrays(spec: Attention, cut: _Cut) -> Iterator[_Array]:
    of_rows = (cut.part, *spec.batch, *spec.rows)
    found = [(s.name, s.dtype, s.line, of_rows) for s in spec.steps if isinstance(s, Fold)]
    found += [(s.name, s.dtype, s.line, (*of_rows, *s.width)) for s in spec.sums]
    for name, dtype, line, own in found:
        yield _Array(name, dtype, line, own, workspace_over(f"{spec.name}_{name}_parts", dtype, own))


def _over_parts(spec: Attention, cut: _Cut, arrays: Sequence[_Array]) -> Attention:
    """The attention of each part, with parts as the first axis of its batch."""
    batch = (cut.part, *spec.batch)
    made = replace(spec, batch=batch, cols=(cut.within, *cut.inner))
    names = [a.name for a in made.axes]

    def moved(expr: Expr) -> Expr:
        return strides_over(_by_parts(expr, cut), names)

    assert spec.hi is not None
    dots = tuple(replace(d, a=moved(d.a), b=moved(d.b)) for d in spec.dots)
    sums = tuple(replace(s, value=moved(s.value)) for s in spec.sums)
    steps = tuple(_step_of_part(step, spec.hi, cut, names) for step in spec.steps)
    stores = []
    for each in arrays:
        place, strides = place_in(each.arg, each.own, each.own)
        own = tuple(a.name for a in each.own)
        stores.append(Store(each.arg.name, place, strides, Var(each.name, each.dtype), each.dtype, own, each.line))
    made = replace(made, name=f"{spec.name}_parts", dots=dots, steps=steps, sums=sums, epilogue=tuple(stores))
    values = [*(f for d in dots for f in (d.a, d.b)), *(s.value for s in sums)]
    values += [expr for step in steps for expr in step_expressions(step)]
    args = (*args_of(spec, values, ()), *(each.arg for each in arrays))
    return replace(made, args=ordered(args), scalars=scalars_of(spec, values))


def _step_of_part(step: Step, hi: Fold, cut: _Cut, names: Sequence[str]) -> Step:
    """The step at the cols of a part. What the maximum is of is -inf for a col that there is none of."""
    assert isinstance(step, Let | Fold)
    value = strides_over(_by_parts(step.value, cut), names)
    if isinstance(step, Fold):
        return replace(step, value=value)
    assert isinstance(hi.value, Var)
    if step.name == hi.value.name and not cut.is_whole:
        value = Call("select", (cut.condition, value, Const(-inf, step.dtype)), step.dtype)
    own = (cut.part.name, *step.axes) if cut.within.name in step.axes else step.axes
    return replace(step, value=value, axes=own)


def _by_parts(expr: Expr, cut: _Cut) -> Expr:
    """An expression at index `part * length + within` of the outer axis of cols; reads beyond the last col are 0."""
    col = cut.within.name

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or col not in variables(node):
            return None
        step = _step_of_parts(node, cut)
        moved = cut.moved(node.offset) if step is None else add(node.offset, mul(Var(cut.part.name, INDEX), step))
        guard = tuple(each.map_children(cut.moved) for each in node.guard)
        if not cut.is_whole:
            is_there = Within(cut.place, None, cut.cols)
            guard = (is_there, *guard) if step is None else (*guard, is_there)  # before a table is asked for a page
        nothing = Const(False if node.dtype == "bool" else 0, node.dtype)
        fill = node.fill or (nothing if guard else None)
        return replace(node, offset=moved, guard=guard, fill=fill, strides=((cut.part.name, step), *node.strides))

    reads_moved = rewrite(expr, rule)

    def outside(node: Expr) -> Expr | None:
        """The outer axis where it is a value, as in the condition of a diagonal."""
        if isinstance(node, Read):
            return node
        return cut.outer_place if node == Var(col, INDEX) else None

    return rewrite(reads_moved, outside)


def _step_of_parts(read: Read, cut: _Cut) -> Expr | None:
    """Elements from part to part, where what is read goes on by the same."""
    form = affine(read.offset, [cut.within.name])
    return None if form is None else mul(form.factor(cut.within.name), cut.within.extent)


def _merged(spec: Attention, cut: _Cut, arrays: Sequence[_Array], taken: set[str]) -> Reduce:
    """The parts as one, and the epilogue. Rows are those of the result, in its order in memory; cols are the parts."""
    assert spec.hi is not None
    hi = spec.hi
    axes = (*spec.batch, *spec.rows, *spec.sums[0].width)
    rows = in_physical_order(axes, [s for s in spec.epilogue if isinstance(s, Store) and len(s.axes) == len(axes)])
    over = (*rows, cut.part)
    parts = {each.name: read_of(each.arg, each.own, over) for each in arrays}
    dtype, lowest = hi.dtype, Const(-inf, hi.dtype)
    factor = unused("factor", taken)
    is_none = Call("==", (parts[hi.name], lowest), "bool")
    grown = Call("exp", (Call("-", (parts[hi.name], Var(hi.name, dtype)), dtype),), dtype)
    value = Call("select", (is_none, Const(0.0, dtype), grown), dtype)
    names = tuple(a.name for a in over)
    steps: list[Step] = [
        Fold(hi.name, "max", parts[hi.name], dtype, (), hi.line),
        Let(factor, value, dtype, names, hi.line),
    ]
    for each in arrays:
        if each.name != hi.name:
            scaled = Call("*", (Var(factor, dtype), parts[each.name]), each.dtype)
            steps.append(Fold(each.name, "sum", scaled, each.dtype, (), each.line))
    steps += [over_axes(step, rows) for step in spec.epilogue]
    written = [expr for step in steps for expr in step_expressions(step)]
    head = head_of(spec)
    head["args"] = ordered((*args_of(spec, written, spec.epilogue), *(each.arg for each in arrays)))
    head["scalars"] = scalars_of(spec, written)
    return Reduce(**head, rows=rows, cols=(cut.part,), steps=tuple(steps))
