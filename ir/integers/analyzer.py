"""TVM's integer analyzer behind our own expressions. Only `uol.ir.integers.facts` imports this module.

Every assumption is a constraint scope, never a `bind`: Z3 sees scopes only, and with `bind` even `i - j >= 0` under
`j <= i` is not proven. Scopes are closed before a function returns; an analyzer freed with an open one aborts the process.
Variables are int64; the analyzer's integers do not wrap.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from tvm import sym, tirx

from uol.ir.errors import ToolchainError
from uol.ir.program.nodes import Call, Const, Expr, Load, Var
from uol.ir.program.walk import substitute
from uol.ir.types import DTYPES, INDEX

Z3_STEPS = 2_000_000
"""Z3's resource limit for one proof: about a second at worst. Counted in steps, so that verdicts do not depend on load."""

_TYPE = "int64"

MAX_CONSTANT = 2**48
"""Larger constants are refused (OverflowError): products of them would leave int64."""


def prove(condition: Expr, conditions: Iterable[Expr]) -> bool:
    """Whether `condition` follows. The default strength first: it is fast, and often enough.

    Raises OverflowError for constants that are too large."""
    analyzer, names = _new(), _Names()
    goal = names.encode(condition)
    with ExitStack() as scopes:
        _enter(analyzer, scopes, names, conditions)
        if analyzer.can_prove(goal):
            return True
        return bool(analyzer.can_prove(goal, sym.ProofStrength.SYMBOLIC_BOUND))


def simplify(expr: Expr, conditions: Iterable[Expr]) -> Expr:
    """An equal expression; the same one where the result has no form in our nodes."""
    analyzer, names = _new(), _Names()
    encoded = names.encode(expr)
    with ExitStack() as scopes:
        _enter(analyzer, scopes, names, conditions)
        result = names.decode(analyzer.simplify(encoded))
    return expr if result is None else result


def _new() -> Any:
    """An analyzer for one question. Z3's solver keeps what it learned from one proof to the next, and a proof that was cut
    short can leave it unable to find others: what a text means would depend on the texts before it."""
    analyzer = sym.Analyzer()
    if not analyzer.is_z3_enabled:
        raise ToolchainError(
            "this build of TVM has no Z3, without which symbolic index ranges cannot be proven",
            hint="install apache-tvm 0.27 from PyPI",
        )
    analyzer.set_z3_rlimit(Z3_STEPS)
    return analyzer


def _enter(analyzer: Any, scopes: ExitStack, names: _Names, conditions: Iterable[Expr]) -> None:
    encoded = [names.encode(c) for c in conditions]
    for constraint in (*names.type_bounds(), *encoded):
        scopes.enter_context(analyzer.constraint_scope(constraint))


class _Names:
    """Our variables as TVM's, and back. A value read from memory is an unknown integer of its type."""

    def __init__(self) -> None:
        self._variables: dict[str, Any] = {}
        self._unknown: dict[Expr, Any] = {}

    def encode(self, expr: Expr) -> Any:
        match expr:
            case Const(value=value) if abs(value) > MAX_CONSTANT:
                raise OverflowError
            case Const(value=value, dtype=dtype):
                return tirx.IntImm("bool" if dtype == "bool" else _TYPE, int(value))
            case Var(name=name):
                return self._variables.setdefault(name, tirx.Var(name, _TYPE))
            case Load() | Call(fn="cast"):
                return self._unknown.setdefault(expr, tirx.Var(f"@{len(self._unknown)}", _TYPE))
            case Call(fn=fn, args=args):
                return _ENCODE[fn](*(self.encode(a) for a in args))
        raise AssertionError(f"not an integer expression: {expr}")

    def type_bounds(self) -> list[Any]:
        out = []
        for expr, variable in self._unknown.items():
            inner = expr.args[0] if isinstance(expr, Call) else expr
            info = DTYPES.get(inner.type)
            if info is None or info.kind not in ("int", "uint") or info.bits == 64:
                continue
            low, high = (0, 2**info.bits - 1) if info.kind == "uint" else (-(2 ** (info.bits - 1)), 2 ** (info.bits - 1) - 1)
            out += [variable >= tirx.IntImm(_TYPE, low), variable <= tirx.IntImm(_TYPE, high)]
        return out

    def decode(self, expr: Any) -> Expr | None:
        plain = _decode(expr)
        return None if plain is None else substitute(plain, {v.name: e for e, v in self._unknown.items()})


_ENCODE: dict[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": tirx.floordiv,
    "%": tirx.floormod,
    "neg": lambda a: tirx.IntImm(_TYPE, 0) - a,
    "abs": lambda a: tirx.Max(a, tirx.IntImm(_TYPE, 0) - a),
    "min": tirx.Min,
    "max": tirx.Max,
    "select": tirx.Select,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": tirx.EQ,
    "!=": tirx.NE,
    "and": tirx.And,
    "or": tirx.Or,
    "not": tirx.Not,
}
_DECODE = {"Add": "+", "Sub": "-", "Mul": "*", "FloorDiv": "/", "FloorMod": "%", "Min": "min", "Max": "max"}
_DECODE_BOOL = {"LT": "<", "LE": "<=", "GT": ">", "GE": ">=", "EQ": "==", "NE": "!=", "And": "and", "Or": "or"}


def _decode(expr: Any) -> Expr | None:
    kind = type(expr).__name__
    match kind:
        case "IntImm":
            is_bool = str(expr.ty) == "bool"
            return Const(bool(expr.value), "bool") if is_bool else Const(int(expr.value))
        case "Var":
            return Var(str(expr.name))
        case "Not":
            return _join("not", "bool", _decode(expr.a))
        case "Select":
            return _join("select", INDEX, _decode(expr.condition), _decode(expr.true_value), _decode(expr.false_value))
    if kind in _DECODE:
        return _join(_DECODE[kind], INDEX, _decode(expr.a), _decode(expr.b))
    if kind in _DECODE_BOOL:
        return _join(_DECODE_BOOL[kind], "bool", _decode(expr.a), _decode(expr.b))
    return None


def _join(fn: str, dtype: str, *args: Expr | None) -> Expr | None:
    known = tuple(a for a in args if a is not None)
    return Call(fn, known, dtype) if len(known) == len(args) else None
