"""Typed expressions as C.

Narrow floats are computed in float: an operation of type f16 converts its operands, computes, and rounds where the result
may not be exact in f16. Integers wrap, so i32 and i64 arithmetic goes through unsigned. Index arithmetic is plain: the
kernel's index type was chosen to hold all of it that is not of data. Where data has a part in an index, and nothing says that
32 bits hold it, that index alone is computed in 64.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn

from uol.backends.c_text.index_intervals import NATURAL, Ranges, fits_int
from uol.backends.c_text.names import Names
from uol.backends.simt.c_text.proofs import NARROW as NARROW_INDEX
from uol.backends.simt.c_text.proofs import WIDE as WIDE_INDEX
from uol.backends.simt.c_text.proofs import Proofs
from uol.backends.simt.c_text.term import Term
from uol.backends.simt.c_text.types import COMPUTE, SHORT_INTEGERS, STORAGE, WIDE_INTEGERS
from uol.codegen.specs.nodes import Guard, Holds, Read, Within
from uol.codegen.specs.search import Search
from uol.ir.errors import UolError
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import walk
from uol.ir.types import INDEX, NARROW, held_by_every_float, integer_range, is_float, is_integer

TERNARY, OR, AND, EXCLUSIVE_OR, EQUALITY, RELATION, ADDITIVE, MULTIPLICATIVE, UNARY, PRIMARY = range(1, 11)
"""Precedence of C's operators, loosest first."""

BINARY = {
    "or": ("||", OR),
    "and": ("&&", AND),
    "==": ("==", EQUALITY),
    "!=": ("!=", EQUALITY),
    "<": ("<", RELATION),
    "<=": ("<=", RELATION),
    ">": (">", RELATION),
    ">=": (">=", RELATION),
    "+": ("+", ADDITIVE),
    "-": ("-", ADDITIVE),
    "*": ("*", MULTIPLICATIVE),
    "/": ("/", MULTIPLICATIVE),
}

EXACT_IN_NARROW = frozenset({"max", "min", "neg", "abs", "select", "floor", "ceil", "round"})
"""Functions whose result is of the type wherever their operands are: nothing to round."""

EXACT_IN_SHORT = frozenset({"max", "min", "select", "bit_and", "bit_or", "bit_xor", "shift_right"})
"""Operations on short integers that do not leave their range; the negative of the least does, and so does its size."""

