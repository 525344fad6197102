"""What the types in an expression of a spec must be to one another."""

from __future__ import annotations

from collections.abc import Iterator

from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import Holds, Read, Within
from uol.codegen.specs.search import Search
from uol.codegen.specs.steps import AFFINE
from uol.ir.functions import FUNCTIONS
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import DTYPES, INDEX, is_integer

COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
LOGIC = frozenset({"and", "or", "not"})
OPERANDS = {"neg": 1, **dict.fromkeys("+-*/%", 2), AFFINE: 2, **{name: function.arity for name, function in FUNCTIONS.items()}}
"""How many operands arithmetic has, all of its result's type."""


def ill_typed(node: Expr) -> Iterator[str]:
    """What is wrong with the types of a node and its operands."""
    match node:
        case Const(value=value, dtype=dtype):
            if (dtype == "bool") != isinstance(value, bool) or (is_integer(dtype) and not isinstance(value, int)):
                yield f"{value!r} is no {dtype}"
        case Call():
            yield from _of_call(node)
        case Read():
            yield from _of_read(node)
        case Search(stride=stride, count=count, dtype=dtype):
            if not is_integer(dtype) or {stride.type, count.type} != {INDEX}:
                yield f"{expr_text(node)} is no number of keys"
        case Var():
            pass
        case _:
            yield f"a {type(node).__name__} has no place in a spec"
    if node.type not in DTYPES and node.type != INDEX:
        yield f"{node.type!r} is no type"


def _of_call(call: Call) -> Iterator[str]:
    types = [a.type for a in call.args]
    match call.fn:
        case "cast":
            fits = len(types) == 1
        case "select":
            fits = types == ["bool", call.dtype, call.dtype]
        case "random_bits":
            fits = len(types) == 2 and all(map(is_integer, types))
        case fn if fn in COMPARISONS:
            fits = call.dtype == "bool" and len(types) == 2 and types[0] == types[1]
        case fn if fn in LOGIC:
            fits = call.dtype == "bool" and set(types) == {"bool"}
        case fn:
            fits = len(types) == OPERANDS.get(fn) and set(types) == {call.dtype}
    if not fits:
        yield f"{call.fn} of {', '.join(types)} as {call.dtype}: {expr_text(call)}"


def _of_read(read: Read) -> Iterator[str]:
    if read.offset.type != INDEX:
        yield f"the offset of {read.tensor} is {read.offset.type}, no index"
    if (read.fill is None) != (not read.guard):
        yield f"a read of {read.tensor} has a fill where it has a guard, and nowhere else"
    if read.fill is not None and read.fill.type != read.dtype:
        yield f"{read.tensor} is {read.dtype}, and filled with {read.fill.type}"
    for guard in read.guard:
        yield from ill_guarded(guard)


def ill_guarded(guard: Within | Holds) -> Iterator[str]:
    """What is wrong with a guard."""
    if isinstance(guard, Holds):
        if guard.condition.type != "bool":
            yield f"{expr_text(guard.condition)} is {guard.condition.type}, no condition"
        return
    if guard.low is None and guard.high is None:
        yield f"nothing bounds {expr_text(guard.value)}"
    if any(operand.type != INDEX for operand in guard.children):
        yield f"{expr_text(guard.value)} and its bounds are no indices"
