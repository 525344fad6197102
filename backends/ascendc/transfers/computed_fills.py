"""What a guarded read gives outside of its guards, where that is no constant.

    x[n - 2] else value        the copy fills with the attribute: the scalar unit has it, in the type that is read
    x[n - 2] else w[n] * 3     select(0 <= n - 2 < N, x[n - 2] else 0, w[n] * 3)
"""

from __future__ import annotations

from dataclasses import replace

from uol.backends.ascendc.vector.predicates import MODES
from uol.codegen.specs.nodes import Fold, Guard, Holds, KernelSpec, Read, Step, Within
from uol.codegen.specs.traverse import mapped
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite
from uol.ir.types import is_float

COPIED = frozenset({"f32", "f16", "bf16"})
"""Types of elements that a copy fills with a value of run time."""


def with_fills_of_copies(spec: KernelSpec) -> KernelSpec:
    """The spec with selections where no copy can fill; offsets of stores and reads are left as they are."""
    scalars = frozenset(s.name for s in spec.scalars)

    def rule(expr: Expr) -> Expr | None:
        if not isinstance(expr, Read):
            return None
        if not expr.guard or expr.fill is None or isinstance(expr.fill, Const) or attribute_of(expr, scalars):
            return expr
        inside = replace(expr, fill=Const(0, expr.dtype))
        return Call("select", (_conjunction(expr.guard), inside, rewrite(expr.fill, rule)), expr.dtype)

    def changed(step: Step) -> Step:
        if isinstance(step, Fold):
            return replace(step, value=rewrite(step.value, rule), where=tuple(rewrite(w, rule) for w in step.where))
        return replace(step, value=rewrite(step.value, rule))

    return mapped(spec, step=changed)


def attribute_of(read: Read, scalars: frozenset[str]) -> str | None:
    """The attribute, by name, that a read is filled with: of its own type, or of f32 and rounded to it."""
    if read.dtype not in COPIED:
        return None
    match read.fill:
        case Var(name=name, dtype=dtype) if name in scalars and dtype == read.dtype:
            return name
        case Call(fn="cast", args=(Var(name=name, dtype="f32"),), dtype=dtype) if name in scalars and dtype == read.dtype:
            return name
    return None


def _conjunction(guards: tuple[Guard, ...]) -> Expr:
    """All guards as one condition."""
    parts: list[Expr] = []
    for guard in guards:
        match guard:
            case Within(value, low, high):
                parts += [Call(">=", (value, low), "bool")] if low is not None else []
                parts += [Call("<", (value, high), "bool")] if high is not None else []
            case Holds(condition):
                parts.append(rewrite(condition, _of_data))
    whole = parts[0]
    for part in parts[1:]:
        whole = Call("and", (whole, part), "bool")
    return whole


def _of_data(expr: Expr) -> Expr | None:
    """Data that stands for an index is compared in its own type: lanes hold no other."""
    match expr:
        case Call(fn=fn, args=(Call(fn="cast", args=(data,), dtype="idx"), Const(value=limit))) if fn in MODES:
            return None if is_float(data.type) else Call(fn, (data, Const(limit, data.type)), "bool")
    return None
