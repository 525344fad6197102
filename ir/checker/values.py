"""Typed expressions of a statement, from the surface tree.

`value(scope, node, want)`: `want` is the type that the place asks for, or None. Only what has no type of its own (a
literal, a dim, an attribute) follows it; any other value keeps its type, and the place compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from uol.ir.checker import accesses, reductions
from uol.ir.checker.constants import cast_integer, constant, fold, is_condition, is_free, natural_type, takes_type
from uol.ir.checker.environment import Scope
from uol.ir.checker.messages import closest, mismatch, some
from uol.ir.checker.name_rules import CASTS
from uol.ir.functions import FUNCTIONS, Function
from uol.ir.integers.assumptions import is_integral
from uol.ir.integers.terms import COMPARISONS
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.syntax import surface
from uol.ir.syntax.dim_arithmetic import PROMISES
from uol.ir.syntax.surface import Access, Apply, Binary, Name, Node, Pack, Reduction, Unary
from uol.ir.types import DTYPES, INDEX, is_float, is_integer

REDUCTIONS = ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "topk", "sort", "argsort")
TRUTH_ORDERS = {"<": ("and", True), "<=": ("or", True), ">": ("and", False), ">=": ("or", False)}
"""Comparisons of truth values by order, false before true: the connective, and whether it is of the first one's negation."""
ON_TRUTHS = {"max": "or", "min": "and", "bit_and": "and", "bit_or": "or", "bit_xor": "!=", "bit_not": "not"}
"""What a function is of truth values: false is before true, and a truth value is one bit."""


def value(scope: Scope, node: Node, want: str | None = None) -> Expr:
    """The typed expression of a surface node."""
    if is_free(scope.env, node):
        if want is None and not is_condition(node):
            raise mismatch(scope.op, node, "nothing here says which type this has", "cast it: `f32(...)`")
        return constant(scope.env, node, want or "bool")
    match node:
        case Name():
            return _name(scope, node, want)
        case Unary(op=op, arg=arg):
            operand = value(scope, arg, "bool" if op == "not" else want)
            _check_operands(scope, node, op, operand.type)
            return Call(op, (operand,), operand.type, node.span)
        case Binary(op=op):
            return _binary(scope, node, op, want)
        case Apply():
            return _apply(scope, node, want)
        case Access():
            return accesses.load(scope, node, want)
        case Reduction():
            return reductions.reduction(scope, node, want)
    raise mismatch(scope.op, node, "a value is needed here")


def index_value(scope: Scope, node: Node) -> Expr:
    """An integer of any type as an index, simplified."""
    found = value(scope, node, INDEX)
    if not is_integer(found.type):
        raise mismatch(scope.op, node, f"an index is an integer, not {found.type}", "cast it: `i64(...)`")
    return scope.facts.simplify(cast_integer(found, INDEX))


def fit(scope: Scope, node: Node, found: Expr, dtype: str, place: str) -> Expr:
    """`found` where a value of `dtype` is needed: itself, an index as i64, or an error."""
    if found.type == INDEX and dtype == "i64":
        return cast_integer(scope.facts.simplify(found), dtype)
    if found.type == dtype:
        return found
    shown = "i64" if found.type == INDEX else found.type
    raise mismatch(scope.op, node, f"{place} is {dtype}, the value is {shown}", f"cast it: `{dtype}(...)`")


def condition(scope: Scope, node: Node) -> Expr:
    """A truth value, simplified where it speaks of integers."""
    found = value(scope, node, "bool")
    if found.type != "bool":
        raise mismatch(scope.op, node, f"a condition is needed here, the value is {found.type}", "compare it: `... != 0`")
    return scope.facts.simplify(found) if is_integral(found) else found


def unify(scope: Scope, node: Node, parts: Sequence[Node], want: str | None, what: str) -> tuple[Expr, ...]:
    """The parts in one type: that of those which have one, else the one that the place asks for."""
    typed = _typed(scope, parts, want, lambda n, type_: value(scope, parts[n], type_))
    return _in_one_type(scope, node, parts, typed, want, what)


def _typed(
    scope: Scope, parts: Sequence[Node], want: str | None, evaluate: Callable[[int, str | None], Expr]
) -> dict[int, Expr]:
    """The parts that are not free, by number: a choice between numbers takes the type of what stands beside it."""
    typed: dict[int, Expr] = {}
    counted = [n for n, part in enumerate(parts) if not is_free(scope.env, part)]
    for n in sorted(counted, key=lambda n: takes_type(scope.env, parts[n])):
        beside = next((e.type for e in typed.values()), want) if takes_type(scope.env, parts[n]) else want
        typed[n] = evaluate(n, beside)
    return dict(sorted(typed.items()))


