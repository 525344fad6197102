"""A sum of products over some axes as several, one a residue: what the data gradient of a strided convolution consists of.

    dx[h] = sum over u of dy[(h + p)/s - u] * w[(h + p)%s + s*u]        where w has such an element

For all h = s*i + r the quotient is i + (r + p)/s, and the remainder is a number. So each residue r is a plain convolution, with
the taps that meet it and no others: no product has a factor that is 0 because there is no element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import add, ceil_div, mul, static, substituted, value_at
from uol.codegen.partition.step_writer import classify
from uol.codegen.specs.nodes import Fold, Read, Reduce, Step, Store, Strides
from uol.codegen.specs.traverse import expressions, map_step, mapped, reads
from uol.codegen.specs.verify import verified
from uol.ir.integers.facts import Facts
from uol.ir.integers.intervals import Interval
from uol.ir.integers.polynomials import simplify
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk
from uol.ir.types import INDEX

MOST_KERNELS = 16
"""Each residue is a kernel, which takes its time to compile. A stride of 4 in two dims has 16."""


@verified
def by_residues(spec: Reduce) -> tuple[Reduce, ...]:
    """The kernels of a sum of products, one for each residue of the axes whose remainders decide what is summed. The spec
    alone where there are no such axes, or too many residues. An extent may be an argument."""
    is_conditional = any(True for _ in _conditions(spec))  # most sums of products are not, and need no more looking at
    if not is_conditional or factors_of(spec) is None or any(static(a.extent) == 0 for a in spec.axes):
        return (spec,)
    plain = Residue.of(spec, {}, ()).kernel()
    moduli = _moduli(plain) | _digits(plain)
    if not moduli or prod(moduli.values()) > MOST_KERNELS:
        return (spec,)
    found = (Residue.of(plain, moduli, residues) for residues in product(*map(range, moduli.values())))
    return tuple(residue.kernel() for residue in found if all(static(a.extent) != 0 for a in residue.axes(plain.rows)))


def factors_of(spec: Reduce) -> tuple[Expr, Expr] | None:
    """The factors of a kernel around a sum of products: two reads, wrapped in casts, that are 0 where there is no element."""
    match [s for s in spec.steps if isinstance(s, Fold)]:
        case [Fold(op="sum", value=Call(fn="*", args=(a, b)))] if _is_element_or_zero(a) and _is_element_or_zero(b):
            return a, b
    return None


def _is_element_or_zero(factor: Expr) -> bool:
    while isinstance(factor, Call) and factor.fn == "cast":
        (factor,) = factor.args
    return isinstance(factor, Read) and factor.fill in (None, Const(0, factor.dtype)) and len(list(reads(factor))) == 1


def _moduli(spec: Reduce) -> dict[str, int]:
    """By row axis: what it is divided by, where that is one number throughout and a remainder decides what is summed."""
    sums = {a.name for a in spec.cols}
    deciding = [c for c in _conditions(spec) if variables(c) & sums]
    found: dict[str, int] = {}
    for axis in spec.rows:
        divisors = {d for expr in expressions(spec) for d in divisors_of(expr, axis.name, ("/", "%"))}
        if len(divisors) == 1 and any(True for c in deciding for _ in divisors_of(c, axis.name, ("%",))):
            found[axis.name] = divisors.pop()
    return {name: number for name, number in found.items() if number > 1}


def _digits(spec: Reduce) -> dict[str, int]:
    """Row axes that are remainders themselves, of an axis that was split into quotient and remainder: they decide what is
    summed in steps of all that there are of them, and the result lies along quotient and remainder as along one axis."""
    stored = next(s for s in spec.steps if isinstance(s, Store))
    strides = {a.name: coefficient(stored.offset, a.name) or 0 for a in spec.rows}
    found: dict[str, int] = {}
    for axis in spec.rows:
        if (extent := static(axis.extent)) is None:
            continue
        deciding = [c for c in _conditions(spec) if axis.name in variables(c)]
        steps = {coefficient(side, a.name) for c in deciding for side in c.children for a in spec.cols}
        is_split = extent * strides[axis.name] in [s for name, s in strides.items() if name != axis.name]
        if deciding and is_split and strides[axis.name] and all(s is not None and s % extent == 0 for s in steps):
            found[axis.name] = extent
    return {name: number for name, number in found.items() if number > 1}


def divisors_of(expr: Expr, axis: str, operations: tuple[str, ...]) -> Iterator[int]:
    """What the axis, with a number added to it, is divided by; 0 for any other quotient or remainder that it is in."""
    for node in walk(expr):
        match node:
            case Call(fn=fn, args=(value, divisor), dtype="idx") if fn in operations and axis in variables(_undivided(value)):
                is_plain = variables(value) == {axis} and coefficient(value, axis) == 1
                yield (static(divisor) or 0) if is_plain else 0


def _undivided(expr: Expr) -> Expr:
    """The expression without the quotients and remainders in it."""
    return rewrite(expr, lambda node: Const(0) if isinstance(node, Call) and node.fn in ("/", "%") else None)


def _conditions(spec: Reduce) -> Iterator[Expr]:
    """What decides whether there is a term: the conditions of the sum, and whether its factors have an element."""
    for fold in spec.steps:
        if isinstance(fold, Fold):
            yield from fold.where
            for read in reads(fold.value):
                yield from _guarding(read)


def _guarding(read: Read) -> Iterator[Expr]:
    return (condition for guard in read.guard for condition in guard.conditions)


@dataclass(frozen=True, slots=True)
class Residue:
    """One of the kernels: what stands for each axis that is divided, and how far each axis goes."""

    spec: Reduce
    name: str
    places: Mapping[str, Expr]
    extents: Mapping[str, Expr]

    @staticmethod
    def of(spec: Reduce, moduli: Mapping[str, int], residues: Iterable[int]) -> Residue:
        given = dict(zip(moduli, residues, strict=True))
        extents = {a.name: a.extent for a in spec.axes}
        places = {name: add(mul(Var(name), Const(moduli[name])), Const(r)) for name, r in given.items()}
        extents |= {name: simplify(ceil_div(add(extents[name], Const(-r)), moduli[name]), {}) for name, r in given.items()}
        whole = Residue(spec, "_".join((spec.name, *(["at"] if given else []), *map(str, given.values()))), places, extents)
        return replace(whole, extents=extents | {a.name: whole._terms(a.name) for a in spec.cols})

    def _terms(self, axis: str) -> Expr:
        """How far along an axis of the sum there may be terms; as far as it goes where that is an argument."""
        extent = static(self.extents[axis])
        if extent is None:
            return self.extents[axis]
        conditions = [c for condition in _conditions(self.spec) if variables(c := self._index(condition)) <= {axis}]
        terms = (i for i in reversed(range(extent)) if all(value_at(c, {axis: i}) for c in conditions))
        return Const(next(terms, -1) + 1)

    def axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return tuple(Axis(a.name, self.extents[a.name]) for a in axes)

    def kernel(self) -> Reduce:
        return replace(mapped(self.spec, expr=self._value, step=self._step, axes=self.axes), name=self.name)

    def _step(self, step: Step) -> Step:
        moved = map_step(step, self._value)
        match moved:
            case Fold(where=where):
                return replace(moved, where=tuple(w for w in where if not self._holds(w)))
            case Store(offset=offset, strides=strides):
                return replace(moved, strides=_strides(offset, strides))
        return moved

    def _value(self, expr: Expr) -> Expr:
        """The expression over the axes of the kernel."""

        def rule(node: Expr) -> Expr | None:
            if isinstance(node, Read):
                return self._read(node)
            return self._index(node) if node.type in (INDEX, "bool") and not any(reads(node)) else None

        return rewrite(expr, rule)

    def _index(self, expr: Expr) -> Expr:
        ranges = {name: _range(static(extent)) for name, extent in self.extents.items()}
        return simplify(substituted(expr, self.places), ranges)

    def _holds(self, condition: Expr) -> bool:
        """Does the condition hold at all points? By numbers it is decided as it is made short; an argument has to be reasoned
        about."""
        if isinstance(condition, Const) or all(static(extent) is not None for extent in self.extents.values()):
            return condition == Const(True, "bool")
        within = (bound for name, extent in self.extents.items() for bound in in_range(Axis(name, extent)))
        return Facts((*self.spec.facts, *within)).prove(condition)

    def _read(self, read: Read) -> Read:
        conditions = [c for condition in _guarding(read) if not self._holds(c := self._value(condition))]
        guards = classify(conditions, set(self.extents))
        offset = self._value(read.offset)
        fill = self._value(read.fill) if guards and read.fill is not None else None
        return replace(read, offset=offset, strides=_strides(offset, read.strides), guard=guards, fill=fill)


def _range(extent: int | None) -> Interval:
    return Interval(0, None if extent is None else max(extent - 1, 0))


def _strides(offset: Expr, axes: Strides) -> Strides:
    form = affine(offset, [name for name, _ in axes])
    if form is not None:
        return tuple((name, form.factor(name)) for name, _ in axes)
    found = ((name, coefficient(offset, name)) for name, _ in axes)
    return tuple((name, None if number is None else Const(number)) for name, number in found)
