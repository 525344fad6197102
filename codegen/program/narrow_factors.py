"""Factors of sums of products that wait in memory have the type of what they are made of, where it has each of their values.
Matrix units multiply what is of one narrow type, and memory has half as many bytes.

    du[m, n] = select(f32(y[m, n]) > 0, f32(dy[m, n]), 0);  dx[m, k] = sum[n](du[m, n] * f32(w[n, k]))
    ->  du[m, n]: f16 = select(f32(y[m, n]) > 0, dy[m, n], 0);  dx[m, k] = sum[n](f32(du[m, n]) * f32(w[n, k]))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from uol.codegen.program.retyped import retyped
from uol.ir.program.nodes import Call, Const, Expr, Load, Program, Reduce, Scatter, Stage
from uol.ir.program.walk import loads, stage_expressions, walk
from uol.ir.types import DTYPES, is_float

EVERY_TYPE_HAS = (0, 1, -1)


def narrow_factors(program: Program) -> Program:
    """The same program, where local factors are stored in the narrow type of the other factor, if that holds them exactly."""
    factors = dict(_factors(program))
    types = {s.name: t for s in program.stages if (t := factors.get(s.name)) is not None and _may_be(program, s, t)}
    narrow = retyped(program, types)
    stages = tuple(replace(s, value=_in_type(s.value, types[s.name])) if s.name in types else s for s in narrow.stages)
    return replace(narrow, stages=stages)


def _factors(program: Program) -> Iterator[tuple[str, str]]:
    """Tensors that are multiplied, in a sum, by what is cast from a narrower float, and that type."""
    for stage in program.stages:
        products = [e.body for each in stage_expressions(stage) for e in walk(each) if isinstance(e, Reduce) and e.op == "sum"]
        products += [stage.value] if isinstance(stage, Scatter) else []
        for body in products:
            match body:
                case Call(fn="*", args=(Load() as factor, Call(fn="cast", args=(other,)))):
                    yield factor.tensor, other.type
                case Call(fn="*", args=(Call(fn="cast", args=(other,)), Load() as factor)):
                    yield factor.tensor, other.type


def _may_be(program: Program, stage: Stage, dtype: str) -> bool:
    if type(stage) is not Stage or program.tensors[stage.name].role != "local" or not is_float(stage.dtype):
        return False
    is_narrower = is_float(dtype) and DTYPES[dtype].bytes < DTYPES[stage.dtype].bytes
    reads = (load for other in program.stages for load in loads(other) if load.tensor == stage.name)
    return is_narrower and _holds(stage.value, dtype) and all(load.fill is None or _holds(load.fill, dtype) for load in reads)


def _holds(value: Expr, dtype: str) -> bool:
    """Does a type have each value of an expression?"""
    match value:
        case Const(value=number):
            return number in EVERY_TYPE_HAS
        case Call(fn="cast", args=(inner,)):
            return inner.type == dtype
        case Call(fn="select", args=(_, first, second)):
            return _holds(first, dtype) and _holds(second, dtype)
    return False


def _in_type(value: Expr, dtype: str) -> Expr:
    """The same values of that type."""
    match value:
        case Const(value=number):
            return Const(number, dtype)
        case Call(fn="select", args=(condition, first, second)):
            return replace(value, args=(condition, _in_type(first, dtype), _in_type(second, dtype)), dtype=dtype)
        case Call(fn="cast", args=(inner,)) if inner.type == dtype:
            return inner
        case Call(fn="cast", args=(inner,)):
            return _in_type(inner, dtype)
    raise AssertionError(f"{value} has other values")
