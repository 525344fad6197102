"""Instruction selection: typed expressions to vector instructions.

Floats are computed in f32, whatever their type: f16 and bf16 are widened when they come in, and rounded where the expression
casts or stores them. Integers are computed in i32. What is the same for all lanes stays C text for the scalar unit as long
as that is exact (constants, attributes, sums and products of them).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from uol.backends.ascendc.arithmetic.bits import of_longs, of_words
from uol.backends.ascendc.arithmetic.casts import FLOATS, convert
from uol.backends.ascendc.arithmetic.elementary import FUNCTIONS
from uol.backends.ascendc.arithmetic.f8 import F8
from uol.backends.ascendc.arithmetic.int64_pairs import BIT_FUNCTIONS
from uol.backends.ascendc.arithmetic.integer_division import divided
from uol.backends.ascendc.arithmetic.min_max import INTEGER_CALL, extremum
from uol.backends.ascendc.arithmetic.powers import power
from uol.backends.ascendc.arithmetic.threefry import random_bits
from uol.backends.ascendc.transfers.indices import Indices
from uol.backends.ascendc.vector.predicates import as_number, mask_of, truth_of
from uol.backends.ascendc.vector.tile import LANES, ROWS, TILE, UNIFORM, Frame, Span
from uol.backends.ascendc.vector.unit import VectorUnit, positions
from uol.backends.ascendc.vector.values import ELSEWHERE, Lanes, Mask, Truth, Uniform, Unsupported, Value, int_text, real
from uol.codegen.indexing.arithmetic import static, substituted
from uol.codegen.specs.nodes import Read
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.render import show
from uol.ir.program.walk import variables
from uol.ir.types import INDEX, is_float

ARITHMETIC = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div"}
COMPUTED = {**dict.fromkeys(FLOATS, "f32"), "i32": "i32", "i16": "i32", "i8": "i32", "u8": "i32"}
"""The type in which values of a type are computed; others can only be cast and moved."""
SHORT_INTEGERS = ("i16", "i8", "u8")
CHOOSING = frozenset({"max", "min"})
EXACT_IN_F32 = 2**24
EXACT_QUOTIENTS = 2**22
"""Below this, floor((x + 0.5) * (1 / c)) in f32 is the floored quotient: two roundings move it by less than 0.5 / c."""


@dataclass(slots=True)
class Evaluator:
    """Evaluates expressions at one place of a kernel.

    load   brings a read's lanes
    lets   values of earlier steps, by name
    """

    unit: VectorUnit
    indices: Indices
    load: Callable[[Read], Value]
    lets: dict[str, Value | Truth] = field(default_factory=dict)
    shared: frozenset[Expr] = frozenset()
    """Expressions that occur more than once: they are computed once, and kept."""
    _numbers: dict[Expr, Value] = field(default_factory=dict)
    _values: dict[Expr, Value] = field(default_factory=dict)

    @property
    def frame(self) -> Frame:
        return self.unit.frame

    def value(self, expr: Expr) -> Value:
        """The expression's value, in whatever type it is at hand; `number` brings it to the type of computation."""
        match expr:
            case Const(value=value, dtype=dtype):
                return real(float(value)) if is_float(dtype) else Uniform(int_text(int(value)), dtype, int(value))
            case Var(name=name) if name in self.lets:
                known = self.lets[name]
                if not isinstance(known, Lanes | Uniform):
                    raise Unsupported(
                        f"{name} is a condition, which is a bit a lane", "make it a number where it is used: `select(c, 1, 0)`"
                    )
                return known
            case Var(name=name, dtype=dtype) if dtype != INDEX:
                return Uniform(self.indices.names[name], dtype)
            case Read():
                return self._once(self._values, expr, lambda: self.load(expr))
            case Call(fn="cast", args=(a,)):
                return self._once(self._values, expr, lambda: self._cast(a, expr.dtype))
            case Call(fn="select", args=(c, a, b)):
                return self._select(c, a, b)
            case Call(fn="random_bits", args=(seed, counter)):
                return self._once(self._values, expr, lambda: random_bits(self, seed, counter))
            case Call(fn=fn) if fn in BIT_FUNCTIONS:
                return self._once(self._values, expr, lambda: self._of_bits(expr))
        if expr.type == INDEX:
            return self._index(expr)
        if isinstance(expr, Call):
            return self._once(self._values, expr, lambda: self._call(expr))
        raise Unsupported(f"no instructions for `{show(expr)}`", ELSEWHERE)

    def number(self, expr: Expr) -> Value:
        """The value in the type in which values of its type are computed."""
        return self._once(self._numbers, expr, lambda: self.computed(self.value(expr), expr.type))

    def step_value(self, expr: Expr) -> Value | Truth:
        """The value of a step, to be used by name."""
        return truth_of(self, expr) if expr.type == "bool" else self.value(expr)

    def _once(self, known: dict[Expr, Value], expr: Expr, make: Callable[[], Value]) -> Value:
        """What is made of a shared expression is made once."""
        if expr not in self.shared or isinstance(expr, Const | Var):
            return make()
        if expr not in known:
            value = make()
            known[expr] = value.kept() if isinstance(value, Lanes) else value
        return known[expr]

    def computed(self, value: Value, dtype: str) -> Value:
        if isinstance(value, Uniform):
            return value
        if dtype not in COMPUTED:
            raise _no_arithmetic(dtype)
        return convert(self.unit, value, COMPUTED[dtype])

    def lanes(self, value: Value, dtype: str, span: Span) -> Lanes:
        """The value as lanes of at least a span."""
        if isinstance(value, Uniform):
            return self.unit.duplicate(value, self.frame.span(span), dtype)
        return self.unit.broadcast(value, value.span | self.frame.span(span))

    def _cast(self, source: Expr, dtype: str) -> Value:
        if source.type == "bool":
            return as_number(self, truth_of(self, source), dtype)
        if dtype == "bool":
            raise Unsupported("a condition is needed as a number, and is a bit a lane", "use `select(c, 1, 0)`")
        value = self.value(source)
        if isinstance(value, Uniform):
            return self._cast_uniform(value, dtype)
        if source.type == INDEX and not is_float(dtype):
            value = convert(self.unit, value, "i32")  # an index is held as f32, but wraps as an integer
        return convert(self.unit, value, dtype)

    def _cast_uniform(self, value: Uniform, dtype: str) -> Value:
        if value.dtype == dtype:
            return value
        if dtype in F8:
            wide = value if is_float(value.dtype) else Uniform(f"static_cast<float>({value.text})", "f32")
            return convert(self.unit, self.lanes(wide, "f32", UNIFORM), dtype)  # rounded: no text of the scalar unit's is
        if value.number is not None:
            number = value.number
            return real(float(number)) if is_float(dtype) else Uniform(int_text(int(number)), dtype, int(number))
        if is_float(dtype) and is_float(value.dtype):
            return Uniform(value.text, dtype)
        if is_float(dtype):
            return Uniform(f"static_cast<float>({value.text})", dtype)
        if dtype == "i32" and value.dtype in (INDEX, "i64"):
            return Uniform(f"static_cast<int32_t>({value.text})", dtype)
        if dtype in ("i32", "i64") and not is_float(value.dtype):
            return Uniform(value.text, dtype)
        raise Unsupported(
            f"a cast of an attribute from {value.dtype} to {dtype} in the kernel", f"pass the attribute as {dtype}"
        )

    def _select(self, condition: Expr, a: Expr, b: Expr) -> Value:
        truth = truth_of(self, condition)
        if isinstance(truth, Uniform) and truth.number is not None:
            return self.number(a if truth.number else b)
        half = stays_half(a) and stays_half(b)
        yes, no = (self.value(e) if half else self.number(e) for e in (a, b))
        span = truth.span if isinstance(truth, Mask) else UNIFORM
        for arm in (yes, no):
            span |= arm.span if isinstance(arm, Lanes) else UNIFORM
        if half and not self._in_place(yes, no):
            half, yes, no = False, self.computed(yes, a.type), self.computed(no, b.type)
        mask = mask_of(self, truth, span)
        dtype = "f16" if half else COMPUTED[a.type]
        if isinstance(yes, Uniform) and isinstance(no, Lanes):
            return self.unit.select(self.unit.bits("Not", mask), self.unit.broadcast(no, mask.span), yes)
        return self.unit.select(mask, self.lanes(yes, dtype, mask.span), no)

    def _in_place(self, *values: Value) -> bool:
        """Do all lanes vary over the whole tile? Whatever has to be spread, or compared on its own, must be of 32 bits."""
        return all(isinstance(v, Uniform) or v.span == self.frame.span(TILE) for v in values) and bool(self.frame.lane)

    def _index(self, expr: Expr) -> Value:
        """An index as a value: C text where it is uniform, else f32, which holds it exactly."""
        sides: tuple[tuple[str, Span], ...] = ((self.frame.lane, LANES), (self.frame.row, ROWS))
        moving = [(n, s) for n, s in sides if n and n in variables(expr)]
        if not moving:
            return Uniform(self.indices.text(expr), INDEX, static(expr))
        bounds = self.indices.interval(expr)
        if bounds.low is None or bounds.high is None or max(-bounds.low, bounds.high) >= EXACT_QUOTIENTS:
            raise Unsupported(
                f"the index `{show(expr)}` as a value: it may pass {EXACT_QUOTIENTS}, the most that f32 divides exactly",
                "split the axis, or pass the indices as a tensor",
            )
        slopes = [self.indices.slope(expr, n) for n, _ in moving]
        if None in slopes:
            return self._index_call(expr)
        first = substituted(expr, self.frame.origins())
        total: Value = Uniform(f"static_cast<float>({self.indices.text(first)})", "f32")
        for (_, span), slope in zip(moving, slopes, strict=True):
            steps = positions(self.unit, span)
            steps = steps if slope == 1 else self.unit.unary("Muls", steps, real(float(slope or 0)).text)
            total = self._arithmetic("+", steps, total, "f32")
        return total

    def _index_call(self, expr: Expr) -> Value:
        """Quotients and remainders of indices by constants, and what is made of them."""
        match expr:
            case Call(fn="/" | "%" as fn, args=(a, Const(value=divisor))) if int(divisor) > 0:
                dividend = self._as_f32(self._index(a)).kept()
                shifted = self.unit.unary("Adds", dividend, "0.5f")
                quotient = self.unit.round(self.unit.unary("Muls", shifted, real(1.0 / int(divisor)).text), "FLOOR")
                if fn == "/":
                    return quotient
                whole = self.unit.unary("Muls", quotient, real(float(divisor)).text)
                return self.unit.binary("Sub", dividend, whole)
            case Call(fn="+" | "-" | "*" as fn, args=(a, b)):
                return self._arithmetic(fn, self._index_operand(a), self._index_operand(b), "f32")
            case Call(fn="max" | "min" as fn, args=(a, b)):  # no index is NaN
                return self._index_extremum(fn, self._index_operand(a), self._index_operand(b))
        raise Unsupported(
            f"the index `{show(expr)}` as a value: lanes have +, -, *, /, %, max and min only", "pass the indices as a tensor"
        )

    def _index_extremum(self, fn: str, a: Value, b: Value) -> Lanes:
        call = INTEGER_CALL[fn]
        if isinstance(a, Uniform):
            a, b = b, a
        lanes = self._as_f32(a)
        return self.unit.unary(f"{call}s", lanes, b.text) if isinstance(b, Uniform) else self.unit.binary(call, lanes, b)

    def _index_operand(self, expr: Expr) -> Value:
        value = self._index(expr)
        return value if isinstance(value, Lanes) else Uniform(f"static_cast<float>({value.text})", "f32", value.number)

    def _as_f32(self, value: Value) -> Lanes:
        assert isinstance(value, Lanes)
        return value

    def _call(self, call: Call) -> Value:
        fn, dtype = call.fn, call.dtype
        half = stays_half(call)
        values = [self.value(a) if half else self.number(a) for a in call.args]
        uniform = [v for v in values if isinstance(v, Uniform)]
        if len(uniform) == len(values) and (found := self._uniform(fn, uniform, dtype)) is not None:
            return found
        match fn, values:
            case _ if dtype not in COMPUTED:
                raise _no_arithmetic(dtype)
            case "/" | "%", [a, b] if not is_float(dtype):
                dividend = a if isinstance(a, Lanes) else self.lanes(a, "i32", b.span if isinstance(b, Lanes) else UNIFORM)
                return self._wrapped(divided(self.unit, fn, dividend, b), dtype)
            case "+" | "-" | "*" | "/", [a, b]:
                return self._wrapped(self._arithmetic(fn, a, b, dtype), dtype)
            case "max" | "min", [a, b]:
                if isinstance(a, Uniform) and isinstance(b, Uniform):
                    a = self.lanes(a, COMPUTED[dtype], frozenset())
                if half and not self._in_place(a, b):
                    a, b = self.computed(a, dtype), self.computed(b, dtype)
                return extremum(self.unit, fn, a, b)
            case "neg", [Lanes() as a]:
                return self._wrapped(self.unit.unary("Muls", a, "-1.0f" if a.dtype == "f32" else "-1"), dtype)
            case _, [a] if fn in FUNCTIONS and is_float(dtype):
                return FUNCTIONS[fn](self.unit, self.lanes(a, "f32", frozenset()))
            case "pow", [a, b] if is_float(dtype):
                return power(self.unit, self.lanes(a, "f32", UNIFORM), self.lanes(b, "f32", UNIFORM))
            case "abs", [Lanes() as a]:
                negative = self.unit.unary("Muls", a.kept(), "-1")
                return self._wrapped(self.unit.binary(INTEGER_CALL["max"], negative, a), dtype)
        raise Unsupported(f"{fn} on {dtype}: no instruction sequence of known accuracy", ELSEWHERE)

    def _of_bits(self, call: Call) -> Value:
        if call.dtype == "i64":
            return of_longs(self, call.fn, call.args)
        return self._wrapped(of_words(self.unit, call.fn, [self.number(a) for a in call.args]), call.dtype)

    def _uniform(self, fn: str, values: list[Uniform], dtype: str) -> Uniform | None:
        """Sums, differences and products of uniform values: the scalar unit rounds them as the vector unit would."""
        if fn == "neg":
            return Uniform(f"(-{values[0].text})", dtype)
        if fn in ("+", "-", "*") and (is_float(dtype) or dtype == "i32"):
            return Uniform(f"({values[0].text} {fn} {values[1].text})", dtype)
        return None

    def _arithmetic(self, fn: str, a: Value, b: Value, dtype: str) -> Lanes:
        kind = COMPUTED.get(dtype, dtype)
        if isinstance(a, Uniform) and isinstance(b, Uniform):
            a = self.lanes(a, kind, frozenset())
        if isinstance(b, Uniform) and fn in ("+", "-", "*") and isinstance(a, Lanes):
            text = b.text if fn != "-" else _negated(b)
            return self.unit.unary("Muls" if fn == "*" else "Adds", a, text)
        if isinstance(a, Uniform) and fn in ("+", "*") and isinstance(b, Lanes):
            return self.unit.unary("Muls" if fn == "*" else "Adds", b, a.text)
        if isinstance(b, Uniform) and fn == "/" and isinstance(a, Lanes) and _power_of_two(b.number):
            return self.unit.unary("Muls", a, real(1.0 / float(b.number or 1)).text)
        span = a.span if isinstance(a, Lanes) else b.span if isinstance(b, Lanes) else frozenset()
        return self.unit.binary(ARITHMETIC[fn], self._operand(a, kind, span), self._operand(b, kind, span))

    def _wrapped(self, value: Value, dtype: str) -> Value:
        """Short integers wrap after every operation that may leave their range."""
        return convert(self.unit, value, dtype) if dtype in SHORT_INTEGERS and isinstance(value, Lanes) else value

    def _operand(self, value: Value, dtype: str, span: Span) -> Lanes:
        return value if isinstance(value, Lanes) else self.unit.duplicate(value, span, dtype)


