"""Keys and values in pages that a table names, as a cache has them: the cols of an attention are over pages and rows of one.

k[table[b, c], r, g, d]      col j = c * P + r is row j % P of page table[b, j / P]

A kernel has one axis of cols, and reads as if all were rows of one page; where the page of a col begins, the table says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uol.codegen.attention.batch_numbers import INTEGERS
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ZERO, conjuncts, mul, static, substituted
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Attention, Fold, Guard, Holds, Read, Step, Within
from uol.codegen.specs.traverse import main_read, names_of, step_expressions
from uol.ir.integers.terms import COMPARISONS, idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk
from uol.ir.types import INDEX

PAGE = "$page"


@dataclass(frozen=True, slots=True)
class Pages:
    """`number`: the read of a table that names the page of a col, `col` the axis of cols; a page has so many `rows`, and there
    are `count` pages: other numbers name none, and what is read there is 0. `steps`: elements from page to page, by tensor."""

    col: str
    number: Read
    rows: int
    count: Expr
    steps: Mapping[str, Expr]


def with_pages(spec: Attention) -> tuple[Attention, Pages | None]:
    """The attention with one axis of cols, whose keys and values are rows of one page; as it is, and None, where they do not
    lie in pages."""
    if not 1 <= len(spec.cols) <= 2 or len(spec.dots) != 1 or len(spec.sums) != 1:
        return spec, None
    key, value = (_paged(factor, spec) for factor in (spec.dots[0].b, spec.sums[0].value))
    if key is None or value is None or (key.number, key.count) != (value.number, value.count):
        return spec, None
    join = _joined(spec, key.number)
    if join is None:
        return spec, None
    dot = replace(spec.dots[0], b=key.plain(spec.dots[0].b, join))
    total = replace(spec.sums[0], value=value.plain(spec.sums[0].value, join))
    steps = tuple(join.step(step) for step in spec.steps)
    made = replace(spec, cols=(join.col,), dots=(dot,), sums=(total,), steps=steps)
    left = (expr for expr in (dot.a, dot.b, total.value, *(e for s in steps for e in step_expressions(s))))
    if any(variables(expr) & join.gone for expr in left):
        return spec, None
    page = idx("/", Var(join.col.name, INDEX), Const(join.rows))
    number = replace(key.number, offset=substituted(key.number.offset, {join.outer: page}), strides=())
    pages = {main_read(factor).tensor: each.step for factor, each in ((dot.b, key), (total.value, value))}
    return made, Pages(join.col.name, number, join.rows, key.count, pages)


def _joined(spec: Attention, number: Read) -> _Join | None:
    """The axes of cols as one; of pages of one row, or of one page, one is left. None where rows of a page are not known
    in number."""
    if len(spec.cols) == 1:
        (col,) = spec.cols
        rows = 1 if col.name in variables(number) else static(col.extent)
        outer_name, inner_name = (col.name, "") if rows == 1 else ("", col.name)
        return None if not rows else _Join(outer_name, inner_name, rows, col)
    outer, inner = spec.cols
    rows = static(inner.extent)
    taken = {*names_of(spec), *spec.dims, *(a.name for a in spec.args), *(s.name for s in spec.scalars)}
    taken |= {axis.name for axis in spec.axes}
    name = unused(f"{outer.name}{inner.name}", taken)
    return None if not rows else _Join(outer.name, inner.name, rows, Axis(name, mul(outer.extent, Const(rows))))


@dataclass(frozen=True, slots=True)
class _Paged:
    """A read in pages: `offset` has a page's number as a variable, `step` elements are from one to the next."""

    number: Read
    count: Expr
    offset: Expr
    step: Expr
    read: Read

    def plain(self, factor: Expr, join: _Join) -> Expr:
        """The factor as that of rows of one page."""
        place = Call("cast", (self.number,), INDEX)
        kept = tuple(join.guard(guard) for guard in self.read.guard if not _asks_for(guard, place))
        col = join.col.name
        offset = substituted(self.offset, {PAGE: ZERO, join.inner: Var(col, INDEX)})
        names = [n for n, _ in self.read.strides if n not in (join.outer, join.inner)]
        form = affine(offset, [*names, col])
        assert form is not None, "it has a step along each axis"
        strides = tuple((n, form.factor(n)) for n in (*names, col))
        plain = replace(self.read, offset=offset, guard=kept, fill=self.read.fill if kept else None, strides=strides)
        return rewrite(factor, lambda node: plain if node == self.read else None)


