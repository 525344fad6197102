"""Expressions of literals, dims and attributes: they take the type that their place asks for.

`C / 2` is a floored integer where a dim or an index stands, and a float's exact half where an f32 stands.
"""

from __future__ import annotations

import math
from typing import Any

from uol.ir.checker.environment import Environment
from uol.ir.checker.messages import closest, mismatch, some
from uol.ir.functions import FUNCTIONS
from uol.ir.integers.terms import COMPARISONS, ON_NUMBERS
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.syntax import surface
from uol.ir.syntax.dim_arithmetic import PROMISES
from uol.ir.syntax.surface import Apply, Binary, Bool, Name, Node, Number, Reduction, Unary
from uol.ir.types import DTYPES, INDEX, held_by_every_float, integer_range, is_float, is_integer

INDEX_LITERAL = "i32"
"""What a number in a dim or an index must fit in. Dims and offsets may be larger; such a literal is a slip of the pen, and
products of a few of them would leave the analyzer's integers."""


def is_free(env: Environment, node: Node) -> bool:
    """Whether an expression holds nothing but literals, dims and attributes, and so has no type of its own."""
    match node:
        case Number() | Bool():
            return True
        case Name(id=name):
            return name in env.dims or name in env.attributes
        case Unary() | Binary():
            return all(is_free(env, n) for n in surface.operands(node))
        case Apply(fn=fn, keywords=()) if fn in FUNCTIONS or fn == "select":
            return all(is_free(env, n) for n in surface.operands(node))
    return False


def takes_type(env: Environment, node: Node) -> bool:
    """Whether an expression has no type of its own: a free one, a choice between such, or what is computed of them."""
    if is_free(env, node):
        return True
    match node:
        case Unary(op="neg", arg=arg) | Reduction(op="sum" | "prod" | "max" | "min", args=(arg,)):
            return takes_type(env, arg)
        case Binary(op="+" | "-" | "*" | "/" | "%", left=left, right=right):
            return takes_type(env, left) and takes_type(env, right)
        case Apply(fn="select", args=(_, a, b)):
            return not is_condition(node) and takes_type(env, a) and takes_type(env, b)
        case Apply(fn=fn, args=args, keywords=()) if fn in FUNCTIONS:
            return all(takes_type(env, a) for a in args)
    return False


def is_condition(node: Node) -> bool:
    """Whether an expression is a truth value by its form."""
    match node:
        case Bool():
            return True
        case Unary(op=op):
            return op == "not"
        case Binary(op=op):
            return op in COMPARISONS or op in ("and", "or")
        case Apply(fn="select", args=(_, a, _)):
            return is_condition(a)
        case Apply(fn=fn) if fn in PROMISES:
            return True
    return False


def natural_type(env: Environment, *nodes: Node) -> str:
    """The type of a free expression that nothing asks a type of: idx, or the scalars' float where a float is in it."""
    for node in nodes:
        if isinstance(node, Number) and isinstance(node.value, float):
            return env.draft.scalar_type
        if isinstance(node, Name) and env.is_float_attribute(node.id):
            return env.draft.scalar_type
        if isinstance(node, Apply) and node.fn in FUNCTIONS and INDEX not in FUNCTIONS[node.fn].integers:
            return env.draft.scalar_type if FUNCTIONS[node.fn].ulp else "i64"
        inner = natural_type(env, *surface.operands(node))
        if inner != INDEX:
            return inner
    return INDEX


def constant(env: Environment, node: Node, dtype: str) -> Expr:
    """A free expression in the given type, folded where its parts are known."""
    if (dtype == "bool") != is_condition(node):
        raise _kind_error(env, node, dtype)
    match node:
        case Bool(value=value):
            return Const(value, "bool")
        case Number(value=number):
            return literal(env, node, number, dtype)
        case Name(id=name):
            return _named(env, node, name, dtype)
        case Unary(op="neg", arg=Number(value=number)):
            return literal(env, node, -number, dtype)
        case Unary(op=op, arg=arg):
            return fold(op, (constant(env, arg, dtype),), dtype)
        case Binary():
            return _binary(env, node, dtype)
        case Apply(fn="select", args=(condition, a, b)):
            chosen = constant(env, condition, "bool")
            return fold("select", (chosen, constant(env, a, dtype), constant(env, b, dtype)), dtype)
        case Apply(fn=fn) if fn in FUNCTIONS:
            return _function(env, node, fn, dtype)
        case Apply(fn=fn) if fn in PROMISES:
            raise mismatch(env.op, node, f"`{fn}` is a clause of `where` of its own", f"write `where {fn}(i), ...`")
    raise mismatch(env.op, node, "a literal, a dim or an attribute is needed here")


def _kind_error(env: Environment, node: Node, dtype: str) -> Exception:
    if dtype == "bool":
        return mismatch(env.op, node, "a condition is needed here", "compare with `==`, `<`, ...; or write `true`, `false`")
    return mismatch(env.op, node, f"a condition stands where {_article(dtype)} is needed", "use `select(condition, a, b)`")


def _binary(env: Environment, node: Binary, dtype: str) -> Expr:
    op, left, right = node.op, node.left, node.right
    if op in COMPARISONS:
        kind = "bool" if is_condition(left) else natural_type(env, left, right)
        return fold(op, (constant(env, left, kind), constant(env, right, kind)), "bool")
    args = constant(env, left, dtype), constant(env, right, dtype)
    if op in ("/", "%") and dtype == INDEX:
        env.positive_divisor(env.facts.simplify(args[1]), right)
    if op == "%" and is_float(dtype):
        raise mismatch(env.op, node, "`%` is for integers")
    return fold(op, args, dtype)


