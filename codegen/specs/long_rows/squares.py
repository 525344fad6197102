"""Sums of the squares by which elements of a row differ from one value of it: which folds are such sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.codegen.specs.nodes import Fold, Let, Reduce, Store
from uol.codegen.specs.steps import PICKS, names_behind
from uol.codegen.specs.traverse import without_strides
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import NARROW


@dataclass(frozen=True, slots=True)
class Squares:
    """sum[c]((x[r, c] - about[r])**2). `x` is made of no fold; both are written without the values of elements that a spec
    has names for."""

    x: Expr
    about: Expr


def squares_in(spec: Reduce) -> Mapping[str, Squares]:
    """The folds of a spec that are such sums, by name, where `about` is made of folds."""
    rows, columns = {axis.name for axis in spec.rows}, {axis.name for axis in spec.cols}
    lets = {s.name: s.value for s in spec.steps if isinstance(s, Let) and not set(s.axes) <= rows}
    folds = {s.name for s in spec.steps if isinstance(s, Fold)}

    def behind(value: Expr) -> frozenset[str]:
        return names_behind(spec.steps, [Let("", value, value.type, (), 0)])

    found = dict[str, Squares]()
    for fold in (s for s in spec.steps if isinstance(s, Fold) and s.op == "sum" and not s.where and s.dtype not in NARROW):
        match inlined(fold.value, lets):
            case Call(fn="*", args=(Call(fn="-", args=(x, about)) as one, other), dtype=fold.dtype) if one == other:
                is_of_row = not variables(about) & columns and behind(about) & folds
                if is_of_row and variables(x) & columns and not behind(x) & folds:
                    found[fold.name] = Squares(x, about)
    return found


def are_of_one_reading(spec: Reduce) -> bool:
    """Are there such sums, and are all other folds made of no fold, and may their terms be grouped, with nothing stored of an
    element?"""
    squares, rows = squares_in(spec), {axis.name for axis in spec.rows}
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    names = {fold.name for fold in folds}
    others = [fold for fold in folds if fold.name not in squares]
    if not squares or any(f.op in PICKS or (f.dtype in NARROW and f.op in ("sum", "prod")) for f in others):
        return False
    if any(names_behind(spec.steps, [fold]) & names for fold in others) or spec.columns:
        return False
    return all(not isinstance(s, Store) or set(s.axes) <= rows for s in spec.steps)


def sum_of(x: Expr, spec: Reduce) -> Fold | None:
    """The fold that is the sum of all x."""
    rows = {axis.name for axis in spec.rows}
    lets = {s.name: s.value for s in spec.steps if isinstance(s, Let) and not set(s.axes) <= rows}
    sums = (s for s in spec.steps if isinstance(s, Fold) and s.op == "sum" and not s.where and s.dtype == x.type)
    return next((s for s in sums if without_strides(inlined(s.value, lets)) == without_strides(x)), None)


def inlined(expr: Expr, lets: Mapping[str, Expr]) -> Expr:
    """The expression with values in place of their names."""
    return rewrite(expr, lambda e: inlined(lets[e.name], lets) if isinstance(e, Var) and e.name in lets else None)
