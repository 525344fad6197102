"""Recognising contractions: a sum of a product of two reads, with both an m and an n axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from uol.codegen.access import conjuncts
from uol.codegen.index import add, affine, mul, static
from uol.codegen.traverse import rewrite, substitute, variables, walk
from uol.ir.nodes import Axis, Call, Const, Expr, Load, Reduce, Stage, Var


@dataclass(frozen=True, slots=True)
class Contraction:
    """sum[k](a * b): which axes each factor sees. `n` belongs to b and holds the axis that the result is contiguous
    along. `split` gives the axes of the stage that were split in two (groups), as expressions of the new ones."""

    a: Expr
    b: Expr
    batch: tuple[Axis, ...]
    m: tuple[Axis, ...]
    n: tuple[Axis, ...]
    k: tuple[Axis, ...]
    split: Mapping[str, Expr] = field(default_factory=dict)


def as_contraction(stage: Stage, inner: str | None) -> Contraction | None:
    """The stage as a contraction, or None where it is not one. `inner`: the axis that the result is contiguous along."""
    reduce_ = stage.value
    if not isinstance(reduce_, Reduce) or reduce_.op != "sum" or reduce_.where:
        return None
    factors = _factors(reduce_.body)
    if factors is None:
        return None
    axes, split = _split_groups(stage.axes, factors)
    a, b = (_divided(substitute(f, split)) for f in factors)
    seen_a, seen_b = variables(a), variables(b)
    innermost = _innermost(inner, split)
    if innermost in seen_a - seen_b:
        a, b, seen_a, seen_b = b, a, seen_b, seen_a
    if not {x.name for x in reduce_.axes} <= seen_a & seen_b or not {x.name for x in axes} <= seen_a | seen_b:
        return None
    batch = tuple(x for x in axes if x.name in seen_a & seen_b)
    m = tuple(x for x in axes if x.name in seen_a - seen_b)
    n = tuple(x for x in axes if x.name in seen_b - seen_a)
    return Contraction(a, b, batch, m, n, reduce_.axes, split) if m and n else None


def _factors(body: Expr) -> tuple[Expr, Expr] | None:
    """The two factors of a product, conditions of an enclosing `select(c, a*b, 0)` moved into the factor that knows
    their indices."""
    conditions: list[Expr] = []
    while isinstance(body, Call) and body.fn == "select" and _is_zero(body.args[2]):
        conditions += conjuncts(body.args[0])
        body = body.args[1]
    if not (isinstance(body, Call) and body.fn == "*"):
        return None
    a, b = body.args
    if not (_is_one_load(a) and _is_one_load(b)):
        return None
    for condition in conditions:
        if any(isinstance(node, Load) for node in walk(condition)):
            return None
        if variables(condition) <= variables(a) and _fills_with_zero(a):
            a = _guarded(a, condition)
        elif variables(condition) <= variables(b) and _fills_with_zero(b):
            b = _guarded(b, condition)
        else:
            return None
    return a, b


def _is_zero(expr: Expr | None) -> bool:
    return isinstance(expr, Const) and expr.value == 0


def _load_of(factor: Expr) -> Expr:
    while isinstance(factor, Call) and factor.fn == "cast":
        factor = factor.args[0]
    return factor


def _is_one_load(expr: Expr) -> bool:
    """A load, perhaps cast; its indices hold no loads."""
    load = _load_of(expr)
    return isinstance(load, Load) and sum(isinstance(node, Load) for node in walk(load)) == 1


def _fills_with_zero(factor: Expr) -> bool:
    load = _load_of(factor)
    return isinstance(load, Load) and (load.fill is None or _is_zero(load.fill))


def _guarded(factor: Expr, condition: Expr) -> Expr:
    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Load):
            return None
        return replace(node, guard=(*node.guard, condition), fill=node.fill or Const(0, node.dtype))

    return rewrite(factor, rule)


def _split_groups(axes: tuple[Axis, ...], factors: tuple[Expr, Expr]) -> tuple[tuple[Axis, ...], dict[str, Expr]]:
    """An axis that one factor sees only as `axis / c` is split into its group and its place in the group, so that a
    grouped convolution is a batch of contractions."""
    split: dict[str, Expr] = {}
    result: list[Axis] = []
    for axis in axes:
        width = next((w for w in (_group_width(axis, f) for f in factors) if w is not None), None)
        if width is None:
            result.append(axis)
            continue
        group, place = f"{axis.name}_group", f"{axis.name}_in"
        result += [Axis(group, Const((static(axis.extent) or 0) // width)), Axis(place, Const(width))]
        split[axis.name] = add(mul(Var(group), Const(width)), Var(place))
    return tuple(result), split


def _group_width(axis: Axis, factor: Expr) -> int | None:
    """c, where the factor holds the axis only as `axis / c` with c a divisor of its extent."""
    widths: set[int] = set()

    def rule(node: Expr) -> Expr | None:
        match node:
            case Call(fn="/", args=(Var(name=name), Const(value=width))) if name == axis.name:
                widths.add(int(width))
                return Const(0)
        return None

    rest = rewrite(factor, rule)
    extent = static(axis.extent)
    if len(widths) != 1 or axis.name in variables(rest) or not extent:
        return None
    (width,) = widths
    return width if width > 0 and extent % width == 0 else None


def _divided(expr: Expr) -> Expr:
    """(group * c + place) / c is the group: the only division that a split leaves behind."""

    def rule(node: Expr) -> Expr | None:
        match node:
            case Call(fn="/", args=(Call(fn="+", args=(Call(fn="*", args=(Var(name=g) as group, c)), Var(name=p))), d)):
                if c == d and g.endswith("_group") and p == g.removesuffix("_group") + "_in":
                    return group
        return None

    return rewrite(expr, rule)


def _innermost(inner: str | None, split: Mapping[str, Expr]) -> str | None:
    """The new name of the innermost axis where it was split."""
    if inner is None or inner not in split:
        return inner
    form = affine(split[inner])
    return next((n for n, c in form.coefficients if c == 1), inner) if form else inner
