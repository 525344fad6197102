"""The inverse of an index map: which indices of a statement read a given element of a tensor.

    x[n, c]                          n, c are the element's own
    x[p + r - pad]         = h       p = h + pad - r                                    for all r
    x[p*stride + r - pad]  = h       r = (h + pad) % stride + stride*t, p = (h + pad)/stride - t
    x[p*stride + r*dilation - pad]   p = (h + pad - r*dilation)/stride  where that divides
    x[o/Q*D + c]           = m       c = m % D, o = m/D*Q + t             where c runs over D
    x[h/2]                 = j       h = j*2 + t,  t < 2
    x[h%2*H + h/2]         = j       h = (j - t*H)*2 + t,  t < 2
    x[(i + k) % N]         = j       i = (j - k) % N                       where i runs over N

The second line of a strided window reaches exactly the pairs (p, r) that meet at h: no product with a zero is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from uol.ir.gradients.cotangent import Index
from uol.ir.gradients.maps.linear_form import ONE, Linear, Term, linear_form, negated, opposite, subtract
from uol.ir.gradients.maps.signs import Signs
from uol.ir.gradients.text.forms import as_i64
from uol.ir.gradients.text.integer_text import minus, plus, quotient, remainder, times
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.substitution import Item, free_keys, substitute
from uol.ir.syntax.surface import Binary, Expr, Name, Number, Pack

Search = Literal["none", "one place", "what is left", "everywhere"]
"""Whether the indices that cannot be solved for, or all of them, are asked one by one whether they read the element. "one
place": what is data is asked where all indices are the element's own, so that one place alone may read it."""


@dataclass(slots=True)
class Inverse:
    """values      of the indices that the element fixes, over the element's indices and the free ones
    free        indices that it does not fix, new ones among them
    conditions  under which the free ones read it at all
    doubtful    indices whose value may lie out of their range; of those in `not_below`, only above
    steps       coefficients of bound indices: where they are 1, residues would do better
    """

    values: dict[str, Item] = field(default_factory=dict)
    free: list[Index] = field(default_factory=list)
    conditions: list[Expr] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)
    not_below: set[str] = field(default_factory=set)
    steps: list[Expr] = field(default_factory=list)

    def copy(self) -> Inverse:
        return Inverse(
            dict(self.values), [*self.free], [*self.conditions], set(self.doubtful), set(self.not_below), [*self.steps]
        )


def invert(
    index: Sequence[Item],
    element: Sequence[Item],
    dims: Sequence[Item],
    scope: Sequence[Index],
    names: Names,
    signs: Signs,
    units: Sequence[Expr] = (),
    *,
    search: Search = "none",
) -> Inverse | None:
    """None where the map has no inverse that a text could say, as where an index is data; or, with a `search`, what
    reads the element is found by asking every index. `units` are coefficients that are taken to be 1. The scope's names
    and those of the element are apart."""
    return _Inversion(scope, names, signs, units, search).run(index, element, dims)


