"""What goes over a few places beside rows is written out, place by place, and is of the kernel that goes over the rows.

    hi[n] = max[e](x[n, e]);  best[n, k] = x[n, at[n, k]];  y[n, k] = best[n, k] / sum[j < 2](best[n, j])
    ->  hi[n] = ...;  put y[n, 0] = x[n, at_0[n]] / (x[n, at_0[n]] + x[n, at_1[n]]);  put y[n, 1] = ...

    c[at[n, k]] += v[n, k];  s[e] = sum[n](x[n, e])
    ->  c[e] = sum[n](select(at[n, 0] == e, v[n, 0], 0) + select(at[n, 1] == e, v[n, 1], 0));  s[e] = ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import product

from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.names import taken_names, unused
from uol.codegen.partition.group import is_anchor
from uol.codegen.partition.grouped_contraction import contraction_of
from uol.codegen.program.dead_stages import drop_unused
from uol.ir.checker.accesses import sides
from uol.ir.checker.constants import fold
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Program, Put, Reduce, Scatter, Stage, Tensor, Var, zero_of
from uol.ir.program.walk import loads, map_stage, rewrite, substitute, walk

MOST = 8
"""Places that are written out."""
WRITTEN_OUT: Mapping[str, str] = {"sum": "+", "prod": "*", "max": "max", "min": "min", "any": "or", "all": "and"}
"""Reductions whose terms may stand one by one, and what joins them."""


def few_terms(program: Program) -> Program:
    """The same program with reductions over few terms, results of few places a row, and scatters of few points a row written
    out where another reduction goes over the same rows."""
    written = _WrittenOut.of(program).run()
    return program if written.stages == program.stages else drop_unused(written)


@dataclass(slots=True)
class _WrittenOut:
    """`long`: the reductions of more than a few terms, by the tensors that they make. `plain`: stages of elements, by name.
    `stages`: what is written so far. `at`: stages of one place of others, by what was read there."""

    program: Program
    long: dict[str, Stage]
    plain: dict[str, Stage]
    tensors: dict[str, Tensor]
    taken: set[str]
    stages: list[Stage] = field(default_factory=list)
    at: dict[Load, Load] = field(default_factory=dict)

    @staticmethod
    def of(program: Program) -> _WrittenOut:
        long = {s.name: s for s in program.stages if not isinstance(s, Scatter | Put) and _terms(s) > MOST}
        plain = {s.name: s for s in program.stages if type(s) is Stage and not is_anchor(s)}
        return _WrittenOut(program, long, plain, dict(program.tensors), set(taken_names(program)))

    def run(self) -> Program:
        for stage in self.program.stages:
            self.stages += self.written(stage)
        return replace(self.program, stages=tuple(self.stages), tensors=self.tensors)

    def written(self, stage: Stage) -> tuple[Stage, ...]:
        """What stands in the place of a stage."""
        if isinstance(stage, Scatter):
            return (self.summed(stage) or stage,)
        if isinstance(stage.value, Reduce) and (value := self.one_by_one(stage, stage.value)) is not None:
            self.plain[stage.name] = replace(stage, value=value)
            return (self.plain[stage.name],)
        return self.puts(stage) or (map_stage(stage, self.settled),)

    def one_by_one(self, stage: Stage, total: Reduce) -> Expr | None:
        """A reduction of few terms over the rows, or over the elements, of a long one as an expression."""
        if total.op not in WRITTEN_OUT or total.where or not 0 < _terms(stage) <= MOST or len(total.axes) > 1:
            return None
        own = frozenset(stage.axes)
        is_product = any(contraction_of(stage, axis.name, self.taken) is not None for axis in stage.axes)
        if is_product or not any(own in _spaces(each) for each in self.long.values()):
            return None
        return reduce(lambda a, b: Call(WRITTEN_OUT[total.op], (a, b), total.dtype), self.each(total.body, total.axes[0]))

    def puts(self, stage: Stage) -> tuple[Stage, ...]:
        """A result with few places a row, made of what a long reduction gives of that row, place by place."""
        if self.program.tensors[stage.name].role != "out" or not self.is_of_rows(stage.name):
            return ()
        for few in _few(stage):
            rows = tuple(axis for axis in stage.axes if axis != few)
            if any(frozenset(each.axes) == frozenset(rows) for each in self.long.values()):
                values = self.each(stage.value, few)
                return tuple(self.put(stage, rows, few, number, value) for number, value in enumerate(values))
        return ()

    def put(self, stage: Stage, rows: tuple[Axis, ...], few: Axis, number: int, value: Expr) -> Put:
        name = self.made(f"{stage.name}_{number}", rows, stage.dtype)
        target = tuple(Const(number) if axis == few else Var(axis.name) for axis in stage.axes)
        return Put(name, rows, value, stage.dtype, stage.line, stage.span, stage.name, target)

    def made(self, wish: str, axes: tuple[Axis, ...], dtype: str) -> str:
        """The name of a new tensor."""
        name = unused(wish, self.taken)
        self.taken.add(name)
        self.tensors[name] = Tensor(name, dtype, tuple(axis.extent for axis in axes), "local")
        return name

    def summed(self, stage: Scatter) -> Stage | None:
        """A scatter of few points a row into what a long reduction over the same rows has, as a sum of that reduction's
        form."""
        shape = self.program.tensors[stage.name].shape
        if len(shape) != 1 or isinstance(stage.target[0], Var):
            return None
        for few, other in product(_few(stage), self.long.values()):
            total, points = other.value, tuple(axis for axis in stage.axes if axis != few)
            extents = tuple(axis.extent for axis in other.axes), tuple(axis.extent for axis in points)
            if isinstance(total, Reduce) and total.op == "sum" and extents == (shape, tuple(a.extent for a in total.axes)):
                return looked_for(stage, few, other.axes, dict(zip(points, total.axes, strict=True)))
        return None

    def each(self, expr: Expr, axis: Axis) -> list[Expr]:
        """An expression at each place of an axis."""
        return [self.settled(substitute(expr, {axis.name: Const(n)})) for n in range(static(axis.extent) or 0)]

    def settled(self, expr: Expr) -> Expr:
        """With a value of its own for what is made of rows and read at a number; choices that are known are made."""
        return _folded(rewrite(expr, self.own))

    def own(self, node: Expr) -> Expr | None:
        """The value of a read at a number, of what is made of rows."""
        if not isinstance(node, Load) or node.guard or not any(isinstance(index, Const) for index in node.index):
            return None
        if not self.is_of_rows(node.tensor) or not all(isinstance(index, Const | Var) for index in node.index):
            return None
        if node not in self.at:
            maker = self.plain[node.tensor]
            value = self.settled(substitute(maker.value, {a.name: i for a, i in zip(maker.axes, node.index, strict=True)}))
            if sum(isinstance(each, Load) for each in walk(value)) < 2 and all(map(_is_plain, walk(value))):
                return value
            axes = tuple(Axis(i.name, a.extent) for a, i in zip(maker.axes, node.index, strict=True) if isinstance(i, Var))
            numbers = "_".join(str(index.value) for index in node.index if isinstance(index, Const))
            name = self.made(f"{node.tensor}_{numbers}", axes, maker.dtype)
            self.plain[name] = Stage(name, axes, value, maker.dtype, maker.line, maker.span)
            self.stages.append(self.plain[name])
            self.at[node] = Load(name, tuple(Var(axis.name) for axis in axes), (), None, maker.dtype)
        return self.at[node]

    def is_of_rows(self, name: str) -> bool:
        """Is it a stage of elements that are made, at last, of what a long reduction gives?"""
        maker = self.plain.get(name)
        return maker is not None and any(load.tensor in self.long or self.is_of_rows(load.tensor) for load in loads(maker))


def looked_for(stage: Scatter, few: Axis, elements: tuple[Axis, ...], points: Mapping[Axis, Axis]) -> Stage:
    """Each element looks through the points of a scatter: over the rows as a reduction, place by place within one."""
    (element,), (target,) = elements, stage.target
    inside = set(sides(target, element.extent))
    conditions = (compare("==", target, Var(element.name)), *(c for c in stage.guard if c not in inside))
    value = stage.value
    for condition in reversed(conditions):
        value = Call("select", (condition, value, zero_of(stage.dtype)), stage.dtype)
    names = {old.name: Var(new.name) for old, new in points.items()}
    terms = [_folded(substitute(value, {**names, few.name: Const(n)})) for n in range(static(few.extent) or 0)]
    body = reduce(lambda a, b: Call("+", (a, b), stage.dtype), terms)
    total = Reduce("sum", tuple(points.values()), body, stage.dtype, (), stage.span)
    return Stage(stage.name, elements, total, stage.dtype, stage.line, stage.span)


def _spaces(stage: Stage) -> tuple[frozenset[Axis], ...]:
    """The rows of a reduction, and its elements."""
    own = stage.value.axes if isinstance(stage.value, Reduce) else ()
    return frozenset(stage.axes), frozenset(stage.axes + own)


def _few(stage: Stage) -> list[Axis]:
    """The axes of a few places."""
    return [axis for axis in stage.axes if 0 < (static(axis.extent) or 0) <= MOST]


def _is_plain(expr: Expr) -> bool:
    """Is it an access, a variable or a constant, or one of these in another type?"""
    return isinstance(expr, Load | Var | Const) or (isinstance(expr, Call) and expr.fn == "cast")


def _terms(stage: Stage) -> int:
    """How many terms a reduction has, as far as it is known; 0 of anything else."""
    return static(size(stage.value.axes)) or 0 if isinstance(stage.value, Reduce) else 0


def _folded(expr: Expr) -> Expr:
    """With choices that are known made; an integer that is widened on its way to another type is not."""
    match expr.map_children(_folded):
        case Call(fn="cast", args=(Call(fn="cast", args=(a,), dtype="i64"),)) as outer if a.type == "i32":
            return replace(outer, args=(a,))
        case Call(fn="select" | "==" | "!=" as fn, args=args, dtype=dtype):
            return fold(fn, args, dtype)
        case other:
            return other
