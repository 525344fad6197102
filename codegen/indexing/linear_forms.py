"""Index expressions as sums of axis * factor, the factors polynomials over dims: what `affine` is where every dim is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from uol.codegen.specs.nodes import Read
from uol.codegen.specs.traverse import variables, walk
from uol.ir.integers.polynomials import add, from_poly, to_poly, without
from uol.ir.integers.terms import Poly
from uol.ir.program.nodes import Expr, Var


@dataclass(frozen=True, slots=True)
class Linear:
    """constant + sum of factor * axis."""

    factors: Mapping[str, Poly]
    constant: Poly

    def factor(self, axis: str) -> Expr:
        return from_poly(self.factors.get(axis, {}))


def linear(expr: Expr, axes: Collection[str]) -> Linear | None:
    """The form of an expression over the axes, or None where it has none: a quotient of an axis, a value from memory.

    >>> from uol.ir.program.nodes import Call, Const
    >>> linear(Call("*", (Call("+", (Var("i"), Const(2)), "idx"), Var("N")), "idx"), ["i"]).factor("i")
    Var(name='N', dtype='idx')
    """
    if any(isinstance(node, Read) for node in walk(expr)):
        return None
    factors: dict[str, Poly] = {}
    constant: Poly = {}
    for monomial, coefficient in to_poly(expr, {}).items():
        bound = [atom for atom in monomial if not variables(atom).isdisjoint(axes)]
        match bound:
            case []:
                constant = add(constant, {monomial: coefficient})
            case [Var(name=name) as axis]:
                rest = without(monomial, (axis,))
                assert rest is not None
                factors[name] = add(factors.get(name, {}), {rest: coefficient})
            case _:
                return None
    return Linear(factors, constant)


def magnitude(stride: Expr | None) -> tuple[int, int]:
    """What orders strides whose dims are arguments: how many dims are multiplied, then by how much. Of the strides of a dense
    tensor, the larger has all dims of the smaller."""
    poly = {} if stride is None else to_poly(stride, {})
    degree = max(map(len, poly), default=0)
    return degree, sum(c for monomial, c in poly.items() if len(monomial) == degree)