def _in_one_type(
    scope: Scope, node: Node, parts: Sequence[Node], typed: dict[int, Expr], want: str | None, what: str
) -> tuple[Expr, ...]:
    types = {e.type for e in typed.values()}
    if types == {INDEX, "i64"}:
        typed = {n: cast_integer(e, "i64") for n, e in typed.items()}
        types = {"i64"}
    if len(types) > 1:
        shown = " and ".join("i64" if e.type == INDEX else e.type for e in typed.values())
        cast = max((e.type for e in typed.values() if e.type != INDEX), key=_width)
        raise mismatch(scope.op, node, f"{what} of {shown}: both sides have one type", f"cast one of them: `{cast}(...)`")
    common = types.pop() if types else want
    if common is None:
        common = "bool" if is_condition(parts[0]) else None
    if common is None:
        raise mismatch(scope.op, node, "nothing here says which type this has", "cast one side: `f32(...)`")
    return tuple(typed[n] if n in typed else constant(scope.env, part, common) for n, part in enumerate(parts))


def _width(dtype: str) -> tuple[bool, int]:
    """Floats before integers, then the wider type: what to suggest as the common one."""
    return is_float(dtype), DTYPES[dtype].bits


def _name(scope: Scope, node: Name, want: str | None) -> Expr:
    if node.id in scope.axes:
        return cast_integer(Var(scope.axes[node.id].name), "i64" if want == "i64" else INDEX)
    if node.id in scope.env.tensors:
        raise mismatch(scope.op, node, f"`{node.id}` is a tensor and needs its indices", f"write `{node.id}[...]`")
    known = (*scope.axes, *scope.env.dims, *scope.env.attributes, *scope.env.tensors)
    hint = closest(node.id, known) or "an index stands in the target, or in the brackets of a reduction"
    raise mismatch(scope.op, node, f"unknown name `{node.id}`", hint)


def _binary(scope: Scope, node: Binary, op: str, want: str | None) -> Expr:
    parts = (node.left, node.right)
    if op in ("and", "or"):
        left, right = (condition(scope, p) for p in parts)
        return fold(op, (left, right), "bool")
    if op in COMPARISONS:
        free = natural_type(scope.env, *parts)
        args = _compared(scope, node, parts, None if free == INDEX else free)
        return _truth_order(op, *args) if args[0].type == "bool" and op in TRUTH_ORDERS else Call(op, args, "bool", node.span)
    left, right = unify(scope, node, parts, want, f"`{op}`")
    _check_operands(scope, node, op, left.type)
    if left.type == INDEX and op in ("/", "%"):
        scope.env.positive_divisor(scope.facts.simplify(right), node.right)
    return Call(op, (left, right), left.type, node.span)


def _truth_order(op: str, a: Expr, b: Expr) -> Expr:
    """A comparison of two truth values by order: `a < b` is `not a and b`."""
    connective, negates_first = TRUTH_ORDERS[op]
    left, right = (_negated(a), b) if negates_first else (a, _negated(b))
    return fold(connective, (left, right), "bool")


def _negated(truth: Expr) -> Expr:
    return fold("not", (truth,), "bool")


def _compared(scope: Scope, node: Node, parts: Sequence[Node], free: str | None) -> tuple[Expr, ...]:
    """Both sides of a comparison; an i64 beside an index is compared as an index, so that the proofs can use it."""
    typed = _typed(scope, parts, free, lambda n, type_: value(scope, parts[n], type_))
    if {e.type for e in typed.values()} == {INDEX, "i64"}:
        typed = {n: cast_integer(e, INDEX) for n, e in typed.items()}
    args = _in_one_type(scope, node, parts, typed, free, "a comparison")
    if args[0].type == INDEX:
        return tuple(scope.facts.simplify(a) for a in args)
    return args


def _check_operands(scope: Scope, node: Node, op: str, dtype: str) -> None:
    if dtype == "bool" and op != "not":
        raise mismatch(scope.op, node, f"`{op}` is not for bool", "use `and`, `or`, `not`, or `select`")
    if op == "not" and dtype != "bool":
        raise mismatch(scope.op, node, f"`not` is for bool, not {dtype}", "compare the value: `... != 0`")
    if op == "%" and is_float(dtype):
        raise mismatch(scope.op, node, f"`%` is for integers, not {dtype}")


def _apply(scope: Scope, node: Apply, want: str | None) -> Expr:
    if node.fn in scope.env.types or node.fn in CASTS:
        return _cast(scope, node)
    if node.fn == "select":
        return _select(scope, node, want)
    if node.fn in FUNCTIONS:
        return _function(scope, node, want)
    if node.fn == "random_bits":
        return _random_bits(scope, node)
    raise _unknown_function(scope, node)


