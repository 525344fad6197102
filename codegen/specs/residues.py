"""A sum of products over some axes as several, one a residue: what the data gradient of a strided convolution, and a transposed
convolution, consist of.

    dx[h] = sum over u of dy[(h + p)/s - u] * w[(h + p)%s + s*u]        where w has such an element

For all h = s*i + r the quotient is i + (r + p)/s, and the remainder is a number. So each residue r is a plain convolution, with
the taps that meet it and no others: no product has a factor that is 0 because there is no element.

    y[h] = sum over v of x[(h + p - d*v)/s] * w[v]                      where (h + p - d*v)%s is 0

With a dilation d, the taps that meet residue r are those with d*v = r + p (mod s): where g = gcd(s, d) divides r + p they are
v = v0 + s/g*u, and the quotient is i + (r + p - d*v0)/s - d/g*u, a plain convolution again; elsewhere there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations, product
from math import prod

from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import add, ceil_div, conjuncts, mul, static, substituted, value_at
from uol.codegen.partition.step_writer import classify
from uol.codegen.specs.nodes import Fold, Read, Reduce, Step, Store, Strides
from uol.codegen.specs.traverse import expressions, map_step, mapped, reads
from uol.codegen.specs.verify import verified
from uol.ir.integers.facts import Facts
from uol.ir.integers.intervals import Interval
from uol.ir.integers.polynomials import scale, simplify
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk
from uol.ir.types import INDEX

MOST_KERNELS = 27
"""Each residue is a kernel, which takes its time to compile. A stride of 4 in two dims has 16, of 3 in three 27."""


@verified
def by_residues(spec: Reduce) -> tuple[Reduce, ...]:
    """The kernels of a sum of products, one for each residue of the axes whose remainders decide what is summed. The spec
    alone where there are no such axes, or too many residues. An extent may be an argument."""
    chosen = _with_chosen_terms(spec)
    # most sums of products have neither conditions nor remainders, and need no more looking at
    if not (any(True for _ in _conditions(chosen)) or _has_remainders(chosen)):
        return (spec,)
    if factors_of(chosen) is None or any(static(a.extent) == 0 for a in spec.axes):
        return (spec,)
    plain = Residue.of(chosen, {}, ()).kernel()
    moduli = _moduli(plain) | _digits(plain) | _shared(chosen)
    if not moduli or prod(moduli.values()) > MOST_KERNELS:
        return (spec,)
    found = (Residue.of(plain, moduli, residues) for residues in product(*map(range, moduli.values())))
    return tuple(residue.kernel() for residue in found if all(static(a.extent) != 0 for a in residue.axes(plain.rows)))


def _with_chosen_terms(spec: Reduce) -> Reduce:
    """The spec with a sum of terms that are 0 where a condition does not hold as one over the terms of which it holds."""

    def chosen(step: Step) -> Step:
        match step:
            case Fold(op="sum", value=Call(fn="select", args=(condition, value, Const(value=0)))) if not any(reads(condition)):
                return replace(step, value=value, where=(*step.where, *conjuncts(condition)))
        return step

    return replace(spec, steps=tuple(map(chosen, spec.steps)))


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
    sums = frozenset(a.name for a in spec.cols)
    whether = {c for step in spec.steps if isinstance(step, Fold) for c in step.where}
    deciding = [c for c in _conditions(spec) if variables(c) & sums or c in whether]
    found: dict[str, int] = {}
    for axis in spec.rows:
        divisors = {d for expr in expressions(spec) for d in divisors_of(expr, axis.name, ("/", "%"), sums)}
        if len(divisors) == 1 and any(True for c in deciding for _ in divisors_of(c, axis.name, ("%",), sums)):
            found[axis.name] = divisors.pop()
    return {name: number for name, number in found.items() if number > 1}


def _digits(spec: Reduce) -> dict[str, int]:
    """Row axes that are remainders themselves, of an axis that was split into quotient and remainder: they decide what is
    summed in steps of all that there are of them, the result lies along quotient and remainder as along one axis, and what is
    summed goes against the quotient. The taps of a filter, as many as the stride, are no remainders."""
    stored = next(s for s in spec.steps if isinstance(s, Store))
    strides = {a.name: coefficient(stored.offset, a.name) or 0 for a in spec.rows}
    found: dict[str, int] = {}
    for axis in spec.rows:
        if (extent := static(axis.extent)) is None or not strides[axis.name]:
            continue
        deciding = [c for c in _conditions(spec) if axis.name in variables(c)]
        summed = {a.name for a in spec.cols if any(a.name in variables(c) for c in deciding)}
        steps = {coefficient(side, name) for c in deciding for side in c.children for name in summed}
        quotients = [n for n, s in strides.items() if n != axis.name and s == extent * strides[axis.name]]
        is_split = any(_goes_against(spec, name, quotient) for name in summed for quotient in quotients)
        if is_split and all(s is not None and s % extent == 0 for s in steps):
            found[axis.name] = extent
    return {name: number for name, number in found.items() if number > 1}


def _goes_against(spec: Reduce, axis: str, quotient: str) -> bool:
    """Does an operand go back a step of the quotient with each of the axis, as dy[h/s - u] does?"""
    forms = (affine(read.offset, (axis, quotient)) for expr in expressions(spec) for read in reads(expr))
    factors = ((form.factors.get(axis), form.factors.get(quotient)) for form in forms if form is not None)
    return any(back is not None and onward is not None and back == scale(onward, -1) for back, onward in factors)


def divisors_of(
    expr: Expr, axis: str, operations: tuple[str, ...], beside: frozenset[str] = frozenset()
) -> Iterator[int]:
    """What the axis, with a number and multiples of axes `beside` it added to it, is divided by; 0 for any other quotient or
    remainder that it is in."""
    for node in walk(expr):
        match node:
            case Call(fn=fn, args=(value, divisor), dtype="idx") if fn in operations and axis in variables(_undivided(value)):
                is_plain = variables(value) - beside == {axis} and coefficient(value, axis) == 1
                yield (static(divisor) or 0) if is_plain else 0


def _has_remainders(spec: Reduce) -> bool:
    folded = (read for step in spec.steps if isinstance(step, Fold) for read in reads(step.value))
    return any(isinstance(node, Call) and node.fn == "%" for read in folded for node in walk(read.offset))


def _shared(spec: Reduce) -> dict[str, int]:
    """Row axes of which one factor has the quotient and the other the remainder alone, as of a filter with a tap for each
    residue: no condition decides what is summed, but at a residue the factor with the remainder is the same for all quotients.
    It has other rows, for a product of matrices."""
    sums, found = frozenset(a.name for a in spec.cols), dict[str, int]()
    offsets = [read.offset for factor in factors_of(spec) or () for read in reads(factor)]
    for whole, part in permutations(offsets, 2):
        numbers = {a.name: _digit_of(part, a, whole) or _remainder_of(part, a.name, whole, sums) for a in spec.rows}
        divided = {name: number for name, number in numbers.items() if number > 1}
        own = {a.name for a in spec.rows if a.name in variables(part) - variables(whole)}
        if own - divided.keys():
            found |= divided
    return found


def _remainder_of(part: Expr, axis: str, whole: Expr, sums: frozenset[str]) -> int:
    """What the axis is divided by, of whose remainders alone a part depends and of whose quotients the whole; 0 for any other
    axis."""
    remainders, quotients = (set(divisors_of(e, axis, (fn,), sums)) for e, fn in ((part, "%"), (whole, "/")))
    others = (*divisors_of(part, axis, ("/",), sums), *divisors_of(whole, axis, ("%",), sums))
    is_undivided = any(axis in variables(_undivided(expr)) for expr in (part, whole))
    return remainders.pop() if len(remainders) == 1 and remainders == quotients and not others and not is_undivided else 0


def _digit_of(part: Expr, axis: Axis, whole: Expr) -> int:
    """The extent of an axis that was split from its quotient, of which alone the whole depends; 0 for any other."""
    extent = static(axis.extent) or 0
    for node in walk(part):
        match node:
            case Call(fn="%", args=(value, Const(value=divisor))) if divisor == extent and coefficient(value, axis.name) == 1:
                quotients = variables(value) - {axis.name}
                is_of_both = quotients <= variables(whole) and not quotients & variables(_undivided(part))
                if len(quotients) == 1 and is_of_both and coefficient(value, *quotients) == extent:
                    return extent
    return 0


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
    """One of the kernels: what stands for each axis that is divided or gone along in steps, and how far each axis goes."""

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
        return whole._of_terms({a.name: terms for a in spec.cols if (terms := whole._terms(a.name)) is not None})

    def _of_terms(self, terms: Mapping[str, range]) -> Residue:
        """The kernel that goes along axes of the sum at these places alone."""
        stepped = {name: each for name, each in terms.items() if each != range(len(each))}
        steps = {name: add(mul(Var(name), Const(each.step)), Const(each.start)) for name, each in stepped.items()}
        counts = {name: Const(len(each)) for name, each in terms.items()}
        return replace(self, places={**self.places, **steps}, extents={**self.extents, **counts})

    def _terms(self, axis: str) -> range | None:
        """Where along an axis of the sum there may be terms: every so many steps from the first to the last, or all up to the
        last where they are not as even; None where how far the axis goes is an argument."""
        extent = static(self.extents[axis])
        if extent is None:
            return None
        conditions = [c for condition in _conditions(self.spec) if variables(c := self._index(condition)) <= {axis}]
        found = [i for i in range(extent) if all(value_at(c, {axis: i}) for c in conditions)]
        if not found:
            return range(0)
        evenly = range(found[0], found[-1] + 1, found[1] - found[0] if len(found) > 1 else 1)
        return evenly if found == list(evenly) else range(found[-1] + 1)

    def axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return tuple(Axis(a.name, self.extents[a.name]) for a in axes)

    def kernel(self) -> Reduce:
        return replace(mapped(self.spec, expr=self._value, step=self._step, axes=self.axes), name=self.name)

    def _step(self, step: Step) -> Step:
        moved = map_step(step, self._value)
        match moved:
            case Fold(where=where):
                is_over_nothing = any(static(self.extents[a.name]) == 0 for a in self.spec.cols)
                return replace(moved, where=() if is_over_nothing else tuple(w for w in where if not self._holds(w)))
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