EXACT_SOURCES = {*NARROW} | SHORT_INTEGERS | {"f32", "bool"}
"""Types that float holds exactly, so that a conversion to a narrow one by way of it rounds once."""


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints expressions of one kernel. `index_type` is the C type of indices, `wide` are variables of 64 bits among them where
    it is `int`."""

    names: Names
    proofs: Proofs
    index_type: str = NARROW_INDEX
    wide: frozenset[str] = frozenset()

    @property
    def ranges(self) -> Ranges:
        return self.proofs.ranges

    def where(self, guards: Iterable[Guard]) -> Printer:
        """A printer for places where the guards hold."""
        return replace(self, proofs=self.proofs.where(guards))

    def bound(self, **text: str) -> Printer:
        """A printer that prints variables as the given C expressions."""
        return replace(self, names=self.names.bound(**text))

    def natural(self, name: str, text: str) -> Printer:
        """A printer that knows a variable that is never negative, printed as the given C expression."""
        ranges = self.proofs.ranges
        known = replace(ranges, variables={**ranges.variables, name: NATURAL})
        return replace(self.bound(**{name: text}), proofs=replace(self.proofs, ranges=known))

    def ctype(self, dtype: str) -> str:
        """The C type of a local variable."""
        return self.index_type if dtype == INDEX else COMPUTE[dtype]

    def index_ctype(self, expr: Expr) -> str:
        """The C type of an index."""
        return WIDE_INDEX if self.is_wide(expr) else self.index_type

    def is_wide(self, expr: Expr) -> bool:
        """Has an index 64 bits? Where others have 32: if data has a part in it, or in a step on the way to it, of which nothing
        says that it fits."""
        if self.index_type == WIDE_INDEX:
            return True
        match expr:
            case Call(fn="cast", args=(source,)) if source.type != INDEX:
                return COMPUTE[source.type] == WIDE_INDEX and not self._fits(expr)
            case Var(name=name):
                return name in self.wide and not self._fits(expr)
            case Call(dtype=dtype) if dtype == INDEX:
                return any(map(self.is_wide, expr.args)) or self._outgrows(expr)
        return False

    def _outgrows(self, expr: Expr) -> bool:
        """May an operation on indices of 32 bits need more, for what data has put into them?"""
        nodes = list(walk(expr))
        is_of_data = any(isinstance(n, Read | Search) or (isinstance(n, Var) and n.name in self.wide) for n in nodes)
        return is_of_data and not self._fits(expr)

    def _fits(self, expr: Expr) -> bool:
        return fits_int(self.ranges.of(expr))

    def value(self, expr: Expr, level: int = 0) -> str:
        """The expression in its compute type; in parentheses if it binds looser than `level`."""
        match expr:
            case Const():
                return self._constant(expr, level)
            case Var(name=name):
                text = self.names.variable(name)
                return f"int({text})" if name in self.wide and self._fits(expr) else text
            case Read():
                return self._read(expr, level, stored=False)
            case Search():
                return self._search(expr, level)
            case Term():
                return expr.c_text(self, level)
            case Call(fn="cast"):
                return self._cast(expr, level)
            case Call(dtype=dtype, fn=fn) if dtype in NARROW and fn not in EXACT_IN_NARROW:
                return f"float(uol::{dtype}({self._call(expr, 0)}))"
            case Call(dtype=dtype) if dtype in SHORT_INTEGERS and expr.fn not in EXACT_IN_SHORT:
                return f"int(({STORAGE[dtype]})({self._call(expr, 0)}))"
            case Call():
                return self._call(expr, level)
        return self._refuse(expr)

    def stored(self, expr: Expr, level: int = 0) -> str:
        """The expression in its storage type, as it is written to memory. Short integers convert where they are written."""
        if isinstance(expr, Term):
            return expr.c_text(self, level)
        if expr.type not in NARROW:
            return self._short_call(expr, level) or self.value(expr, level)
        match expr:
            case Read():
                return self._read(expr, level, stored=True)
            case Call(fn="select", args=(condition, a, b)):
                arms = f"{self.where([Holds(condition)]).stored(a, OR)} : {self.stored(b, TERNARY)}"
                return _group(f"{self.value(condition, OR)} ? {arms}", TERNARY, level)
            case Call(fn="cast", args=(source,)):
                return self._to_narrow(source, expr.dtype)
            case Call():
                return f"uol::{expr.dtype}({self._call(expr, 0)})"
        return f"uol::{expr.type}({self.value(expr)})"

    def _short_call(self, expr: Expr, level: int) -> str | None:
        """Arithmetic on short integers without the wrap that the assignment does anyway."""
        if isinstance(expr, Call) and expr.dtype in SHORT_INTEGERS and expr.fn != "cast":
            return self._call(expr, level)
        return None

    def condition(self, guards: Iterable[Guard], level: int = 0) -> str:
        """The conjunction of guards; empty where there are none."""
        parts: list[str] = []
        for guard in guards:
            match guard:
                case Within(value, low, high):
                    parts += [f"{self.value(value, ADDITIVE)} >= {self.value(low, ADDITIVE)}"] if low is not None else []
                    parts += [f"{self.value(value, ADDITIVE)} < {self.value(high, ADDITIVE)}"] if high is not None else []
                case Holds(condition):
                    parts.append(self.value(condition, AND))
        text = " && ".join(parts)
        return _group(text, AND, level) if len(parts) > 1 else text

    def _constant(self, const: Const, level: int) -> str:
        text = literal(const, wide=const.dtype == INDEX and abs(int(const.value)) >= 2**31)
        return f"({text})" if text.startswith("-") and level > UNARY else text

    def _read(self, read: Read, level: int, *, stored: bool) -> str:
        inside = self.where(read.guard)
        element = f"{self.names.tensor(read.tensor)}[{inside.value(read.offset)}]"
        if not stored and STORAGE[read.dtype] != COMPUTE[read.dtype]:
            element = f"{COMPUTE[read.dtype]}({element})"
        if not read.guard:
            return element
        if read.fill is None:
            raise UolError(f"the guarded read of {read.tensor} has no fill")
        fill = self.stored(read.fill, TERNARY) if stored else self.value(read.fill, TERNARY)
        return _group(f"{self.condition(read.guard, AND)} ? {element} : {fill}", TERNARY, level)

    def _search(self, search: Search, level: int) -> str:
        """`uol::upper_bound<int>(edges, 1, 257, x[n])`: a number of keys is counted as an index."""
        name, index = "upper_bound" if search.equal else "lower_bound", self.index_type
        operands = ", ".join(map(self.value, (search.stride, search.count, search.value)))
        text = f"uol::{name}<{index}>({self.names.tensor(search.tensor)}, {operands})"
        wanted = self.ctype(search.dtype)
        if wanted == index:
            return text
        return f"{wanted}({text})" if " " not in wanted else _group(f"({wanted}){text}", UNARY, level)

    def _cast(self, call: Call, level: int) -> str:
        (source,) = call.args
        target = call.dtype
        if source.type == target or (source.type == INDEX and self._is_index_as_it_is(source, target)):
            return self.value(source, level)
        if target in NARROW:
            return f"float({self._to_narrow(source, target)})"
        if is_integer(target) and is_float(source.type):
            return _to_compute(f"uol::cast<{STORAGE[target]}>({self.value(source)})", target)
        if target == "bool":
            return _group(f"{self.value(source, EQUALITY)} != {self._zero(source.type)}", EQUALITY, level)
        if target == INDEX and self.is_wide(call) and COMPUTE.get(source.type) == WIDE_INDEX:
            return self.value(source, level)
        if COMPUTE.get(source.type) == self.ctype(target) and (target not in SHORT_INTEGERS):
            return self.value(source, level)
        if target in SHORT_INTEGERS:
            return f"int(({STORAGE[target]}){self.value(source, UNARY)})"
        ctype = self.ctype(target)
        if " " in ctype:
            return _group(f"({ctype}){self.value(source, UNARY)}", UNARY, level)
        return f"{ctype}({self._operand(source)})"

    def _is_index_as_it_is(self, source: Expr, target: str) -> bool:
        """Is an index of that type already? A short integer is held as an int, but wraps."""
        if self.index_type != self.ctype(target):
            return False
        if target not in SHORT_INTEGERS:
            return True
        low, high = integer_range(target)
        found = self.proofs.ranges.of(source)
        return found.low is not None and found.high is not None and low <= found.low and found.high <= high

    def _operand(self, source: Expr) -> str:
        """What a conversion converts. (`float(int(q[i]))` could be read as the type of a function.)"""
        if isinstance(source, Read) and source.type in SHORT_INTEGERS:
            return self._read(source, 0, stored=True)
        return self.value(source)

    def _to_narrow(self, source: Expr, dtype: str) -> str:
        """Rounded once: by way of float only from types that float holds."""
        match source:
            case Call(fn="cast", dtype="f32", args=(value,)) if value.type == dtype:
                source = value  # widened and rounded again: as it was
        if source.type == dtype:
            return self.stored(source)
        if isinstance(source, Read) and source.type in EXACT_SOURCES:  # `float(uol::f16(x[i]))` could be the type of a function
            text = self._operand(source)
            return f"uol::cast<uol::{dtype}>({text if is_float(source.type) else f'float({text})'})"
        if source.type in EXACT_SOURCES:
            text = self._operand(source)
            return f"uol::{dtype}({text})" if is_float(source.type) else f"uol::{dtype}(float({text}))"
        return f"uol::cast<uol::{dtype}>({self.value(source)})"

    def _zero(self, dtype: str) -> str:
        return "0" if dtype == INDEX else literal(Const(0, dtype))

    def _call(self, call: Call, level: int) -> str:
        match call.fn, call.args:
            case "select", (condition, a, b):
                yes = self.where([Holds(condition)]).value(a, OR)
                return _group(f"{self.value(condition, OR)} ? {yes} : {self.value(b, TERNARY)}", TERNARY, level)
            case "not", (a,):
                return _group(f"!{self.value(a, UNARY)}", UNARY, level)
            case "neg", (a,) if call.dtype not in WIDE_INTEGERS:
                return _group(f"-{self.value(a, PRIMARY)}", UNARY, level)
            case "/" | "%", (a, b) if is_integer(call.dtype):
                return self._floor(call.fn, a, b, call.dtype, level)
            case "+" | "-" | "*" | "neg", _ if call.dtype in WIDE_INTEGERS:
                return f"({self.ctype(call.dtype)})({self._wrapping(call, 0)})"
            case fn, (a, b) if fn in BINARY:
                return self._binary(call, a, b, level)
        if not call.fn.isidentifier():
            self._refuse(call)
        return f"uol::{call.fn}({', '.join(self._arguments(*call.args))})"

    def _widens(self, call: Call) -> bool:
        """Is the first of an operation's operands to be widened, for no operand is?"""
        return self.index_type != WIDE_INDEX and self._outgrows(call) and not any(map(self.is_wide, call.args))

    def _binary(self, call: Call, a: Expr, b: Expr, level: int) -> str:
        fn, (symbol, own) = call.fn, BINARY[call.fn]
        if fn == "+" and isinstance(b, Const) and b.dtype == INDEX and b.value < 0:
            symbol, b = "-", Const(-b.value)
        associative = (fn in ("+", "*") and b.type == INDEX and _joins(b, fn)) or fn in ("and", "or")
        if call.dtype == INDEX and self._widens(call):
            left = f"({WIDE_INDEX}){self.value(a, UNARY)}"
        else:
            left = self.value(a, PRIMARY if _warns(fn, a) else own)
        right = self.value(b, PRIMARY if _warns(fn, b) else own if associative else own + 1)
        return _group(f"{left} {symbol} {right}", own, level)

    def _floor(self, fn: str, a: Expr, b: Expr, dtype: str, level: int) -> str:
        if dtype == INDEX and self.proofs.natural(a):  # the quotient is no larger
            return _group(f"{self.value(a, MULTIPLICATIVE)} {fn} {self.value(b, UNARY)}", MULTIPLICATIVE, level)
        return f"uol::floor_{'div' if fn == '/' else 'mod'}({', '.join(self._arguments(a, b))})"

    def _arguments(self, *exprs: Expr) -> list[str]:
        """Of a function whose arguments have one type."""
        if self.index_type == WIDE_INDEX or not any(e.type == INDEX and self.is_wide(e) for e in exprs):
            return list(map(self.argument, exprs))
        return [self.value(e) if self.is_wide(e) else f"({WIDE_INDEX}){self.value(e, UNARY)}" for e in exprs]

    def argument(self, expr: Expr) -> str:
        """Overloads are chosen by type, so that an index constant must have the index type."""
        if isinstance(expr, Const) and expr.dtype == INDEX:
            return literal(expr, wide=self.index_type != "int")
        return self.value(expr)

    def _wrapping(self, expr: Expr, level: int) -> str:
        """i32 or i64 arithmetic in the unsigned type, where overflow wraps as the language says."""
        unsigned = "unsigned" if expr.type == "i32" else "unsigned long long"
        match expr:
            case Call(fn="+" | "-" | "*" as fn, args=(a, b)):
                symbol, own = BINARY[fn]
                return _group(f"{self._wrapping(a, own)} {symbol} {self._wrapping(b, own + 1)}", own, level)
            case Call(fn="neg", args=(a,)):
                return _group(f"-{self._wrapping(a, PRIMARY)}", UNARY, level)
            case Const(value=value) if value >= 0:
                return f"{int(value)}{'u' if expr.type == 'i32' else 'ull'}"
        return _group(f"({unsigned}){self.value(expr, UNARY)}", UNARY, level)

    def _refuse(self, expr: Expr) -> NoReturn:
        raise UolError(f"no C text for {expr}")