def literal(env: Environment, node: Node, value: int | float, dtype: str) -> Const:
    """A number in a type. Narrow floats round to it; what an integer type cannot hold is an error."""
    if is_float(dtype):
        exact = dtype in ("f64", "f32")
        return Const(float(value) if exact else float(_rounded(float(value), dtype)), dtype)
    if isinstance(value, float):
        raise mismatch(env.op, node, f"`{value!r}` stands where {_article(dtype)} is needed", "write an integer, or cast")
    low, high = integer_range(dtype if dtype in DTYPES else INDEX_LITERAL)
    if not low <= value <= high:
        raise mismatch(env.op, node, f"{value} does not fit in {dtype if dtype in DTYPES else 'an index'}")
    return Const(value, dtype)


def fold(fn: str, args: tuple[Expr, ...], dtype: str) -> Expr:
    """`fn` of constants as a constant, else the call."""
    if fn == "select" and isinstance(args[0], Const):
        return args[1] if args[0].value else args[2]
    if all(isinstance(a, Const) for a in args):
        value = _value(fn, [a.value for a in args if isinstance(a, Const)], dtype)
        if value is not None:
            return Const(value, dtype)
    return Call(fn, args, dtype)


def cast_integer(expr: Expr, dtype: str) -> Expr:
    """A dim, attribute or index in another type."""
    if expr.type == dtype:
        return expr
    if isinstance(expr, Const) and dtype in DTYPES:
        return Const(_rounded(float(expr.value), dtype), dtype)
    if isinstance(expr, Const):
        return Const(int(expr.value), dtype)
    return Call("cast", (expr,), dtype)


def _named(env: Environment, node: Node, name: str, dtype: str) -> Expr:
    if name in env.dims:
        found = env.dims[name]
    elif name in env.attributes:
        found = env.attributes[name]
    else:
        hint = closest(name, (*env.dims, *env.attributes)) or "a dim is named by an input; add it there, or as an attribute"
        raise mismatch(env.op, node, f"unknown name `{name}`", hint)
    if is_float(found.type):
        if not is_float(dtype):
            raise mismatch(env.op, node, f"the attribute `{name}` is a float; {_article(dtype)} is needed here")
        if isinstance(found, Const):
            return literal(env, node, found.value, dtype)
        return found if found.type == dtype else Call("cast", (found,), dtype)
    if not is_float(dtype) and not is_integer(dtype):
        raise mismatch(env.op, node, f"`{name}` is an integer; {_article(dtype)} is needed here")
    if isinstance(found, Const) and dtype in DTYPES:
        return literal(env, node, int(found.value), dtype)
    return cast_integer(found, dtype)


def _function(env: Environment, node: Apply, fn: str, dtype: str) -> Expr:
    function = FUNCTIONS[fn]
    if len(node.args) < function.arity or (len(node.args) > function.arity and fn not in ("max", "min")):
        raise mismatch(env.op, node, f"`{fn}` takes {some(function.arity, 'argument')}, not {len(node.args)}")
    if not function.is_for(dtype):
        whose, cast = ("floats", "f32") if function.is_for("f32") else ("integers with a number of bits", "i64")
        needed = f"{_article(dtype)} is needed here"
        raise mismatch(env.op, node, f"`{fn}` is for {whose}; {needed}", f"cast its argument: `{cast}(...)`")
    args = [constant(env, a, dtype) for a in node.args]
    out = fold(fn, tuple(args[: function.arity]), dtype)
    for more in args[function.arity :]:
        out = fold(fn, (out, more), dtype)
    return out


def _value(fn: str, values: list[Any], dtype: str) -> int | float | bool | None:
    """The value of a call of constants; None where it has none or is better left to run time."""
    result: Any
    if fn in ("/", "%") and not values[1]:
        return None
    try:
        if fn == "/" and is_float(dtype):
            result = values[0] / values[1]
        else:
            result = ON_NUMBERS[fn](*values) if fn in ON_NUMBERS else _reference(fn, values, dtype)
    except (OverflowError, ValueError):
        return None
    if dtype in DTYPES and DTYPES[dtype].kind in ("int", "uint"):
        return _rounded(int(result), dtype) if abs(result) < 2**62 else None
    if is_float(dtype) and not math.isfinite(result) and all(math.isfinite(v) for v in values):
        return None
    return bool(result) if dtype == "bool" else float(result) if is_float(dtype) else int(result)


def _rounded(value: int | float, dtype: str) -> Any:
    if is_float(dtype) and held_by_every_float(value):
        return float(value)
    from uol.ir.program.rounding import round_to  # few constants need it, and numpy takes 0.15 s to load

    return round_to(value, dtype).item()


def _reference(fn: str, values: list[Any], dtype: str) -> float:
    import numpy as np

    if not FUNCTIONS[fn].ulp:
        return int(FUNCTIONS[fn].reference(*map(np.int64, values)))
    with np.errstate(all="ignore"):
        return float(FUNCTIONS[fn].reference(*map(np.float64, values)))


def _article(dtype: str) -> str:
    if dtype == INDEX:
        return "an integer"
    return f"an {dtype}" if dtype[0] in "fi8" else f"a {dtype}"
