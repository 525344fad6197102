"""Reductions: their axes, their masks, and what they may reduce."""

from __future__ import annotations

from itertools import product

from uol.ir.checker import accesses, values
from uol.ir.checker.constants import cast_integer
from uol.ir.checker.environment import Scope
from uol.ir.checker.messages import at, mismatch
from uol.ir.errors import BoundsError
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Const, Expr, Reduce, Var
from uol.ir.program.render import show
from uol.ir.program.walk import substitute, variables
from uol.ir.syntax.surface import Binder, Reduction
from uol.ir.types import INDEX, NARROW

TRUTH_REDUCTIONS = {"max": "any", "min": "all"}
"""What the greatest and the least of truth values are: false is before true."""


def reduction(scope: Scope, node: Reduction, want: str | None) -> Expr:
    """`op[binders](body)`."""
    if node.op in ("topk", "sort", "argsort"):
        raise mismatch(
            scope.op,
            node,
            f"`{node.op}` stands alone on the right side of a statement",
            f"write `a[...] = {node.op}[...](...)`",
        )
    if len(node.args) != 1:
        raise mismatch(scope.op, node, f"`{node.op}` takes one argument, not {len(node.args)}")
    axes = _axes(scope, node)
    with scope.indices(axes):
        where = _masks(scope, node, axes)
        edges = _edges(scope, node, axes)
        with scope.under(*where):
            body = values.value(scope, node.args[0], None if node.op in ("argmax", "argmin") else want)
    if body.type == INDEX:
        body = cast_integer(body, "i64")
    op = TRUTH_REDUCTIONS.get(node.op, node.op) if body.type == "bool" else node.op
    _check_type(scope, node, op, body.type)
    if not axes:
        return body if node.op not in ("argmax", "argmin") else Const(0, "i64")
    if node.op in ("argmax", "argmin"):
        _check_not_empty(scope, node, axes, where, edges)
    dtype = "i64" if node.op in ("argmax", "argmin") else body.type
    return Reduce(op, tuple(axes.values()), body, dtype, where, node.span)


def _axes(scope: Scope, node: Reduction) -> dict[str, Axis]:
    """Every bound name with its axis. Bounds that depend on outer indices are widened to a constant extent; the mask
    keeps what they say."""
    axes: dict[str, Axis] = {}
    for binder in node.binders:
        if binder.name in scope.axes:
            raise mismatch(
                scope.op, binder, f"`{binder.name}` is an index of the statement already", "reduce over another name"
            )
        if binder.relation in ("==", "!="):
            raise mismatch(scope.op, binder, f"`{binder.relation}` does not bind an index", "use `select` in the body")
        if binder.name in axes:
            continue
        standing = [p for a in node.args for p in accesses.places(scope, a, binder.name)]
        extent = accesses.extent_of(scope, binder.name, [p for p in standing if p.firm])
        bounds = [b for b in node.binders if b.name == binder.name and b.bound is not None]
        extent = _bounded_extent(scope, extent, bounds, axes)
        if extent is None:
            extent = accesses.extent_of(scope, binder.name, standing)
        if axes and node.op in ("argmax", "argmin"):
            _check_one_length(scope, binder, [accesses.extent_of(scope, binder.name, standing), extent], bounds, axes)
        if extent is None:
            raise mismatch(
                scope.op,
                binder,
                f"nothing says how far `{binder.name}` runs",
                f"let it stand alone in an index, or bound it: `{binder.name} < K`",
            )
        axes[binder.name] = Axis(scope.axis_name(binder.name), extent)
    return axes


def _bounded_extent(scope: Scope, standing: Expr | None, bounds: list[Binder], inner: dict[str, Axis]) -> Expr | None:
    """The dim where the index stands alone, cut down by an upper bound that is a constant of the loop."""
    extent = standing
    for binder in bounds:
        if binder.relation not in ("<", "<="):
            continue
        limit = _upper_limit(scope, binder, inner)
        if limit is None or (extent is not None and not _at_most(scope, limit, extent)):
            continue
        extent = limit
    return extent


def _check_one_length(
    scope: Scope, binder: Binder, known: list[Expr | None], bounds: list[Binder], inner: dict[str, Axis]
) -> None:
    """The place of an extremum over several indices is a number within all that they run over: an index behind the first may
    not have two lengths, of which sizes would say at times which is the smaller one."""
    limits = [_upper_limit(scope, b, inner) for b in bounds if b.relation in ("<", "<=")]
    lengths = [length for length in (*known, *limits) if length is not None]
    for length in lengths[1:]:
        if length != lengths[0] and not scope.facts.prove(compare("==", length, lengths[0])):
            raise mismatch(
                scope.op,
                binder,
                f"`{binder.name}` runs up to {show(lengths[0])} or {show(length)}, and places are counted by one of them",
                "give it one length, or nest an extremum in another",
            )


