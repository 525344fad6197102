"""Conditions as masks: one bit a lane, by Compare and by And, Or, Not of 16 bits at a time.

Compare takes f32; of i32 only equality, so that a <= b is min(a, b) == a.
"""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.casts import convert
from uol.backends.ascendc.arithmetic.int64_pairs import words_of
from uol.backends.ascendc.vector.evaluation import Evaluation
from uol.backends.ascendc.vector.tile import UNIFORM, Span
from uol.backends.ascendc.vector.values import ELSEWHERE, Lanes, Mask, Truth, Uniform, Unsupported, Value, int_text, real
from uol.codegen.specs.nodes import Read
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.render import show
from uol.ir.program.walk import variables
from uol.ir.types import INDEX

MODES = {"<": "LT", "<=": "LE", ">": "GT", ">=": "GE", "==": "EQ", "!=": "NE"}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
BITS = {"and": "And", "or": "Or"}


def truth_of(at: Evaluation, expr: Expr) -> Truth:
    """The condition: a mask, or C text where it is the same for all lanes."""
    match expr:
        case Const(value=value):
            return Uniform("true" if value else "false", "bool", int(bool(value)))
        case Var(name=name) if name in at.lets:
            return _as_truth(at, at.lets[name])
        case Read():
            return _as_truth(at, at.load(expr))
        case Call(fn="cast", args=(a,)) if a.type == "bool":
            return truth_of(at, a)
        case Call(fn="cast", args=(a,)):
            return _as_truth(at, at.number(a))
        case Call(fn="not", args=(a,)):
            return negated(at, truth_of(at, a))
        case Call(fn="and" | "or" as fn, args=(a, b)):
            return joined(at, fn, truth_of(at, a), truth_of(at, b))
        case Call(fn="==" | "!=" as fn, args=(a, b)) if a.type == "bool":
            equal = _chosen(at, truth_of(at, a), (yes := truth_of(at, b)), negated(at, yes))
            return equal if fn == "==" else negated(at, equal)
        case Call(fn="select", args=(c, a, b)):
            return _chosen(at, truth_of(at, c), truth_of(at, a), truth_of(at, b))
        case Call(fn=fn, args=(a, b)) if fn in MODES:
            return _compared(at, fn, a, b)
    raise Unsupported(f"no instructions for the condition `{show(expr)}`", ELSEWHERE)


def mask_of(at: Evaluation, truth: Truth, span: Span) -> Mask:
    """The condition as a mask over at least a span."""
    if isinstance(truth, Mask):
        return spread(at, truth, truth.span | at.frame.span(span))
    span = at.frame.span(span)
    view = at.unit.mask(span)
    words = view.of_type("u16")
    count = view.buffer.elements // 2
    at.unit.emit(f"Duplicate({words}, uint16_t({truth.text} ? 0xffff : 0), {count});", (), (view,))
    return Mask(view, span)


def spread(at: Evaluation, mask: Mask, span: Span) -> Mask:
    """A mask over a wider span, by way of ones and zeros."""
    span = at.frame.span(span)
    if mask.span == span:
        return mask
    return at.unit.compare("NE", at.unit.broadcast(ones(at, mask), span), real(0.0))


def ones(at: Evaluation, mask: Mask) -> Lanes:
    """1 where the bit is set, else 0, in f32."""
    return at.unit.select(mask, at.unit.duplicate(real(1.0), mask.span, "f32", "ones"), real(0.0))


def as_number(at: Evaluation, truth: Truth, dtype: str) -> Value:
    """A condition cast to a number: 1 or 0."""
    if isinstance(truth, Uniform):
        one, zero = ("1.0f", "0.0f") if dtype in ("f32", "f16", "bf16") else ("1", "0")
        return Uniform(f"({truth.text} ? {one} : {zero})", dtype, truth.number)
    return convert(at.unit, ones(at, truth), dtype)