def _no_arithmetic(dtype: str) -> Unsupported:
    if dtype == "i64":
        reason = "arithmetic on i64 that may pass 32 bits: the vector unit has none"
        return Unsupported(reason, "bound what is read (`x[n] % 1000`), or compute in i32 or f32")
    return Unsupported(f"arithmetic on {dtype}: the vector unit has none", "compute in f32")


def _negated(value: Uniform) -> str:
    return value.text[1:] if value.text.startswith("-") else f"-{value.text}"


def _power_of_two(number: float | int | None) -> bool:
    """Dividing by such a number is multiplying by its inverse, exactly."""
    if number is None or number == 0 or number != number:
        return False
    from math import frexp, isinf

    return not isinf(number) and abs(frexp(float(number))[0]) == 0.5 and 2.0**-100 < abs(float(number)) < 2.0**100


def stays_half(expr: Expr) -> bool:
    """Does a value of f16 stay in f16: is it chosen from what is read (and constants), never computed? It is exact there, takes
    half the room and twice the lanes, and needs no conversion."""
    if expr.type != "f16":
        return False
    match expr:
        case Read():
            return True
        case Const():
            return True
        case Call(fn=fn, args=args) if fn in CHOOSING:
            return all(stays_half(a) for a in args) and any(not isinstance(a, Const) for a in args)
        case Call(fn="select", args=(_, a, b)):
            return stays_half(a) and stays_half(b) and not (isinstance(a, Const) and isinstance(b, Const))
    return False
