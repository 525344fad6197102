"""How index expressions depend on axes.

affine         expr = constant + sum of factor * axis        its form as a whole, the factors polynomials over dims
coefficient    the factor of one axis, as a number
stride         expr(axis + 1) - expr(axis)                   along one axis, under what is known: 3 for (6*i + 1) / 2, too
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from uol.codegen.specs.nodes import Read
from uol.codegen.specs.search import Search
from uol.ir.integers.facts import Facts
from uol.ir.integers.polynomials import add, difference, from_poly, to_poly, without
from uol.ir.integers.terms import ONE, Poly, Ranges, idx
from uol.ir.program.nodes import Call, Expr, Load, Var
from uol.ir.program.walk import substitute, variables, walk

FROM_MEMORY = (Read, Search, Load)


@dataclass(frozen=True, slots=True)
class Affine:
    """constant + sum of factor * axis."""

    factors: Mapping[str, Poly]
    constant: Poly

    def factor(self, axis: str) -> Expr:
        return from_poly(self.factors.get(axis, {}))


def affine(expr: Expr, axes: Collection[str] | None = None) -> Affine | None:
    """The form of an expression over the axes, or None where it has none: a quotient of an axis, a value from memory.

    Without `axes` it is over all variables, dims among them, and its factors are numbers.

    >>> from uol.ir.program.nodes import Const
    >>> affine(Call("*", (Call("+", (Var("i"), Const(2)), "idx"), Var("N")), "idx"), ["i"]).factor("i")
    Var(name='N', dtype='idx')
    """
    if any(isinstance(node, FROM_MEMORY) for node in walk(expr)):
        return None
    axes = variables(expr) if axes is None else axes
    factors: dict[str, Poly] = {}
    constant: Poly = {}
    for monomial, number in to_poly(expr, {}).items():
        bound = [atom for atom in monomial if _depends(atom, axes)]
        match bound:
            case []:
                constant = add(constant, {monomial: number})
            case [Var(name=name) as axis]:
                rest = without(monomial, (axis,))
                assert rest is not None
                factors[name] = add(factors.get(name, {}), {rest: number})
            case _:
                return None
    return Affine(factors, constant)


def _depends(atom: Expr, axes: Collection[str]) -> bool:
    return atom.name in axes if isinstance(atom, Var) else not variables(atom).isdisjoint(axes)


def coefficient(expr: Expr, axis: str) -> int | None:
    """By how much an expression grows a step of the axis; None where that is no number, the same everywhere."""
    form = affine(expr, [axis])
    factor = {} if form is None else form.factors.get(axis, {})
    return None if form is None or not set(factor) <= {()} else factor.get((), 0)


def growth(expr: Expr, axis: str, ranges: Ranges) -> Poly | None:
    """expr(axis + 1) - expr(axis), where the variables lie in their ranges; None where a value that is read, or one in a type
    that may wrap, depends on the axis."""
    if axis not in variables(expr):
        return {}
    if any(axis in variables(node) for node in walk(expr) if isinstance(node, FROM_MEMORY) or _is_cast(node)):
        return None
    return difference(substitute(expr, {axis: idx("+", Var(axis), ONE)}), expr, ranges)


def constant_stride(expr: Expr, axis: str, ranges: Ranges) -> int | None:
    """The growth, where it is one number all along the axis."""
    grown = growth(expr, axis, ranges)
    return None if grown is None or not set(grown) <= {()} else grown.get((), 0)


def stride(expr: Expr, axis: str, facts: Facts) -> Expr | None:
    """The growth under all that is known, as an expression over dims; None where it is not the same all along the axis (a
    quotient, a remainder, a value from memory)."""
    grown = growth(expr, axis, facts.ranges)
    if grown is None:
        return None
    found = from_poly(grown)
    if axis in variables(found):
        found = facts.simplify(found)
    return None if axis in variables(found) else found


def magnitude(stride: Expr | None) -> tuple[int, int]:
    """What orders strides whose dims are arguments: how many dims are multiplied, then by how much. Of the strides of a dense
    tensor, the larger has all dims of the smaller, and of a picture that is shorter by a window's dim, both dims."""
    poly = {} if stride is None else to_poly(stride, {})
    degree = max(map(len, poly), default=0)
    return degree, sum(abs(c) for monomial, c in poly.items() if len(monomial) == degree)


def _is_cast(node: Expr) -> bool:
    return isinstance(node, Call) and node.fn == "cast"
