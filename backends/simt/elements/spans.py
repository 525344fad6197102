"""What a thread reads near together, but not side by side in order: loaded as whole vectors, picked from registers.

    x[i - 1]    shifted by less than a vector       x[N - 1 - i]    backwards
    x[2*i + r]  by steps, as windows are            x[i / 2]        each several times
    x[i % N]    from its beginning again

For a group of `width` steps of an axis such an index is `first + place`: `first` of the group, a multiple of a vector, and
`place` of the steps within it, known when a kernel is written. A guard holds for all of a vector or for nothing of it, where
what it compares is a multiple of a vector, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from uol.backends.simt.elements.multiples import Multiples, is_multiple_of
from uol.backends.simt.elements.pieces import ELEMENT, PART
from uol.backends.simt.machine.limits import WHOLE_BYTES
from uol.codegen.indexing import arithmetic
from uol.codegen.indexing.arithmetic import ZERO, add, conjuncts, dense_strides, folded, mul, static, sub, substituted, value_at
from uol.codegen.specs.nodes import Arg, Guard, Holds, KernelSpec, Read, Store, Within
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.traverse import reads
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES

MOST_VECTORS = 8
"""Of a span: what a thread has in registers of one tensor at a time is at most 128 bytes."""
PERIODS = (64, 32, 16, 8, 4, 2)
"""Of remainders: a group that lies within one of them goes on by steps there."""

FIRST = "$first"
"""The first step of a group."""

Split = tuple[Expr, Expr]
"""An index as what is one for a group, and the place in it."""


@dataclass(frozen=True, slots=True)
class Span:
    """`count` vectors of `width` elements each, side by side or equally far apart. `vector`: one of them, by its number."""

    vector: Read
    width: int
    count: int

    @property
    def first(self) -> Read:
        """Its first vector."""
        return self.vector.map_children(lambda part: substituted(part, {PART: ZERO}))


def may_be_picked(access: Read | Store, group: Group) -> bool:
    """Is what a group reads a span of vectors, or one element?"""
    return isinstance(access, Read) and (one_place(access, group) is not None or span_of(access, group) is not None)


def one_place(read: Read, group: Group) -> Expr | None:
    """Where a group reads, if that is one element for all of it."""
    found = None if read.guard or any(True for _ in reads(read.offset)) else group.split(read.offset)
    if found is None or not group.moving & variables(read.offset):
        return None
    first, place = found
    places = set(group.values(place))
    return substituted(_plus(first, places.pop()), {group.axis.name: Var(FIRST)}) if len(places) == 1 else None


def span_of(read: Read, group: Group) -> tuple[Span, Expr] | None:
    """The vectors that a group reads, where they are fewer than its elements and all lie in the tensor; and where among their
    elements a step of the group has its own."""
    moving = group.moving
    if any(True for part in read.children for _ in reads(part)) or (read.fill is not None and moving & variables(read.fill)):
        return None
    found = group.split(read.offset)
    if found is None or not moving & variables(read.offset):
        return None
    first, place = found
    places = group.values(place)
    width = WHOLE_BYTES // DTYPES[read.dtype].bytes
    while width > 1:
        numbers = sorted({at // width for at in places})
        count, steps = len(numbers), {b - a for a, b in pairwise(numbers)}
        is_all = count * width == len(set(places))
        if len(steps) <= 1 and 0 < count < len(set(places)) and group.may_begin(first, read, width, is_all=is_all):
            vectors = _Vectors(width, numbers[0] * width, next(iter(steps), 1) * width)
            guard = group.guards(read, vectors, places) if count <= MOST_VECTORS else None
            if guard is not None:
                own = replace(read, offset=_beginning(read, first, vectors, guard), strides=(), guard=guard)
                shorter, whole = vectors.among(place)
                return Span(own, width, count), shorter if group.values(shorter) == group.values(whole) else whole
        width //= 2
    return None


def _beginning(read: Read, first: Expr, vectors: _Vectors, guards: Sequence[Guard]) -> Expr:
    """Where a vector begins: by the place in its line that a guard asks about, where that is the last term."""
    at = vectors.at(first)
    match read.offset:
        case Call(fn="+", args=(line, index)):
            known = [each.value for each in read.guard if isinstance(each, Within)]
            moved = [each.value for each in guards if isinstance(each, Within)]
            if index in known and (own := moved[known.index(index)]) != index:
                return add(line, own)
    return at


@dataclass(frozen=True, slots=True)
class _Vectors:
    """Vectors of `width` elements, from one to the next `step` elements, of which the first begins at `shift`."""

    width: int
    shift: int
    step: int

    def at(self, first: Expr) -> Expr:
        """Where one of them begins, by its number."""
        return _plus(_sum(first, mul(Var(PART), Const(self.step))), self.shift)

    def among(self, place: Expr) -> tuple[Expr, Expr]:
        """A place, among their elements: shorter where a term of its own may say of which vector, and as it always is."""
        place = _plus(place, -self.shift)
        whole = add(mul(_of("/", place, Const(self.step)), Const(self.width)), _of("%", place, Const(self.width)))
        match place:
            case _ if self.step == self.width:
                return place, whole
            case Call(fn="+", args=(Call(fn="*", args=(number, Const(value=step))), within)) if step == self.step:
                return add(mul(number, Const(self.width)), within), whole
        return whole, whole


def _sum(a: Expr, b: Expr) -> Expr:
    """a + b, where b may be something less than nothing."""
    match a, b:
        case _, Call(fn="-", args=(Const(value=0), less)):
            return sub(a, less)
        case Call(fn="-", args=(Const(value=0), less)), _:
            return sub(b, less)
    return add(a, b)


def _plus(index: Expr, number: int) -> Expr:
    """index + number, with the numbers in it as one."""
    match index:
        case Const(value=value):
            return Const(int(value) + number)
        case Call(fn="+", args=(a, Const(value=value))):
            return _plus(a, number + int(value))
        case Call(fn="-", args=(a, b)) if isinstance(a, Const):
            return sub(Const(int(a.value) + number), b)
        case Call(fn="+" | "-" as fn, args=(a, b)) if number and isinstance(a, Call):
            return (add if fn == "+" else sub)(_plus(a, number), b) if _has_number(a) else add(index, Const(number))
    return add(index, Const(number))


def _has_number(index: Expr) -> bool:
    match index:
        case Call(fn="+" | "-", args=args):
            return any(isinstance(each, Const) or _has_number(each) for each in args)
    return False


def elements_of(arg: Arg) -> Expr | None:
    """How many elements of memory a tensor has from its first to its last; None where the spec does not say."""
    if arg.strides == dense_strides(arg.shape):
        return arithmetic.product(arg.shape)
    steps = [(static(extent), static(stride)) for extent, stride in zip(arg.shape, arg.strides, strict=True)]
    if any(extent is None or stride is None for extent, stride in steps):
        return None
    return Const(1 + sum(((extent or 0) - 1) * (stride or 0) for extent, stride in steps))


@dataclass(frozen=True, slots=True)
class Group:
    """`width` steps of an axis, with all steps of the axes that are `unrolled` for them: indices are taken apart into what is
    one for all of them, and what is not. `elements`: of tensors."""

    axis: Axis
    width: int
    unrolled: tuple[Axis, ...]
    multiples: Multiples
    elements: Mapping[str, Expr]

    @staticmethod
    def of(spec: KernelSpec, axis: Axis, width: int, unrolled: Axis | None = None) -> Group:
        sizes = {arg.name: found for arg in spec.args if (found := elements_of(arg)) is not None}
        group = Group(axis, 1, () if unrolled is None else (unrolled,), known_multiples(spec.where), sizes)
        return group.of_width(width)

    def of_width(self, width: int) -> Group:
        """As many steps."""
        return replace(self, width=width, multiples={**self.multiples, Var(self.axis.name): width})

    @property
    def moving(self) -> frozenset[str]:
        """The variables that differ within it."""
        return frozenset((self.axis.name, *(each.name for each in self.unrolled)))

    def may_begin(self, first: Expr, read: Read, width: int, *, is_all: bool) -> bool:
        """May vectors begin there? At multiples of themselves, and such that each lies in the tensor, of which the group reads
        all of it (`is_all`) or a part."""
        if not is_multiple_of(first, width, self.multiples):
            return False
        of_tensor = self.elements.get(read.tensor)
        return is_all or (of_tensor is not None and is_multiple_of(of_tensor, width, self.multiples))

    def split(self, index: Expr) -> Split | None:
        """None where what is one for the group is not to be told from what is not."""
        match index:
            case Const():
                return ZERO, index
            case Var(name=name) if name == self.axis.name:
                return index, Var(ELEMENT)
            case Var(name=name) if name in self.moving:
                return ZERO, index
            case Call(fn="+" | "-" as fn, args=(a, b)):
                parts = self.split(a), self.split(b)
                if parts[0] is None or parts[1] is None:
                    return None
                join = _sum if fn == "+" else sub
                return join(parts[0][0], parts[1][0]), join(parts[0][1], parts[1][1])
            case _ if not self.moving & variables(index):
                return index, ZERO
            case Call(fn="*" | "/" | "%" as fn, args=(a, by)) if not self.moving & variables(by) and (inner := self.split(a)):
                return self._by(fn, inner, by)
        return None

    def _by(self, fn: str, inner: Split, by: Expr) -> Split | None:
        """A product, quotient or remainder of what has been taken apart."""
        first, place = inner
        number, places = static(by), self.values(place)
        if not places:
            return None
        if fn == "*":
            return (mul(first, by), mul(place, by)) if number is not None or place == ZERO else None
        if number is not None and number > 0 and is_multiple_of(first, number, self.multiples):
            return (_of(fn, first, by), _of(fn, place, by)) if fn == "/" else (ZERO, _of(fn, place, by))
        for period in PERIODS:
            if is_multiple_of(by, period, self.multiples) and is_multiple_of(first, period, self.multiples):
                before = min(places) // period * period
                if max(places) < before + period:
                    return _of(fn, _plus(first, before), by), ZERO if fn == "/" else _plus(place, -before)
        return None

    def values(self, place: Expr) -> list[int]:
        """What a place is for each step of the group."""
        extents = {ELEMENT: self.width, **{each.name: static(each.extent) or 0 for each in self.unrolled}}
        return [value_at(place, dict(zip(extents, at, strict=True))) for at in product(*map(range, extents.values()))]

    def guards(self, read: Read, vectors: _Vectors, places: Sequence[int]) -> tuple[Guard, ...] | None:
        """What holds for a vector; None where it may hold for a part of it."""
        found = [self._of_vector(part, vectors, places) for guard in read.guard for part in _parts(guard)]
        return tuple(each for each in found if each is not None) if None not in found else None

    def _of_vector(self, guard: Guard, vectors: _Vectors, places: Sequence[int]) -> Guard | None:
        if not self.moving & frozenset().union(*map(variables, guard.children)):
            return guard
        match guard:
            case Within(value=index, low=low, high=high):
                at = self._at(index, (low, high), vectors, places)
                return None if at is None else Within(at, low, high)
            case Holds(condition=Call(fn="<" | ">=" as fn, args=(index, bound))):
                at = self._at(index, (bound,), vectors, places)
                return None if at is None else Holds(compare(fn, at, bound))
        return None

    def _at(self, index: Expr, bounds: Sequence[Expr | None], vectors: _Vectors, places: Sequence[int]) -> Expr | None:
        """Where an index is at the beginning of a vector, of which all lies on one side of each bound."""
        parts, sides = self.split(index), [bound for bound in bounds if bound is not None]
        if parts is None or any(self.moving & variables(bound) for bound in sides):
            return None
        if not all(is_multiple_of(each, vectors.width, self.multiples) for each in (parts[0], *sides)):
            return None
        apart = {own - place for own, place in zip(self.values(parts[1]), places, strict=True)}
        if len(apart) > 1 or (further := apart.pop()) % vectors.width:
            return None
        return _plus(vectors.at(parts[0]), further)


def _parts(guard: Guard) -> tuple[Guard, ...]:
    """What a guard asks, one by one."""
    return (guard,) if isinstance(guard, Within) else tuple(map(Holds, conjuncts(guard.condition)))


def _of(fn: str, index: Expr, by: Expr) -> Expr:
    return folded(idx(fn, index, by))
