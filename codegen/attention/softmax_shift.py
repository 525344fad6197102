"""What the weights of an attention are relative to: `exp(s - hi)`, of a maximum that is made on the way or known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from uol.codegen.specs.nodes import Fold, Let, Weighted
from uol.ir.program.nodes import Call, Const, Expr, Load, Var
from uol.ir.program.walk import variables, walk
from uol.ir.types import is_float


def subtracts_from_exponent(steps: Iterable[Let | Fold], rows: frozenset[str], cols: frozenset[str]) -> bool:
    """Is a value of a row alone, or of a col alone, subtracted from an exponent? That makes a softmax, along either."""
    return any(_is_shifted(node, rows, cols) for step in steps for node in walk(step.value))


def _is_shifted(node: Expr, rows: frozenset[str], cols: frozenset[str]) -> bool:
    match node:
        case Call(fn="exp", args=(Call(fn="-", args=(_, Load() | Call(fn="cast", args=(Load(),)) as shift)),)):
            return bool(variables(shift) & rows) != bool(variables(shift) & cols)
    return False


def follows_maximum(steps: Sequence[Let | Fold], sums: Sequence[Weighted]) -> bool:
    """What a spec promises of its maximum: all that is summed is a multiple of exp(t - hi), or 0. True without one. Asked of
    the statements of a program, which load what others make, and of a spec's steps, which name it."""
    maxima = [s for s in steps if isinstance(s, Fold) and s.op == "max"]
    if not maxima:
        return True
    if len(maxima) > 1:
        return False
    (hi,) = maxima
    free: dict[str, bool] = {hi.name: False}
    multiple: dict[str, bool] = {}
    for step in steps:
        if step is not hi:
            free[step.name] = _is_free(step.value, free)
            multiple[step.name] = _is_multiple(step.value, hi, free, multiple)
    if not _is_free(hi.value, free):
        return False
    folds = [s.name for s in steps if isinstance(s, Fold) and s is not hi]
    return all(multiple.get(name, False) for name in (*folds, *(s.weight for s in sums)))


def _is_free(expr: Expr, free: Mapping[str, bool]) -> bool:
    """Does the value not depend on the maximum?"""
    return all(free.get(name, True) for node in walk(expr) if (name := _name(node)) is not None)


def _name(node: Expr) -> str | None:
    """What a value is called that a node stands for."""
    match node:
        case Load(tensor=name) | Var(name=name):
            return name
    return None


def _is_multiple(expr: Expr, hi: Fold, free: Mapping[str, bool], known: Mapping[str, bool]) -> bool:
    match expr:
        case Load(tensor=name) | Var(name=name):
            return known.get(name, False)
        case Const(value=value):
            return value == 0
        case Call(fn="exp", args=(Call(fn="-", args=(t, Load(tensor=name) | Var(name=name))),)):
            return name == hi.name and t == hi.value
        case Call(fn="cast", args=(inner,), dtype=dtype) if is_float(dtype) and is_float(inner.type):
            return _is_multiple(inner, hi, free, known)
        case Call(fn="select", args=(condition, a, b)):
            return _is_free(condition, free) and all(_is_multiple(e, hi, free, known) for e in (a, b))
        case Call(fn="*", args=(a, b)):
            left, right = (_is_multiple(a, hi, free, known) and _is_free(b, free)), _is_multiple(b, hi, free, known)
            return left or (right and _is_free(a, free))
        case Call(fn="/", args=(a, b)):
            return _is_multiple(a, hi, free, known) and _is_free(b, free)
    return False