def _at_most(scope: Scope, limit: Expr, extent: Expr) -> bool:
    """limit <= extent. Numbers are compared as such: where an outer index runs over nothing, anything can be proven."""
    if isinstance(limit, Const) and isinstance(extent, Const):
        return limit.value <= extent.value
    return scope.facts.prove(compare("<=", limit, extent))


def _upper_limit(scope: Scope, binder: Binder, inner: dict[str, Axis]) -> Expr | None:
    """The exclusive end of `r < K` or `j <= i`, at its largest over the outer indices; never negative."""
    assert binder.bound is not None
    with scope.indices(inner):
        bound = values.index_value(scope, binder.bound)
        extents = {a.name: a.extent for a in scope.axes.values()}
        largest = scope.facts.bound_above(bound, extents)
    if largest is None:
        return None
    limit = largest if binder.relation == "<" else scope.facts.simplify(idx("+", largest, Const(1)))
    if isinstance(limit, Const):
        return Const(max(int(limit.value), 0))
    if scope.facts.prove(compare(">=", limit, Const(0))):
        return limit
    if not scope.has_index(bound):
        scope.env.require(compare(">=", limit, Const(0)), binder, f"`{binder.name}` runs up to {show(limit)}")
        return limit
    return scope.facts.simplify(idx("max", limit, Const(0)))


def _masks(scope: Scope, node: Reduction, axes: dict[str, Axis]) -> tuple[Expr, ...]:
    """The binders' conditions that do not hold for every value of the axes."""
    out: list[Expr] = []
    for binder in node.binders:
        if binder.bound is None:
            continue
        assert binder.relation is not None
        bound = values.index_value(scope, binder.bound)
        mask = compare(binder.relation, Var(axes[binder.name].name), bound)
        if not scope.facts.prove(mask) and mask not in out:
            out.append(mask)
    return tuple(out)


def _check_type(scope: Scope, node: Reduction, op: str, dtype: str) -> None:
    if op in ("any", "all") and dtype != "bool":
        raise mismatch(scope.op, node, f"`{node.op}` is for bool, not {dtype}", "compare the value: `... != 0`")
    if op not in ("any", "all") and dtype == "bool":
        raise mismatch(scope.op, node, f"`{node.op}` is not for bool", "count with `sum[...](i32(...))`, or use `any`, `all`")
    if node.op in ("sum", "prod") and dtype in NARROW:
        raise mismatch(
            scope.op, node, f"`{node.op}` of {dtype} would lose digits", f"accumulate wider: `{node.op}[...](acc(...))`"
        )


def _edges(scope: Scope, node: Reduction, axes: dict[str, Axis]) -> dict[str, list[Expr]]:
    """The first or last value that each binder admits, and the outer indices that run as far, by axis."""
    own = {a.name for a in axes.values()}
    outer = [a for a in scope.axes.values() if a.name not in own]
    found: dict[str, list[Expr]] = {a.name: [Var(o.name) for o in outer if o.extent == a.extent] for a in axes.values()}
    for binder in node.binders if node.op in ("argmax", "argmin") else ():
        if binder.bound is None or binder.relation is None:
            continue
        bound = values.index_value(scope, binder.bound)
        if not variables(bound) & own:
            step = {"<": -1, ">": 1}.get(binder.relation, 0)
            found[axes[binder.name].name].append(scope.facts.simplify(idx("+", bound, Const(step))))
    return found


def _check_not_empty(
    scope: Scope, node: Reduction, axes: dict[str, Axis], where: tuple[Expr, ...], edges: dict[str, list[Expr]]
) -> None:
    """Rule 7: an argmax has something to choose from: one place, at the ends of the axes or of the bounds, is always there."""
    for axis in axes.values():
        some = compare(">", axis.extent, Const(0))
        if not scope.holds_on_path(some):
            scope.env.require(some, node, f"`{node.op}` over nothing: `{axis.name}` runs over {show(axis.extent)}")
    if not where:
        return
    ends = [[Const(0), idx("-", a.extent, Const(1)), *edges[a.name]] for a in axes.values()]
    for places in product(*ends):
        given = dict(zip((a.name for a in axes.values()), places, strict=True))
        inside = [c for a, p in zip(axes.values(), places, strict=True) if p in edges[a.name] for c in _within(p, a.extent)]
        if all(scope.facts.prove(c) for c in (*inside, *(substitute(w, given) for w in where))):
            return
    raise at(
        BoundsError, scope.op, node, f"`{node.op}` over a window that may be empty", "choose bounds that always hold one index"
    )


def _within(place: Expr, extent: Expr) -> tuple[Expr, Expr]:
    return compare(">=", place, Const(0)), compare("<", place, extent)
