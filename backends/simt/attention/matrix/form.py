"""What an attention is that matrix units take: softmax(scale * q k^T) v, masked or with a bias perhaps.

    s = q . k * scale         one product a score; or any value of it, a row and a col
    s = select(seen, s, -inf)
    w = select(s == -inf, 0, exp(s - hi)),  hi = max of s,  z = sum of w
    w = select(kept, w, 0)    what is summed may leave some weights out, as dropout does
    p = w, rounded to the type of v
    y = sum of p v
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from uol.codegen.indexing.arithmetic import conjuncts
from uol.codegen.specs.nodes import Attention, Dot, Fold, Let, Read, Store, Weighted
from uol.codegen.specs.traverse import main_read, reads
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import variables

FACTORS = frozenset({"f16", "bf16"})
"""What products are of."""


@dataclass(frozen=True, slots=True)
class Form:
    """`scale`: what scores are multiples of the dot by, or `divisor`: what it is divided by, greater than 0; where both are
    None a score is `value`, any of a dot. `asked`: what must hold of a score's indices, or it is -inf; `looked_up`: the same
    of what is read for each. `kept`: what must hold of indices, or a weight multiplies nothing, though it is summed. `total`
    is the sum of a row's weights, `score` the name that the maximum is of."""

    dot: Dot
    sum: Weighted
    hi: Fold
    total: Fold
    score: str
    value: Expr
    scale: float | None
    divisor: Expr | None
    asked: tuple[Expr, ...]
    looked_up: tuple[Expr, ...]
    kept: Expr | None
    dtype: str

    @property
    def is_scaled(self) -> bool:
        """Is a score a multiple of the dot alone, so that the maximum of dots is that of scores?"""
        return self.scale is not None or self.divisor is not None


def form_of(spec: Attention) -> Form | None:
    """The form of an attention; None of one that is not of it."""
    hi = spec.hi
    if len(spec.dots) != 1 or len(spec.sums) != 1 or hi is None or not isinstance(hi.value, Var):
        return None
    (dot,), (total,) = spec.dots, spec.sums
    lets = {s.name: s for s in spec.steps if isinstance(s, Let)}
    folds = [s for s in spec.steps if isinstance(s, Fold) and s is not hi]
    dtype = _factor_type(dot, total)
    if dtype is None or len(folds) != 1 or folds[0].op != "sum" or hi.dtype != "f32" or hi.value.name not in (dot.name, *lets):
        return None
    score = hi.value.name
    rounded = weight_of(total.weight, dtype, lets)
    weight, kept = (None, None) if rounded is None else _kept_of(rounded, lets)
    if weight is None or folds[0].value != Var(weight, "f32") or not _is_exponential(lets[weight].value, score, hi.name):
        return None
    used = {total.weight, rounded, weight, score}
    value, conditions = unmasked(lets[score].value if score in lets else Var(dot.name, dot.dtype))
    asked = frozenset().union(*map(variables, (value, *conditions, *(() if kept is None else (kept,)))))
    if not lets.keys() <= used or asked & {s.name for s in spec.steps if not isinstance(s, Store)}:
        return None
    of_indices = tuple(c for c in conditions if not any(True for _ in reads(c)))
    looked_up = tuple(c for c in conditions if c not in of_indices)
    scale, divisor = scale_of(value, dot)
    return Form(dot, total, hi, folds[0], score, value, scale, divisor, of_indices, looked_up, kept, dtype)


def _factor_type(dot: Dot, total: Weighted) -> str | None:
    """The one narrow type of queries, keys and values, read as they are and added up in f32."""
    if dot.dtype != "f32" or total.dtype != "f32":
        return None
    return narrow_type((dot.a, dot.b, total.value))


def narrow_type(factors: Sequence[Expr]) -> str | None:
    """The one narrow type of factors, each of them a plain read, widened."""
    if not all(isinstance(f, Call) and f.fn == "cast" and isinstance(f.args[0], Read) and not f.args[0].guard for f in factors):
        return None
    types = {main_read(f).dtype for f in factors}
    return next(iter(types)) if len(types) == 1 and types <= FACTORS else None


def weight_of(name: str, dtype: str, lets: Mapping[str, Let]) -> str | None:
    """The value that weights are before they are rounded to the type of values."""
    match lets[name].value:
        case Call(fn="cast", dtype="f32", args=(Call(fn="cast", dtype=narrow, args=(Var(name=weight),)),)) if narrow == dtype:
            return weight if weight in lets else None
    return None


def _kept_of(rounded: str, lets: Mapping[str, Let]) -> tuple[str | None, Expr | None]:
    """The weight that is summed, and what is asked of one that multiplies values, by indices alone."""
    match lets[rounded].value:
        case Call(fn="select", args=(kept, Var(name=weight), Const(value=0.0))) if weight in lets and not any(reads(kept)):
            return weight, kept
    return rounded, None


def _is_exponential(value: Expr, score: str, hi: str) -> bool:
    match value:
        case Call(
            fn="select",
            args=(
                Call(fn="==", args=(Var(name=compared), Const(value=lowest))),
                Const(value=0.0),
                Call(fn="exp", args=(Call(fn="-", args=(Var(name=less), Var(name=greatest))),)),
            ),
        ):
            return compared == less == score and greatest == hi and lowest == -inf
    return False


def unmasked(score: Expr) -> tuple[Expr, tuple[Expr, ...]]:
    """A score where it is seen, and what must hold for that."""
    match score:
        case Call(fn="select", args=(condition, inner, Const(value=lowest))) if lowest == -inf:
            value, further = unmasked(inner)
            return value, (*conjuncts(condition), *further)
    return score, ()


def scale_of(value: Expr, dot: Dot) -> tuple[float | None, Expr | None]:
    """What the dot is multiplied by, or divided by: a number greater than 0, or the root of one that is an argument."""
    of = Var(dot.name, dot.dtype)
    match value:
        case Var() if value == of:
            return 1.0, None
        case Call(fn="*", args=args) if of in args:
            other = next((a for a in args if a != of), None)
            return (float(other.value), None) if isinstance(other, Const) and 0 < other.value < inf else (None, None)
        case Call(fn="/", args=(a, Const() as divisor)) if a == of and 0 < divisor.value < inf:
            return None, divisor
        case Call(fn="/", args=(a, Call(fn="sqrt") as divisor)) if a == of and not any(_unknown(divisor, dot)):
            return None, divisor
    return None, None


def _unknown(divisor: Expr, dot: Dot) -> Iterator[str]:
    """What differs from score to score."""
    yield from variables(divisor) & {dot.name, *(name for name, _ in main_read(dot.a).strides)}