def _cast(scope: Scope, node: Apply) -> Expr:
    arg = _arguments(scope, node, 1)[0]
    if is_free(scope.env, arg):
        if node.fn == "acc":
            raise mismatch(scope.op, node, "`acc` needs a value that has a type", "write the type: `f32(...)`")
        return constant(scope.env, arg, scope.env.dtype(node.fn, node))
    operand = value(scope, arg, None if node.fn == "acc" else scope.env.dtype(node.fn, node))
    source = "i64" if operand.type == INDEX else operand.type
    target = DTYPES[source].accumulator if node.fn == "acc" else scope.env.dtype(node.fn, node)
    if target == "bool" and source != "bool":
        zero = Const(0.0 if is_float(operand.type) else 0, operand.type)
        return Call("!=", (operand, zero), "bool", node.span)
    if operand.type == INDEX:
        return cast_integer(scope.facts.simplify(operand), target)
    return operand if source == target else Call("cast", (operand,), target, node.span)


def _select(scope: Scope, node: Apply, want: str | None) -> Expr:
    """Lazy: each arm is typed and proven under its condition."""
    test, *arms = _arguments(scope, node, 3)
    chosen = condition(scope, test)
    # part by part: what a conjunction is simplified to may not show every part to the proofs
    taken = tuple(condition(scope, part) for part in parts) if len(parts := _conjuncts(test)) > 1 else (chosen,)
    holds = (taken, (Call("not", (chosen,), "bool"),))

    def evaluate(n: int, type_: str | None) -> Expr:
        with scope.under(*holds[n]):
            return value(scope, arms[n], type_)

    typed = _typed(scope, arms, want, evaluate)
    a, b = _in_one_type(scope, node, arms, typed, want, "`select`")
    if isinstance(chosen, Const) and scope.env.draft.folds:
        return a if chosen.value else b
    return Call("select", (chosen, a, b), a.type, node.span)


def _conjuncts(node: Node) -> tuple[Node, ...]:
    """The parts of a condition that all hold where it does."""
    match node:
        case Binary(op="and", left=left, right=right):
            return (*_conjuncts(left), *_conjuncts(right))
    return (node,)


def _function(scope: Scope, node: Apply, want: str | None) -> Expr:
    function = FUNCTIONS[node.fn]
    count = function.arity if len(node.args) < 2 or node.fn not in ("max", "min") else len(node.args)
    args = unify(scope, node, _arguments(scope, node, count), want, f"`{node.fn}`")
    dtype = args[0].type
    name = ON_TRUTHS.get(node.fn, node.fn) if dtype == "bool" else node.fn
    if name in FUNCTIONS and not function.is_for(dtype):
        raise mismatch(scope.op, node, f"`{node.fn}` is not for {dtype}", f"cast its argument: `{_suited(function)}(...)`")
    out = Call(name, args[: function.arity], dtype, node.span)
    for more in args[function.arity :]:
        out = Call(name, (out, more), dtype, node.span)
    return out


def _suited(function: Function) -> str:
    """A type that a function takes."""
    return "f32" if function.is_for("f32") else "i64"


def _random_bits(scope: Scope, node: Apply) -> Expr:
    """Both arguments are integers, as i64; the value is an i32."""
    args = []
    for arg, what in zip(_arguments(scope, node, 2), ("seed", "counter"), strict=True):
        if is_free(scope.env, arg):
            args.append(constant(scope.env, arg, "i64"))
            continue
        found = value(scope, arg, None)
        if not is_integer(found.type):
            raise mismatch(scope.op, arg, f"the {what} of `random_bits` is an integer, not {found.type}")
        args.append(cast_integer(scope.facts.simplify(found) if found.type == INDEX else found, "i64"))
    return Call("random_bits", tuple(args), "i32", node.span)


def _arguments(scope: Scope, node: Apply, count: int) -> list[surface.Expr]:
    if node.keywords:
        raise mismatch(scope.op, node.keywords[0], f"`{node.fn}` has no attributes")
    args = [a for a in node.args if not isinstance(a, Pack)]
    if len(args) != count:
        raise mismatch(scope.op, node, f"`{node.fn}` takes {some(count, 'argument')}, not {len(args)}")
    return args


def _unknown_function(scope: Scope, node: Apply) -> Exception:
    if node.fn in ("count", "flat", *PROMISES):
        return mismatch(scope.op, node, f"`{node.fn}` cannot stand here")
    if node.fn in REDUCTIONS:
        return mismatch(scope.op, node, f"`{node.fn}` reduces over named indices", f"write `{node.fn}[k](...)`")
    if scope.env.draft.library.get(node.fn) is not None:
        return mismatch(
            scope.op, node, f"the result of the operator `{node.fn}` needs its indices", f"write `{node.fn}(...)[...]`"
        )
    if node.fn in scope.env.tensors:
        return mismatch(scope.op, node, f"`{node.fn}` is a tensor", f"index it with brackets: `{node.fn}[...]`")
    known = (*FUNCTIONS, *CASTS, "select", "random_bits", *scope.env.types, *(op.name for op in scope.env.draft.library))
    return mismatch(scope.op, node, f"unknown function `{node.fn}`", closest(node.fn, known))