def _group(text: str, own: int, level: int) -> str:
    return f"({text})" if own < level else text


def _joins(expr: Expr, fn: str) -> bool:
    """May what is added to an operation, or multiplied by it, stand before it without parentheses? `j / 2 * 2` is no factor."""
    if not isinstance(expr, Call) or expr.fn != fn:
        return False
    while isinstance(expr, Call) and expr.fn == fn:
        expr = expr.args[0]
    return not (fn == "*" and isinstance(expr, Call) and expr.fn in ("/", "%"))


def _warns(fn: str, operand: Expr) -> bool:
    """`a && b || c` is right without parentheses, and draws a warning from every compiler."""
    return fn == "or" and isinstance(operand, Call) and operand.fn == "and"


def _to_compute(text: str, dtype: str) -> str:
    return f"int({text})" if dtype in SHORT_INTEGERS else text


def literal(const: Const, *, wide: bool = False) -> str:
    """The constant in its compute type: `0.1f` for f32, `7` or (`wide`) `7LL` for integers."""
    if const.dtype == "bool":
        return "true" if const.value else "false"
    if is_float(const.dtype):
        return float_literal(float(const.value), const.dtype)
    return integer_literal(int(const.value), wide=wide or const.dtype == "i64")


def float_literal(value: float, dtype: str) -> str:
    """The shortest decimal that reads back as the value, rounded to its type. (Not twice: a half's nearest float is it.)"""
    if held_by_every_float(value):
        return repr(value) if dtype == "f64" else f"{value!r}f"
    import numpy as np  # takes 0.15 s to load, and many kernels have no such literal

    from uol.ir.program.rounding import round_to

    ctype = COMPUTE[dtype]
    value = float(round_to(value, dtype))
    if math.isnan(value):
        return f"uol::nan<{ctype}>()"
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}uol::infinity<{ctype}>()"
    if dtype == "f64":
        return repr(value)
    text = f"{np.format_float_positional(np.float32(value), unique=True, trim='0')}f"
    if abs(value) >= 1e7 or 0 < abs(value) < 1e-4:
        text = f"{np.format_float_scientific(np.float32(value), unique=True, trim='0')}f"
    return text


def integer_literal(value: int, *, wide: bool) -> str:
    """The most negative value has no literal of its own in C."""
    if value in (-(2**31), -(2**63)):
        return f"({integer_literal(value + 1, wide=wide)} - 1)"
    suffix = "LL" if wide or not -(2**31) <= value < 2**31 else ""
    return f"{value}{suffix}"
