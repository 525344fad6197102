"""Which cols of an attention a row sees: beyond the diagonal of a causal one there is nothing to compute.

s = select(j <= i, q . k, -inf),   p = select(s == -inf, 0, ...)        row i sees the cols below i + 1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import conjuncts
from uol.codegen.specs.nodes import Attention, Fold, Let
from uol.ir.integers.polynomials import add, from_poly, scale, to_poly
from uol.ir.integers.terms import ZERO, Poly, idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import substitute
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class Reach:
    """Of the innermost col axis, what lies before `first` and from `end` on adds nothing to a row. Both are over the other
    axes; None is no bound."""

    first: Expr | None
    end: Expr | None


def reach(spec: Attention) -> Reach:
    """The cols that the rows see, by the conditions that all weights and folds vanish with: a score is -inf where one does
    not hold, and what is added is 0 where the score is -inf."""
    if not spec.cols:
        return Reach(None, None)
    lets = {s.name: s.value for s in spec.steps if isinstance(s, Let)}
    bounds = [b for name, value in lets.items() for b in _bounds_of(value, spec.cols[-1]) if is_all_seen_by(spec, name, lets)]
    first, end = ([bound for is_end, bound in bounds if is_end == wanted] for wanted in (False, True))
    return Reach(first[0] if first else None, end[0] if end else None)


def is_all_seen_by(spec: Attention, score: str, lets: Mapping[str, Expr]) -> bool:
    """Is a col whose score is -inf without effect?"""
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    of_score = all(s.value == Var(score, s.value.type) for s in folds if s.op == "max")
    added = [s.value for s in folds if s.op != "max"] + [lets[s.weight] for s in spec.sums]
    return of_score and all(vanishes(term, Var(score, lets[score].type), lets) for term in added)


def vanishes(term: Expr, score: Expr, lets: Mapping[str, Expr], *, products: bool = True) -> bool:
    """Is a term 0 where the score is -inf, by what the lets say? With `products`, what 0 is multiplied with or divided by does
    not matter: a col that is not seen is left out whole. Without, it may be infinite or NaN, and nothing is said of the
    product."""
    match term:
        case Var(name=name) if term != score and name in lets:
            return vanishes(lets[name], score, lets, products=products)
        case Call(fn="select", args=(Call(fn="==", args=(compared, Const(value=lowest))), Const(value=0), _)):
            return compared == score and lowest == -inf
        case Call(fn="select", args=(_, value, Const(value=0))) | Call(fn="neg" | "cast", args=(value,)):
            return vanishes(value, score, lets, products=products)
        case Call(fn="*", args=factors) if products:
            return any(vanishes(factor, score, lets) for factor in factors)
        case Call(fn="/", args=(value, _)) if products:
            return vanishes(value, score, lets)
    return False


def _bounds_of(score: Expr, col: Axis) -> Iterator[tuple[bool, Expr]]:
    """(is it an end, the bound) for every condition that a score is not -inf under."""
    match score:
        case Call(fn="select", args=(condition, _, Const(value=lowest))) if lowest == -inf:
            for part in conjuncts(condition):
                yield from bounds_in(part, col)


def bounds_in(condition: Expr, col: Axis) -> Iterator[tuple[bool, Expr]]:
    """(is it an end, the bound) of a condition that bounds the cols; nothing of any other."""
    match condition:
        case Call(fn="<=" | "<" | ">=" | ">" as fn, args=(a, b)) if a.type == b.type == INDEX:
            greater, less = (b, a) if fn in ("<=", "<") else (a, b)
            strict: Poly = {(): -1} if fn in ("<", ">") else {}
            slack = affine(idx("-", greater, less), [col.name])  # with `strict`, the condition holds where it is not negative
            if slack is None or slack.factors.get(col.name) not in ({(): 1}, {(): -1}):
                return
            rest = to_poly(substitute(idx("-", greater, less), {col.name: ZERO}), {})
            if slack.factors[col.name] == {(): -1}:
                yield True, from_poly(add(add(rest, strict), {(): 1}))
            else:
                yield False, from_poly(scale(add(rest, strict), -1))
