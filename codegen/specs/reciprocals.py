"""Quotients by a sum of exponentials less their greatest, which a row has one of, as products with its reciprocal.

    y[c] = e[c] / z   with  z = sum[c](exp(a[c] - hi)), hi = max[c](a[c])    ──▶    z_inv = 1 / z;  y[c] = e[c] * z_inv

One of the terms is exp(0) = 1 and none is larger, so 1 <= z <= number of terms, where z is a number at all: the reciprocal
neither overflows nor is it subnormal. Each rounding is half a unit in the last place at most, and that of the reciprocal comes
in times less than 2: the product is within 1.5 units of the quotient. `ir/README.md` and the accuracy contract permit it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from uol.codegen.specs.nodes import Fold, Let, Reduce, Step, Store
from uol.codegen.specs.traverse import map_step, mapped, names_of
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite

TYPES = frozenset({"f32", "f64"})
"""Quotients are computed in these; of narrow types a cast stands before each rounding."""


def with_reciprocals(spec: Reduce) -> Reduce:
    """The spec with a reciprocal for each such sum by which elements of a row are divided; as it is, where there is none."""
    for total in (step for step in spec.steps if isinstance(step, Fold) and is_sum_of_shares(step, spec)):
        name = _unused(spec, f"{total.name}_inv")
        found = mapped(spec, step=partial(_divided, spec, total, name))
        if found == spec:
            continue
        inverse = Call("/", (Const(1.0, total.dtype), Var(total.name, total.dtype)), total.dtype)
        one = Let(name, inverse, total.dtype, _rows(spec), total.line)
        spec = replace(found, steps=tuple(new for step in found.steps for new in ((step, one) if step == total else (step,))))
    return spec


def is_sum_of_shares(total: Fold, spec: Reduce) -> bool:
    """Is a fold the sum of exp(a - hi), where hi is the greatest a of the same columns?"""
    lets = {step.name: step.value for step in spec.steps if isinstance(step, Let) and not set(step.axes) <= set(_rows(spec))}
    greatest = {step.name: step for step in spec.steps if isinstance(step, Fold) and step.op == "max" and not step.where}
    if total.op != "sum" or total.where or total.dtype not in TYPES:
        return False
    match _inlined(total.value, lets):
        case Call(fn="exp", args=(Call(fn="-", args=(a, Var(name=hi))),)) if hi in greatest:
            return _inlined(greatest[hi].value, lets) == a
    return False


def _inlined(expr: Expr, lets: dict[str, Expr]) -> Expr:
    return rewrite(expr, lambda e: _inlined(lets[e.name], lets) if isinstance(e, Var) and e.name in lets else None)


def _divided(spec: Reduce, total: Fold, name: str, step: Step) -> Step:
    """A step of an element with products in place of quotients by the sum; any other as it is."""
    if isinstance(step, Let | Store) and set(step.axes) <= set(_rows(spec)):
        return step

    def rule(node: Expr) -> Expr | None:
        match node:
            case Call(fn="/", args=(a, Var(name=by)), dtype=dtype) if by == total.name and dtype == total.dtype:
                return Call("*", (rewrite(a, rule), Var(name, total.dtype)), dtype, node.span)
        return None

    return map_step(step, lambda expr: rewrite(expr, rule))


def _rows(spec: Reduce) -> tuple[str, ...]:
    return tuple(axis.name for axis in spec.rows)


def _unused(spec: Reduce, name: str) -> str:
    taken = {*names_of(spec), *spec.dims, *(axis.name for axis in spec.axes)}
    taken |= {*(scalar.name for scalar in spec.scalars), *(arg.name for arg in spec.args)}
    while name in taken:
        name += "_"
    return name
