"""Scatters whose terms are added in one order: places are put in order, and each element sums the terms of its own place.

    y[at[n], d] += v[n, d]
    ->  key[n] = at[n];  from[j] = argsort[n](key[n]);  run[j] = key[from[j]]
        y[i, d] = sum[j, run[j] == i](v[from[j], d])

`run` ascends, so that the terms of an element are found by bisection; places that are promised to ascend are it already. Terms
of one place keep their order; a place out of range is that behind the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import dense_strides, flat_offset, folded, product, size, static
from uol.codegen.names import taken_names, unused
from uol.ir.checker.accesses import sides
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Call, Expr, Load, Order, Program, Reduce, Scatter, Stage, Tensor, Var
from uol.ir.program.walk import substitute, variables
from uol.ir.types import INDEX

FEW = 64
"""Terms that every element asks one by one whether they are its own: an order of theirs takes longer."""
LARGEST = (1 << 31) - 1


def sums_in_order(program: Program, unordered: frozenset[str]) -> Program:
    """The same program with scatters into tensors of the types `unordered` as sums over the runs of an order."""
    writer = _Writer(set(taken_names(program)), dict(program.tensors), list(program.sorted))
    stages: list[Stage] = []
    for stage in program.stages:
        points = _Points.of(stage, program) if isinstance(stage, Scatter) and stage.dtype in unordered else None
        stages += [stage] if points is None else writer.summed(points)
    if stages == list(program.stages):
        return program
    return replace(program, tensors=writer.tensors, stages=tuple(stages), sorted=tuple(writer.sorted))


@dataclass(frozen=True, slots=True)
class _Points:
    """What a scatter adds: for each of the indices `own`, which are places by themselves, terms over `terms`. `key` is the
    place among the others, flat, below `places`; it varies over the terms, and of own indices over `rows`."""

    stage: Scatter
    own: frozenset[str]
    terms: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    key: Expr
    places: Expr

    @staticmethod
    def of(stage: Scatter, program: Program) -> _Points | None:
        """None where there is nothing to put in order, or little."""
        placed = list(zip(stage.target, program.tensors[stage.name].shape, strict=True))
        once = [place for place in placed if stage.target.count(place[0]) == 1]
        own = frozenset(a.name for a in stage.axes if (Var(a.name), a.extent) in once)
        terms = tuple(a for a in stage.axes if a.name not in own)
        number = static(size(terms))
        if not terms or (number is not None and number <= FEW):
            return None
        others = [place for place in placed if not _is_one(place[0], own)]
        key = _flat([target for target, _ in others], [extent for _, extent in others])
        known = own & variables(key).union(*map(variables, stage.guard))
        rows = tuple(a for a in stage.axes if a.name in known)
        return _Points(stage, own, terms, rows, key, product(extent for _, extent in others))


@dataclass(slots=True)
class _Writer:
    taken: set[str]
    tensors: dict[str, Tensor]
    sorted: list[str]

    def summed(self, points: _Points) -> list[Stage]:
        """The stages in place of a scatter."""
        stage, rows, terms = points.stage, points.rows, points.terms
        if self._ascends(points):
            return [self._sum(points, terms[0], points.key, Var(terms[0].name))]
        along, element = (Axis(self._name(f"{stage.name}_{what}"), size(terms)) for what in ("term", "element"))
        number, key_type = _type_of(along.extent), _type_of(points.places)
        keys, came_from, run = (
            self._tensor(f"{stage.name}_{what}", dtype, (*rows, *axes))
            for what, dtype, axes in (("key", key_type, terms), ("from", number, (along,)), ("run", key_type, (along,)))
        )
        self.sorted.append(run)
        here = [*(Var(a.name) for a in rows), Var(along.name)]
        term = _cast(_load(came_from, here, number), INDEX)
        order = Order(element, self._key(points, keys, Var(element.name)), Var(along.name), False, number)
        found = [
            ((*rows, *terms), keys, _held(points, key_type)),
            ((*rows, along), came_from, order),
            ((*rows, along), run, self._key(points, keys, term)),
        ]
        made = [Stage(name, axes, value, value.type, stage.line, stage.span) for axes, name, value in found]
        return [*made, self._sum(points, along, _cast(_load(run, here, key_type), INDEX), term)]

    def _ascends(self, points: _Points) -> bool:
        """Is the key promised to ascend, and all that is asked of a term that it be a place?"""
        match points.key:
            case Call(fn="cast", args=(Load(tensor=tensor, index=(Var(name=name),), guard=()),)):
                is_place = set(points.stage.guard) <= set(sides(points.key, points.places))
                return is_place and tensor in self.sorted and [axis.name for axis in points.terms] == [name]
        return False

    def _sum(self, points: _Points, along: Axis, key: Expr, term: Expr) -> Stage:
        """Every element with the terms of its own place."""
        stage, shape = points.stage, self.tensors[points.stage.name].shape
        names = [
            target.name if isinstance(target, Var) and target.name in points.own else self._name(f"{stage.name}_i{dim}")
            for dim, target in enumerate(stage.target)
        ]
        axes = list(map(Axis, names, shape))
        others = [axis for axis in axes if axis.name not in points.own]
        mine = compare("==", key, _flat([Var(a.name) for a in others], [a.extent for a in others]))
        at_term = dict(zip((a.name for a in points.terms), _apart(term, points.terms), strict=True))
        value = Reduce("sum", (along,), substitute(stage.value, at_term), stage.dtype, (mine,), stage.span)
        return Stage(stage.name, tuple(axes), value, stage.dtype, stage.line, stage.span)

    def _key(self, points: _Points, keys: str, term: Expr) -> Expr:
        """The key of a term by its number."""
        return _load(keys, [*(Var(a.name) for a in points.rows), *_apart(term, points.terms)], self.tensors[keys].dtype)

    def _name(self, stem: str) -> str:
        found = unused(stem, self.taken)
        self.taken.add(found)
        return found

    def _tensor(self, stem: str, dtype: str, axes: tuple[Axis, ...]) -> str:
        name = self._name(stem)
        self.tensors[name] = Tensor(name, dtype, tuple(a.extent for a in axes), "local")
        return name


def _held(points: _Points, dtype: str) -> Expr:
    """The key as it is stored."""
    held = _cast(points.key, dtype)
    for condition in reversed(points.stage.guard):
        held = Call("select", (condition, held, _cast(points.places, dtype)), dtype)
    return held


def _is_one(target: Expr, names: frozenset[str]) -> bool:
    return isinstance(target, Var) and target.name in names


def _flat(index: Sequence[Expr], extents: Sequence[Expr]) -> Expr:
    """The number of a place, the last dim fastest."""
    return flat_offset(index, extents, dense_strides(extents))


def _apart(number: Expr, axes: tuple[Axis, ...]) -> list[Expr]:
    """The index along every axis of the point with that number."""
    found: list[Expr] = []
    for axis in reversed(axes[1:]):
        found.append(folded(idx("%", number, axis.extent)))
        number = folded(idx("/", number, axis.extent))
    return [number, *reversed(found)]


def _load(tensor: str, index: Sequence[Expr], dtype: str) -> Load:
    return Load(tensor, tuple(index), (), None, dtype)


def _cast(value: Expr, dtype: str) -> Expr:
    return Call("cast", (value,), dtype)


def _type_of(count: Expr) -> str:
    """The type of numbers up to a count."""
    known = static(count)
    return "i32" if known is not None and known <= LARGEST else "i64"
