"""An index as a sum of terms: coefficient * atom, over the indices that are to be found, and a rest without them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.ir.gradients.text.forms import reads_data
from uol.ir.gradients.text.integer_text import minus, plus, times
from uol.ir.gradients.text.substitution import free_keys
from uol.ir.syntax.surface import Binary, Expr, Name, Number, Unary

ONE = Number(1)


@dataclass(frozen=True, slots=True)
class Term:
    """sign * coefficient * atom; an atom is an index, or a quotient or remainder that holds one."""

    sign: int
    coefficient: Expr
    atom: Expr

    @property
    def is_unit(self) -> bool:
        return self.coefficient == ONE


@dataclass(frozen=True, slots=True)
class Linear:
    terms: tuple[Term, ...]
    rest: tuple[tuple[int, Expr], ...]


def linear_form(expr: Expr, unknown: frozenset[str]) -> Linear | None:
    """The form of an index; None where an unknown stands where nothing can be solved for it, as in a read of data."""
    if not free_keys(expr) & unknown:
        return None if reads_data(expr) else Linear((), ((1, expr),))
    match expr:
        case Name():
            return Linear((Term(1, ONE, expr),), ())
        case Unary(op="neg", arg=arg):
            return _negative(linear_form(arg, unknown))
        case Binary(op="+" | "-" as op, left=left, right=right):
            a, b = linear_form(left, unknown), linear_form(right, unknown)
            b = _negative(b) if op == "-" else b
            return None if a is None or b is None else _merged(Linear(a.terms + b.terms, a.rest + b.rest))
        case Binary(op="*", left=left, right=right):
            known, other = (left, right) if not free_keys(left) & unknown else (right, left)
            inner = linear_form(other, unknown)
            if free_keys(known) & unknown or inner is None or reads_data(known):
                return None
            terms = tuple(replace(t, coefficient=times(t.coefficient, known)) for t in inner.terms)
            return Linear(terms, tuple((s, times(e, known)) for s, e in inner.rest))
        case Binary(op="/" | "%", left=left, right=right):
            usable = linear_form(left, unknown) is not None and not free_keys(right) & unknown
            return Linear((Term(1, ONE, expr),), ()) if usable else None
    return None


def _negative(form: Linear | None) -> Linear | None:
    if form is None:
        return None
    return Linear(tuple(replace(t, sign=-t.sign) for t in form.terms), tuple((-s, e) for s, e in form.rest))


def _merged(form: Linear) -> Linear:
    """Every atom once, its coefficients added."""
    terms: dict[Expr, Term] = {}
    for term in form.terms:
        known = terms.get(term.atom)
        if known is None:
            terms[term.atom] = term
            continue
        joined = plus if known.sign == term.sign else minus
        terms[term.atom] = replace(known, coefficient=joined(known.coefficient, term.coefficient))
    return Linear(tuple(t for t in terms.values() if t.coefficient != Number(0)), form.rest)


def negated(expr: Expr) -> Expr:
    """-expr"""
    return expr.arg if isinstance(expr, Unary) else minus(Number(0), expr)


def subtract(value: Expr, form: Linear) -> Expr:
    """value - form."""
    for sign, expr in (*form.rest, *((t.sign, times(t.atom, t.coefficient)) for t in form.terms)):
        value = minus(value, expr) if sign > 0 else plus(value, expr)
    return value


def opposite(value: Expr, form: Linear) -> Expr:
    """form - value."""
    out: Expr = Number(0)
    for sign, expr in (*form.rest, *((t.sign, times(t.atom, t.coefficient)) for t in form.terms)):
        out = plus(out, expr) if sign > 0 else minus(out, expr)
    return minus(out, value)