def _paged(factor: Expr, spec: Attention) -> _Paged | None:
    read = main_read(factor)
    places = {node for node in walk(read.offset) if _is_number(node)}
    if len(places) != 1 or not (isinstance(read.fill, Const) and read.fill.value == 0):
        return None
    (place,) = places
    assert isinstance(place, Call)
    (number,) = place.args
    assert isinstance(number, Read)
    offset = rewrite(read.offset, lambda node: Var(PAGE, INDEX) if node == place else None)
    form = affine(offset, [*(axis.name for axis in spec.axes), PAGE])
    count = _count_of_pages(read, place)
    asked, batch = variables(number.offset) & {axis.name for axis in spec.axes}, {axis.name for axis in spec.batch}
    of_cols = [axis.name for axis in spec.cols if axis.name in asked]
    if form is None or not asked <= {*batch, *of_cols} or len(of_cols) > 1 or count is None:
        return None
    if any(form.factors.get(name) for name in of_cols):
        return None
    return _Paged(number, count, offset, form.factor(PAGE), read)


def _is_number(node: Expr) -> bool:
    match node:
        case Call(fn="cast", dtype="idx", args=(Read(guard=(), dtype=dtype) as read,)) if dtype in INTEGERS:
            return not any(isinstance(inner, Read) for inner in walk(read.offset))
    return False


def _asks_for(guard: Guard, place: Expr) -> bool:
    """Does a guard ask about the number of a page?"""
    return any(node == place for child in guard.children for node in walk(child))


def _count_of_pages(read: Read, place: Expr) -> Expr | None:
    """How many pages there are, if guards ask of a page's number that it is one of these, and nothing else."""
    asked = [part for g in read.guard if _asks_for(g, place) for c in g.conditions for part in conjuncts(c)]
    low, high = ([c for c in asked if isinstance(c, Call) and c.fn == fn and c.args[0] == place] for fn in (">=", "<"))
    if len(low) != 1 or len(high) != 1 or len(asked) != 2 or low[0].args[1] != ZERO:
        return None
    return high[0].args[1]


@dataclass(frozen=True, slots=True)
class _Join:
    """The axis of pages and that of the rows of one, as one; empty where there is none of them."""

    outer: str
    inner: str
    rows: int
    col: Axis

    @property
    def gone(self) -> frozenset[str]:
        """The axes in place of which there is the one."""
        return frozenset({self.outer, self.inner}) - {self.col.name}

    def expr(self, expr: Expr) -> Expr:
        """Comparisons of a col's number among all, by the one axis; others are left."""

        def rule(node: Expr) -> Expr | None:
            match node:
                case Read():
                    return node
                case Call(fn=fn, args=(a, b)) if fn in COMPARISONS and a.type == INDEX:
                    return replace(node, args=(self._number(a), self._number(b))) if self._is_joint(idx("-", a, b)) else node
            return None

        return rewrite(expr, rule)

    def guard(self, guard: Guard) -> Guard:
        match guard:
            case Within(value=value) if self._is_joint(value):
                return replace(guard, value=self._number(value))
            case Holds(condition=condition):
                return replace(guard, condition=self.expr(condition))
        return guard

    def step(self, step: Step) -> Step:
        return step if isinstance(step, Fold) else replace(step, value=self.expr(step.value), axes=self._axes(step.axes))

    def _axes(self, axes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.col.name if name in (self.outer, self.inner) else name for name in axes))

    def _number(self, expr: Expr) -> Expr:
        return substituted(expr, {self.outer: ZERO, self.inner: Var(self.col.name, INDEX)}) if self.gone - {""} else expr

    def _is_joint(self, expr: Expr) -> bool:
        """Does an index depend on both axes by the col's number alone?"""
        if not self.gone - {""}:
            return True
        form = affine(expr, [self.outer, self.inner])
        return form is not None and form.factor(self.outer) == mul(form.factor(self.inner), Const(self.rows))