class _Inversion:
    def __init__(
        self, scope: Sequence[Index], names: Names, signs: Signs, units: Sequence[Expr], search: Search
    ) -> None:
        self.signs, self.units, self.search = signs, units, search
        self.scope: dict[str, Index] = {i.key: i for i in scope}
        self.extents: dict[str, Item | None] = {}
        self.names = names
        self.used: set[str] = set()
        self.out = Inverse()

    def run(self, index: Sequence[Item], element: Sequence[Item], dims: Sequence[Item]) -> Inverse | None:
        self.used = {i.id for i in element if isinstance(i, Name | Pack)} | {k.lstrip("*") for k in self.scope}
        self.extents = {k: i.extent for k, i in self.scope.items() if not k.startswith("*")}
        self.extents |= {e.id: d for e, d in zip(element, dims, strict=True) if isinstance(e, Name)}
        pending: list[tuple[Expr, Expr]] = []
        for item, place, dim in zip(index, element, dims, strict=True):
            key = f"*{item.id}" if isinstance(item, Pack) else item.id if isinstance(item, Name) else ""
            free = key in self.scope and key not in self.out.values
            if free and (self.search != "everywhere" or self.scope[key].extent == dim):
                self.out.values[key] = place
                if self.scope[key].extent != dim:
                    self.out.doubtful.add(key)
                    self.out.not_below.add(key)
            elif isinstance(item, Pack) or isinstance(place, Pack):
                return None
            else:
                pending.append((item, place))
        for item, place in pending:
            if self.search != "everywhere" and self.equation(item, place):
                continue
            if self.search == "none":
                return None
            self.out.conditions.append(Binary("==", as_i64(item), place))
        self.out.free += [i for k, i in self.scope.items() if k not in self.out.values]
        if self.search == "one place" and self.out.free:
            return None
        self.settle()
        return self.out

    def settle(self) -> None:
        """Values over the element and the free indices alone."""
        for _ in self.out.values:
            self.out.values = {
                k: v if isinstance(v, Pack) else substitute(v, self.out.values) for k, v in self.out.values.items()
            }
        self.out.conditions = [substitute(c, self.out.values) for c in self.out.conditions]

    def unknown(self) -> frozenset[str]:
        return frozenset(self.scope) - set(self.out.values)

    def equation(self, expr: Expr, value: Expr) -> bool:
        """Solves `expr = value` for one index or two; False where there is no way, and nothing is solved then."""
        before = self.out.copy()
        if not self.solved(expr, value):
            self.out = before
            return False
        return True

    def solved(self, expr: Expr, value: Expr) -> bool:
        form = linear_form(substitute(expr, self.out.values), self.unknown())
        if form is None:
            return False
        form = Linear(tuple(map(self.oriented, form.terms)), form.rest)
        if not form.terms:
            self.out.conditions.append(Binary("==", opposite(Number(0), form), value))
            return True
        if self.split(form, value):
            return True
        usable = [t for t in form.terms if self.can_be_solved(t, form, value)]
        pair = self.pair(form)
        if pair is not None and all(t in usable for t in pair):
            return self.two(form, *pair, value)
        if not usable:
            return False
        term = self.best(usable)
        others = Linear(tuple(t for t in form.terms if t is not term), form.rest)
        found = subtract(value, others) if term.sign > 0 else opposite(value, others)
        if not term.is_unit:
            self.out.conditions.append(Binary("==", remainder(found, term.coefficient), Number(0)))
            self.out.steps += [t.coefficient for t in others.terms if self.is_bound(t) and not t.is_unit]
            found = quotient(found, term.coefficient)
        return self.assign(term.atom, found)

    def split(self, form: Linear, value: Expr) -> bool:
        """`i/m * a + i%m * b = value`: for every remainder t, i is (value - t*b)/a * m + t."""
        for term in form.terms:
            match term.atom:
                case Binary(op="/", left=Name(id=name), right=divisor) if name in self.unknown():
                    remaining = Binary("%", Name(name), divisor)
                case _:
                    continue
            parts = [t for t in form.terms if t.atom == remaining]
            rest = [t for t in form.terms if t is not term and t not in parts]
            elsewhere = frozenset(k for t in rest for k in free_keys(t.atom)) | free_keys(divisor) | free_keys(value)
            if not parts or name in elsewhere or not (term.is_unit and term.sign > 0):
                continue
            turn = self.new_index(divisor)
            others = Linear(tuple(replace(t, atom=turn) if t in parts else t for t in form.terms if t is not term), form.rest)
            self.out.values[name] = plus(times(subtract(value, others), divisor), turn)
            self.out.doubtful.add(name)
            return True
        return False

    def oriented(self, term: Term) -> Term:
        """The term with a coefficient above 0, where its sign is known."""
        if term.coefficient in self.units:
            return replace(term, coefficient=ONE)
        opposite_ = negated(term.coefficient)
        if self.signs.is_positive(term.coefficient, self.extents) or not self.signs.is_positive(opposite_, self.extents):
            return term
        return replace(term, sign=-term.sign, coefficient=opposite_)

    def can_be_solved(self, term: Term, form: Linear, value: Expr) -> bool:
        """Whether a term is divided by what is above 0, and what it is solved for stands nowhere else."""
        own = free_keys(term.atom) & self.unknown()
        elsewhere = frozenset(k for t in form.terms if t is not term for k in free_keys(t.atom)) | free_keys(value)
        return not own & elsewhere and (term.is_unit or self.signs.is_positive(term.coefficient, self.extents))

    def pair(self, form: Linear) -> tuple[Term, Term] | None:
        """A term with a coefficient, and a unit term that fills its gaps: together they are solved by residues."""
        scaled = [t for t in form.terms if not t.is_unit and t.sign > 0]
        units = [t for t in form.terms if t.is_unit and t.sign > 0]
        for large in scaled:
            for small in units:
                if self.extent(small) == large.coefficient:
                    return large, small
        if any(t.is_unit and not self.is_bound(t) for t in form.terms):
            return None
        usable = [t for t in units if isinstance(t.atom, Name) and isinstance(self.extent(t), Expr)]
        return (scaled[0], usable[0]) if scaled and usable else None

    def two(self, form: Linear, large: Term, small: Term, value: Expr) -> bool:
        others = Linear(tuple(t for t in form.terms if t not in (large, small)), form.rest)
        rest, step = subtract(value, others), large.coefficient
        extent = self.extent(small)
        first, place = remainder(rest, step), quotient(rest, step)
        if extent == step:
            return self.exact(small.atom, first) and self.assign(large.atom, place)
        assert isinstance(small.atom, Name) and extent is not None and not isinstance(extent, Pack)
        turn = self.new_index(quotient(minus(plus(extent, step), Number(1)), step))
        self.out.values[small.atom.id] = plus(first, times(step, turn))
        self.out.doubtful.add(small.atom.id)
        self.out.not_below.add(small.atom.id)
        return self.assign(large.atom, minus(place, turn))

    def exact(self, atom: Expr, value: Expr) -> bool:
        """An atom that has a value in its range."""
        if not isinstance(atom, Name):
            return self.assign(atom, value)
        self.out.values[atom.id] = value
        return True

    def best(self, terms: Sequence[Term]) -> Term:
        """The term to solve for: a unit before a multiple, what has one solution before what has to be tried, an axis
        before a bound index."""
        return min(terms, key=lambda t: (not t.is_unit, not self.is_single(t.atom), self.is_bound(t)))

    def is_single(self, atom: Expr) -> bool:
        """Whether an atom can be solved for without a condition."""
        if isinstance(atom, Name):
            return True
        inner = linear_form(atom.left, self.unknown()) if isinstance(atom, Binary) else None
        return inner is not None and any(t.is_unit for t in inner.terms)

    def is_bound(self, term: Term) -> bool:
        return any(self.scope[k].bound for k in free_keys(term.atom) if k in self.scope)

    def extent(self, term: Term) -> Item | None:
        match term.atom:
            case Name(id=name):
                return self.scope[name].extent
            case Binary(op="%", right=divisor):
                return divisor
        return None

    def assign(self, atom: Expr, value: Expr) -> bool:
        match atom:
            case Name(id=name):
                self.out.values[name] = value
                self.out.doubtful.add(name)
                return True
            case Binary(op="/", left=inner, right=divisor):
                turn = self.new_index(divisor)
                return self.equation(inner, plus(times(value, divisor), turn))
            case Binary(op="%", left=inner, right=divisor):
                return self.rolled(inner, divisor, value)
        return False

    def rolled(self, inner: Expr, divisor: Expr, value: Expr) -> bool:
        """(i + k) % m = value: i is (value - k) % m, and every m-th from there on, where value is a remainder of m at all."""
        form = linear_form(inner, self.unknown())
        if form is None or len(form.terms) != 1:
            return False
        (term,) = form.terms
        extent = self.extent(term)
        if not isinstance(term.atom, Name) or not term.is_unit or extent is None or isinstance(extent, Pack):
            return False
        self.out.conditions += [Binary(">=", value, Number(0)), Binary("<", value, divisor)]
        rest = Linear((), form.rest)
        found = remainder(subtract(value, rest) if term.sign > 0 else opposite(value, rest), divisor)
        name = term.atom.id
        if extent != divisor:
            turn = self.new_index(quotient(minus(plus(extent, divisor), Number(1)), divisor))
            found = plus(found, times(divisor, turn))
            self.out.doubtful.add(name)
            self.out.not_below.add(name)
        self.out.values[name] = found
        return True

    def new_index(self, extent: Expr) -> Name:
        name = self.names.index("tuvgfabemjkl", self.used)
        self.used.add(name)
        self.out.free.append(Index(name, extent, True))
        return Name(name)
