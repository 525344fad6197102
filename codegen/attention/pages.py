"""Keys and values in pages that a table names, as a cache has them: the cols of an attention are over pages and rows of one.

k[table[b, c], r, g, d]      col j = c * P + r is row j % P of page table[b, j / P]

A kernel has one axis of cols, and reads as if all were rows of one page; where the page of a col begins, the table says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ZERO, conjuncts, mul, static, substituted
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Attention, Fold, Guard, Holds, Read, Step, Within
from uol.codegen.specs.traverse import main_read, names_of, step_expressions
from uol.ir.integers.terms import COMPARISONS, idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk
from uol.ir.types import INDEX

INTEGERS = frozenset({"i32", "i64"})
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
    if len(spec.cols) != 2 or len(spec.dots) != 1 or len(spec.sums) != 1:
        return spec, None
    outer, inner = spec.cols
    rows = static(inner.extent)
    key, value = (_paged(factor, spec) for factor in (spec.dots[0].b, spec.sums[0].value))
    if not rows or key is None or value is None or (key.number, key.count) != (value.number, value.count):
        return spec, None
    taken = {*names_of(spec), *spec.dims, *(a.name for a in (*spec.args, *spec.scalars, *spec.axes))}
    col = Axis(unused(f"{outer.name}{inner.name}", taken), mul(outer.extent, Const(rows)))
    join = _Join(outer.name, inner.name, rows, col.name)
    dot = replace(spec.dots[0], b=key.plain(spec.dots[0].b, join))
    total = replace(spec.sums[0], value=value.plain(spec.sums[0].value, join))
    steps = tuple(join.step(step) for step in spec.steps)
    made = replace(spec, cols=(col,), dots=(dot,), sums=(total,), steps=steps)
    left = (expr for expr in (dot.a, dot.b, total.value, *(e for s in steps for e in step_expressions(s))))
    if any(variables(expr) & {outer.name, inner.name} for expr in left):
        return spec, None
    number = replace(key.number, offset=substituted(key.number.offset, {outer.name: idx("/", Var(col.name), Const(rows))}))
    pages = {main_read(factor).tensor: each.step for factor, each in ((dot.b, key), (total.value, value))}
    return made, Pages(col.name, replace(number, strides=()), rows, key.count, pages)


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
        offset = substituted(self.offset, {PAGE: ZERO, join.inner: Var(join.col, INDEX)})
        names = [n for n, _ in self.read.strides if n not in (join.outer, join.inner)]
        form = affine(offset, [*names, join.col])
        assert form is not None, "it has a step along each axis"
        strides = tuple((n, form.factor(n)) for n in (*names, join.col))
        plain = replace(self.read, offset=offset, guard=kept, fill=self.read.fill if kept else None, strides=strides)
        return rewrite(factor, lambda node: plain if node == self.read else None)


def _paged(factor: Expr, spec: Attention) -> _Paged | None:
    read = main_read(factor)
    outer = spec.cols[0].name
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
    others = {axis.name for axis in spec.axes} - {outer, *(axis.name for axis in spec.batch)}
    if form is None or form.factors.get(outer) or variables(number.offset) & others or count is None:
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
    """Two axes of cols as one."""

    outer: str
    inner: str
    rows: int
    col: str

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
        return tuple(dict.fromkeys(self.col if name in (self.outer, self.inner) else name for name in axes))

    def _number(self, expr: Expr) -> Expr:
        return substituted(expr, {self.outer: ZERO, self.inner: Var(self.col, INDEX)})

    def _is_joint(self, expr: Expr) -> bool:
        """Does an index depend on both axes by the col's number alone?"""
        form = affine(expr, [self.outer, self.inner])
        return form is not None and form.factor(self.outer) == mul(form.factor(self.inner), Const(self.rows))
