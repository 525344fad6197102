"""Expressions of a spec as TensorIR.

A value of type f16, bf16 or f8 is an f32 number of that type: what an operation gives is rounded before it goes on.
Reads and `select` are lazy where their accesses need it: a guarded access, and an arm whose accesses are not in range
for all indices, are evaluated under `if_then_else`; everything else is evaluated eagerly, which vectorises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from tvm import tirx

from uol.backends.cpu.expressions import arithmetic
from uol.backends.cpu.expressions.casts import cast
from uol.backends.cpu.expressions.common_subexpressions import LocalNames, Share
from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term, representation
from uol.backends.cpu.expressions.exact_functions import Function
from uol.backends.cpu.expressions.narrow import pack, round_to, widen
from uol.backends.cpu.expressions.threefry import random_bits
from uol.backends.cpu.expressions.wrapping import wrapping
from uol.codegen.specs.nodes import Guard, Read, Within
from uol.codegen.specs.search import Search
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import walk
from uol.ir.types import INDEX, is_float

_FALSE = tirx.const(False, "bool")
EXACT_RESULTS = ("neg", "max", "min", "abs", "floor", "ceil", "round")
"""Operations whose result needs no rounding where the operands are numbers of the type."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What names stand for: `values` for axes, dims, run-time attributes and earlier steps, `buffers` for tensors;
    `functions` are the built-ins, `facts` what is known of the axes, `share` names what is used more than once (in front of
    the statement that is being written), `spans` are the lengths of the buffers, `limits` the (first, end) of axes that are
    not walked as a whole. With `tests_places` it is asked whether an index lies inside, which may be any number then."""

    values: Mapping[str, Term]
    buffers: Mapping[str, Term]
    functions: Mapping[str, Function]
    facts: Facts
    share: Share
    spans: Mapping[str, Expr] = field(default_factory=dict)
    limits: Mapping[str, tuple[Term, Term]] = field(default_factory=dict)
    tests_places: bool = False

    def with_values(self, values: Mapping[str, Term]) -> Scope:
        return replace(self, values={**self.values, **values})


def evaluate(expr: Expr, scope: Scope) -> Term:
    """The value of an expression, in its compute type."""
    match expr:
        case Const(value=value, dtype=dtype):
            return arithmetic.constant(value, dtype)
        case Var(name=name):
            return scope.values[name]
        case Read():
            return _read(expr, scope)
        case Search():
            return _search(expr, scope)
        case Call():
            return _call(expr, scope)
    raise TypeError(f"{type(expr).__name__} does not occur in specs")


def evaluate_lazily(expr: Expr, scope: Scope) -> Term:
    """The same, with nothing of it in front of the statement."""
    names = LocalNames()
    return names.close(evaluate(expr, replace(scope, share=names)))


def store(share: Share, buffer: Term, offset: Term, value: Term, dtype: str) -> Term:
    """The statement `buffer[offset] = value`, the value in its compute type."""
    to = representation(dtype)
    if dtype == "bool":
        value = tirx.Select(value, tirx.const(1, "uint8"), tirx.const(0, "uint8"))
    elif to.is_narrow_float:
        value = pack(share, value, dtype)
    return tirx.BufferStore(buffer, value, [offset])


def load(share: Share, buffer: Term, offset: Term, dtype: str) -> Term:
    """`buffer[offset]` in its compute type."""
    stored = tirx.BufferLoad(buffer, [offset])
    if dtype == "bool":
        return tirx.Not(tirx.EQ(stored, tirx.const(0, "uint8")))
    return widen(share, stored, dtype) if representation(dtype).is_narrow_float else stored


def _read(read: Read, scope: Scope) -> Term:
    if not read.guard or read.fill is None:
        return load(scope.share, scope.buffers[read.tensor], evaluate(read.offset, scope), read.dtype)
    names = LocalNames()
    inside = scope if _divides_by_argument(read.offset) else replace(scope, share=names)
    value = names.close(load(names, scope.buffers[read.tensor], evaluate(read.offset, inside), read.dtype))
    condition = conjunction([part for guard in read.guard for part in conditions(guard, scope)])
    return tirx.if_then_else(condition, value, evaluate_lazily(read.fill, scope))


def _search(search: Search, scope: Scope) -> Term:
    """From the longest run of keys that there can be to the shortest: is it reached? The same number of steps for every value,
    without a branch where the number of keys is known, so that it vectorises; and what is reached is added, since LLVM makes
    branches of choices that wait for one another, which go wrong half of the time. No key is read that there is not."""
    share, keys, is_known = scope.share, scope.buffers[search.tensor], isinstance(search.count, Const)
    stride, count, value = (share(evaluate(e, scope)) for e in (search.stride, search.count, search.value))
    one, place = tirx.const(1, INDEX_TYPE), tirx.const(0, INDEX_TYPE)
    for bit in reversed(range(search.steps)):
        further = share(place + tirx.const(1 << bit, INDEX_TYPE))
        inside, names = tirx.LE(further, count), LocalNames()
        last = (tirx.Min(further, count) if is_known else further) - one
        within = share if is_known else names
        key = load(within, keys, last * stride, search.value.type)
        reached = arithmetic.binary(within, "<=" if search.equal else "<", key, value, search.value.type)
        assert reached is not None
        known = tirx.And(inside, reached) if is_known else tirx.if_then_else(inside, names.close(reached), _FALSE)
        place = share(place + tirx.shift_left(tirx.Cast(INDEX_TYPE, known), tirx.const(bit, INDEX_TYPE)))
    return cast(share, place, INDEX, search.dtype)


def _divides_by_argument(offset: Expr) -> bool:
    """Does an index divide by what is no number? Such a quotient stands before the condition that it is read under: where both
    its operands are the same for all lanes, LLVM 22 divides for the first lane alone, as if its condition held for all."""
    nodes = list(walk(offset))
    divides = any(isinstance(e, Call) and e.fn in ("/", "%") and not isinstance(e.args[1], Const) for e in nodes)
    return divides and not any(isinstance(e, Read) for e in nodes)


def conditions(guard: Guard, scope: Scope) -> list[Term]:
    """The parts of a guard."""
    if not isinstance(guard, Within):
        return [evaluate(guard.condition, replace(scope, tests_places=True))]
    value = evaluate(guard.value, scope)
    low = [] if guard.low is None else [tirx.LE(evaluate(guard.low, scope), value)]
    high = [] if guard.high is None else [tirx.LT(value, evaluate(guard.high, scope))]
    return low + high


def conjunction(parts: list[Term]) -> Term:
    """All of the parts; true where there are none."""
    if not parts:
        return tirx.const(True, "bool")
    result = parts[0]
    for part in parts[1:]:
        result = tirx.And(result, part)
    return result


def _call(call: Call, scope: Scope) -> Term:
    if call.fn == "select":
        return _select(call, scope)
    args = [evaluate(a, scope) for a in call.args]
    types = [a.type for a in call.args]
    match call.fn:
        case "cast":
            return cast(scope.share, args[0], types[0], call.dtype)
        case "not":
            return tirx.Not(args[0])
        case "neg":
            return arithmetic.negate(scope.share, args[0], types[0])
        case "abs" if not is_float(types[0]):
            return arithmetic.absolute(scope.share, args[0], types[0])
        case "pow" if not is_float(types[0]):
            return arithmetic.integer_power(scope.share, *args)
        case "bit_not":
            return tirx.bitwise_not(args[0])
        case "random_bits":
            return random_bits(scope.share, *args)
    if call.dtype == INDEX:  # any integer type may index
        args, types = [_as_index(scope, a, t) for a, t in zip(args, types, strict=True)], [INDEX] * len(args)
        if call.fn in ("/", "%") and not isinstance(call.args[1], Const) and _are_natural(call.args, scope):
            return arithmetic.natural_quotient(scope.share, call.fn, args[0], args[1])
        if scope.tests_places and call.fn in ("+", "-", "*") and _reads_wide(call):
            return reduce(lambda x, y: wrapping(scope.share, call.fn, x, y, "i64"), args)
    return _rounded(scope, _operation(call, args, types[0], scope), call)


def _reads_wide(call: Call) -> bool:
    """May an index pass 64 bits? LLVM takes sums of indices for ones that do not, and turns the condition that they lie inside
    into another one, which holds of some that wrap."""
    return any(isinstance(node, Read) and node.dtype == "i64" for node in walk(call))


def _are_natural(args: tuple[Expr, ...], scope: Scope) -> bool:
    """Is none of them ever negative?"""
    return all(scope.facts.prove(compare(">=", a, Const(0))) for a in args)


def _operation(call: Call, args: list[Term], dtype: str, scope: Scope) -> Term:
    if len(args) > 2 and call.fn in ("and", "or", "+", "*", "min", "max"):  # associative: a chain
        inner = _operation(call, args[:-1], dtype, scope)
        return _operation(call, [inner, args[-1]], dtype, scope)
    found = arithmetic.binary(scope.share, call.fn, args[0], args[1], dtype) if len(args) == 2 else None
    return scope.functions[call.fn](scope.share, *args) if found is None else found


def _rounded(scope: Scope, value: Term, call: Call) -> Term:
    narrow_result = call.dtype in ("f16", "bf16", "f8e4m3", "f8e5m2")
    return round_to(scope.share, value, call.dtype) if narrow_result and call.fn not in EXACT_RESULTS else value


def _as_index(scope: Scope, value: Term, dtype: str) -> Term:
    return value if str(value.ty) == INDEX_TYPE else cast(scope.share, value, dtype, INDEX)


def _select(call: Call, scope: Scope) -> Term:
    condition, first, second = call.args
    chosen = evaluate(condition, scope)
    if is_total(first, scope) and is_total(second, scope):
        return tirx.Select(chosen, evaluate(first, scope), evaluate(second, scope))
    return tirx.if_then_else(chosen, evaluate_lazily(first, scope), evaluate_lazily(second, scope))


def is_total(expr: Expr, scope: Scope) -> bool:
    """Are all accesses of an expression in range whatever the indices are? Guarded ones look after themselves."""
    return all(_is_in_range(node, scope) for node in walk(expr) if isinstance(node, Read) and not node.guard)


def _is_in_range(read: Read, scope: Scope) -> bool:
    span = scope.spans.get(read.tensor)
    if span is None or any(isinstance(node, Read) for node in walk(read.offset)):
        return False
    reach = scope.facts.interval(read.offset)
    if isinstance(span, Const):
        return reach.low is not None and reach.high is not None and reach.low >= 0 and reach.high < span.value
    return reach.low is not None and reach.low >= 0 and scope.facts.prove(compare("<", read.offset, span))
