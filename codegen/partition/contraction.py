"""Recognising contractions: a sum of a product of two reads, or of values that are computed around one read each (a scale, an
activation), with both an m and an n axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ONE, add, conjuncts, mul, static
from uol.codegen.names import unused
from uol.ir.integers.assumptions import is_integral
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Reduce, Stage, Var
from uol.ir.program.walk import rewrite, substitute, variables, walk


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


def as_contraction(
    stage: Stage, inner: str | None, taken: Iterable[str] = (), *, gathers: bool = False
) -> Contraction | None:
    """The stage as a contraction, or None where it is not one. `inner`: the axis that the result is contiguous along;
    `taken`: names that no new axis may have; `gathers`: a factor may be read at places that are data."""
    reduce_ = stage.value
    if not isinstance(reduce_, Reduce) or reduce_.op != "sum" or reduce_.where:
        return None
    product = factors(reduce_.body, gathers) or (None if gathers else computed_factors(reduce_.body, stage.axes, reduce_.axes))
    if product is None:
        return None
    axes, split = split_groups(stage.axes, product, frozenset(taken))
    a, b = (_divided(substitute(f, split), split) for f in product)
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


def factors(body: Expr, gathers: bool = False, *, guarded_by_data: bool = False) -> tuple[Expr, Expr] | None:
    """The two factors of a product, each a read whose guards hold the conditions that it stands under, which are of indices
    alone, or also of integers from memory (`guarded_by_data`).

    A condition around the product, `select(c, a*b, 0)`, must be one of indices that both factors know: guarding one of
    them would leave 0 * b, which is no 0 where b is infinite.
    """
    conditions, body = _stripped(body)
    if not (isinstance(body, Call) and body.fn == "*"):
        return None
    found: list[Expr] = []
    for factor in body.args:
        own, factor = _stripped(factor)
        asked = (*own, *conditions)
        if not _is_one_load(factor, gathers) or not all(map(is_integral if guarded_by_data else _is_of_indices, asked)):
            return None
        if not all(variables(c) <= variables(factor) for c in conditions):
            return None
        if (own or conditions) and not _fills_with_zero(factor):
            return None
        found.append(_guarded(factor, (*own, *conditions)))
    a, b = found
    return a, b


def computed_factors(body: Expr, axes: Iterable[Axis], k: Iterable[Axis]) -> tuple[Expr, Expr] | None:
    """The two factors of a product of which one is computed, or both: each around a read at all axes that it is over, those of
    the sum among them, with further reads beside (`q[n, k] * scale[n]`). Nothing is read at places that are data."""
    if not (isinstance(body, Call) and body.fn == "*"):
        return None
    names, summed = {a.name for a in (*axes, *k)}, {a.name for a in k}
    for factor in body.args:
        nodes = list(walk(factor))
        loads = [node for node in nodes if isinstance(node, Load)]
        seen = variables(factor) & names
        if any(isinstance(node, Reduce) for node in nodes) or not summed <= seen:
            return None
        if any(isinstance(inner, Load) for load in loads for index in load.index for inner in walk(index)):
            return None
        if not any(seen <= frozenset().union(*map(variables, load.index)) for load in loads):
            return None
    a, b = body.args
    return a, b


def _stripped(expr: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """The conditions c of enclosing `select(c, expr, 0)`, and what they enclose; casts stay around it."""
    match expr:
        case Call(fn="select", args=(condition, value, other)) if _is_zero(other):
            conditions, value = _stripped(value)
            return (*conjuncts(condition), *conditions), value
        case Call(fn="cast", args=(value,)):
            conditions, value = _stripped(value)
            return conditions, replace(expr, args=(value,))
    return (), expr


def _is_of_indices(condition: Expr) -> bool:
    return is_integral(condition) and not any(isinstance(node, Load) for node in walk(condition))


def _is_zero(expr: Expr | None) -> bool:
    return isinstance(expr, Const) and expr.value == 0


def _load_of(factor: Expr) -> Expr:
    while isinstance(factor, Call) and factor.fn == "cast":
        factor = factor.args[0]
    return factor


def _is_one_load(expr: Expr, gathers: bool) -> bool:
    """A load, perhaps cast; its indices hold no loads, unless it may gather."""
    load = _load_of(expr)
    return isinstance(load, Load) and (gathers or sum(isinstance(node, Load) for node in walk(load)) == 1)


def _fills_with_zero(factor: Expr) -> bool:
    load = _load_of(factor)
    return isinstance(load, Load) and (load.fill is None or _is_zero(load.fill))


def _guarded(factor: Expr, conditions: tuple[Expr, ...]) -> Expr:
    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Load):
            return None
        return replace(node, guard=(*node.guard, *conditions), fill=node.fill or Const(0, node.dtype))

    return rewrite(factor, rule) if conditions else factor


def split_groups(
    axes: tuple[Axis, ...], product: tuple[Expr, Expr], taken: frozenset[str]
) -> tuple[tuple[Axis, ...], dict[str, Expr]]:
    """An axis that one factor sees only as `axis / c` is split into its group and its place in the group, so that a
    grouped convolution is a batch of contractions."""
    split: dict[str, Expr] = {}
    result: list[Axis] = []
    for axis in axes:
        width = next((w for w in (_group_width(axis, f) for f in product) if w is not None), None)
        if width is None:
            result.append(axis)
            continue
        group, place = unused(f"{axis.name}_group", taken), unused(f"{axis.name}_in", taken)
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


def _divided(expr: Expr, split: Mapping[str, Expr]) -> Expr:
    """(group * c + place) / c is the group: the only division that a split leaves behind."""
    groups: dict[Expr, Expr] = {}
    for form in split.values():
        match form:
            case Call(args=(Call(args=(group, width)), _)):
                groups[Call("/", (form, width), form.dtype)] = group
    return rewrite(expr, groups.get)


def _innermost(inner: str | None, split: Mapping[str, Expr]) -> str | None:
    """The new name of the innermost axis where it was split."""
    if inner is None or inner not in split:
        return inner
    form = affine(split[inner])
    return next((n for n in form.factors if form.factor(n) == ONE), inner) if form else inner