def _as_truth(at: Evaluation, value: Value | Truth) -> Truth:
    if isinstance(value, Mask):
        return value
    if isinstance(value, Uniform):
        return value if value.dtype == "bool" else Uniform(f"({value.text} != 0)", "bool")
    return at.unit.compare("NE", convert(at.unit, value, "f32"), real(0.0))


def negated(at: Evaluation, truth: Truth) -> Truth:
    """The opposite of a condition."""
    return at.unit.bits("Not", truth) if isinstance(truth, Mask) else Uniform(f"!({truth.text})", "bool")


def _chosen(at: Evaluation, condition: Truth, yes: Truth, no: Truth) -> Truth:
    """One of two conditions: the first one where `condition` holds."""
    return joined(at, "or", joined(at, "and", condition, yes), joined(at, "and", negated(at, condition), no))


def joined(at: Evaluation, fn: str, a: Truth, b: Truth) -> Truth:
    """Both conditions, or either, over all axes that one of them varies over."""
    if isinstance(a, Uniform) and isinstance(b, Uniform):
        return Uniform(f"({a.text} {'&&' if fn == 'and' else '||'} {b.text})", "bool")
    span = (a.span if isinstance(a, Mask) else UNIFORM) | (b.span if isinstance(b, Mask) else UNIFORM)
    return at.unit.bits(BITS[fn], mask_of(at, a, span), mask_of(at, b, span))


def _compared(at: Evaluation, fn: str, a: Expr, b: Expr) -> Truth:
    if a.type == INDEX and not {at.frame.lane, at.frame.row} & (variables(a) | variables(b)):
        return Uniform(f"({at.indices.text(Call(fn, (a, b), 'bool'))})", "bool")
    if a.type == "i64":
        return _compared_longs(at, fn, a, b)
    x, y = (at.value(e) if e.type == INDEX else at.number(e) for e in (a, b))
    if isinstance(x, Uniform) and isinstance(y, Uniform):
        return Uniform(f"({x.text} {fn} {y.text})", "bool")
    if isinstance(x, Uniform):
        x, y, fn = y, x, MIRRORED[fn]
    assert isinstance(x, Lanes)
    if x.dtype == "f32":
        if isinstance(y, Uniform) and y.dtype == INDEX:
            y = Uniform(f"static_cast<float>({y.text})", "f32")
        return at.unit.compare(MODES[fn], x, y)
    return _compared_integers(at, fn, x, y)


def _compared_integers(at: Evaluation, fn: str, x: Lanes, y: Value) -> Mask:
    if isinstance(y, Uniform):
        y = at.unit.duplicate(y, x.span, "i32")
    x, y = at.unit.alike(x, y)
    x, y = x.kept(), y.kept()
    if fn in ("==", "!="):
        equal = at.unit.compare("EQ", x, y)
        return equal if fn == "==" else at.unit.bits("Not", equal)
    lower, upper = (x, y) if fn in ("<=", ">") else (y, x)
    holds = at.unit.compare("EQ", at.unit.binary("Min", lower, upper), lower)  # lower <= upper
    return holds if fn in ("<=", ">=") else at.unit.bits("Not", holds)


def _compared_longs(at: Evaluation, fn: str, a: Expr, b: Expr) -> Mask:
    """By the high words, and where they are equal by the low ones."""
    (x_low, x), (y_low, y) = words_of(at, a), words_of(at, b)
    x, y = x.kept(), y.kept()
    equal = _compared_integers(at, "==", x, y)
    if fn in ("==", "!="):
        both = at.unit.bits("And", equal, _compared_integers(at, "==", x_low, y_low))
        return both if fn == "==" else at.unit.bits("Not", both)
    strict = fn[0]
    lows = (at.unit.unary("Adds", low, int_text(-(2**31))) for low in (x_low, y_low))  # unsigned, as it were
    lower = at.unit.bits("And", equal, _compared_integers(at, fn, *lows))
    return at.unit.bits("Or", _compared_integers(at, strict, x, y), lower)
