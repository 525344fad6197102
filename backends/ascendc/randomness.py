"""`random_bits(seed, counter)`: Threefry-2x32-20 in i32 lanes (`uol.ir.randomness` says what it is).

The vector unit has no arithmetic of 64 bits: the seed's words are the scalar unit's, and the counter is two words a lane.
Sums wrap; a rotation is two shifts and an Or; there is no Xor, but x ^ y = (x | y) - (x & y).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uol.backends.ascendc.buffers import View
from uol.backends.ascendc.casts import convert
from uol.backends.ascendc.frame import LANES, ROWS, UNIFORM, Span
from uol.backends.ascendc.indices import Indices
from uol.backends.ascendc.integer_division import SIGN
from uol.backends.ascendc.values import Lanes, Uniform, Unsupported, int_text
from uol.backends.ascendc.vector_unit import VectorUnit
from uol.backends.ascendc.words import halves, positions
from uol.codegen.fold_constants import substituted
from uol.codegen.spec import Read
from uol.codegen.traverse import variables, walk
from uol.ir.nodes import Call, Const, Expr, Var
from uol.ir.randomness import ROTATIONS, ROUNDS
from uol.ir.render import show
from uol.ir.rounding import integer_range
from uol.ir.types import INDEX

if TYPE_CHECKING:
    from uol.backends.ascendc.evaluate import Evaluator

GROUP = 4
"""Rounds between two additions of the key."""


def random_bits(at: Evaluator, seed: Expr, counter: Expr) -> Lanes:
    """The bits of each lane, as i32."""
    key = at.unit.builder.variable("seed", _seed(at, seed), "int64_t")
    low, high = _words(at, counter)
    span = low.span
    first = at.unit.unary("Adds", low, f"threefry_key({key}, 0, 0)")
    second = at.unit.unary("Adds", high, f"threefry_key({key}, 1, 0)")
    spare = at.unit.new(span, "i32", "rotated")
    with at.unit.builder.loop(f"for (int group = 0; group < {ROUNDS // GROUP}; ++group)", "group", runs=True):
        for turn in range(GROUP):
            even, odd = ROTATIONS[turn], ROTATIONS[turn + GROUP]
            _round(at.unit, first.view, second.view, spare, f"(group % 2 == 0 ? {even} : {odd})", span)
        count = at.unit.count(span)
        for word, place, added in ((first.view, 1, "0"), (second.view, 2, "group + 1")):
            text = f"Adds({word}, {word}, threefry_key({key}, (group + {place}) % 3, {added}), {count});"
            at.unit.emit(text, (word,), (word,))
    return first


def _round(unit: VectorUnit, first: View, second: View, spare: View, rotation: str, span: Span) -> None:
    """first += second; second = rotated(second) ^ first."""
    count = unit.count(span)

    def call(name: str, dst: View, *operands: View, by: str = "") -> None:
        texts = ", ".join([str(dst), *map(str, operands), *([by] if by else [])])
        unit.emit(f"{name}({texts}, {count});", operands, (dst,))

    bits, moved = second.of_type("u32"), spare.of_type("u32")
    call("Add", first, first, second)
    call("ShiftLeft", moved, bits, by=f"uint32_t{rotation}")
    call("ShiftRight", bits, bits, by=f"uint32_t(32 - {rotation})")
    call("Or", second, second, spare)
    call("Or", spare, second, first)
    call("And", second, second, first)
    call("Sub", second, spare, second)


def _seed(at: Evaluator, seed: Expr) -> str:
    """The seed as C text: the same for all lanes, and nothing that the scalar unit would have to wrap."""
    while isinstance(seed, Call) and seed.fn == "cast":
        (seed,) = seed.args
    moving = {at.frame.lane, at.frame.row, *at.lets} & variables(seed)
    plain = isinstance(seed, Const | Var) or (isinstance(seed, Read) and not _is_computed(seed.offset))
    if moving or not plain:
        raise Unsupported(
            "a seed that is computed, or varies along the innermost axes: the scalar unit makes it, once for a whole tile",
            "pass the seed as an attribute, and what varies as the counter",
        )
    return f"{int(seed.value)}LL" if isinstance(seed, Const) else at.indices.text(seed)


def _is_computed(offset: Expr) -> bool:
    return any(isinstance(n, Read) for n in walk(offset))


def _words(at: Evaluator, counter: Expr) -> tuple[Lanes, Lanes]:
    """The low and the high word of each lane's counter. The high one of what fits a word is its sign."""
    while isinstance(counter, Call) and counter.fn == "cast" and counter.dtype == "i64":
        (counter,) = counter.args
    unit = at.unit
    if isinstance(counter, Read) and counter.type == "i64":
        wide = at.lanes(at.value(counter), "i64", UNIFORM)
        return halves(unit, wide, "i32"), halves(unit, wide, "i32", upper=True)
    if isinstance(counter, Const) or (isinstance(counter, Var) and counter.type == "i64" and counter.name not in at.lets):
        text = f"{int(counter.value)}LL" if isinstance(counter, Const) else at.indices.text(counter)
        low, high = (Uniform(f"static_cast<int32_t>({word})", "i32") for word in (text, f"({text} >> 32)"))
        return at.lanes(low, "i32", UNIFORM).kept(), at.lanes(high, "i32", UNIFORM)
    if counter.type == "i64":
        raise Unsupported("a counter that is computed in i64: the vector unit has none", "count in i32, or by indices alone")
    found = _index_words(at, counter) if counter.type == INDEX else at.number(counter)
    word = at.lanes(found, "i32", UNIFORM).kept()
    return word, unit.unary("ShiftRight", word, SIGN)


def _index_words(at: Evaluator, counter: Expr) -> Lanes | Uniform:
    """An index as i32 lanes: start + step * lane, exact where it fits a word."""
    bounds, (least, greatest) = at.indices.interval(counter), integer_range("i32")
    if bounds.low is None or bounds.high is None or bounds.low < least or bounds.high > greatest:
        raise Unsupported(
            f"the counter `{show(counter)}` may pass 2**31, and the vector unit has no arithmetic on i64",
            "count within an outer axis, and make that axis part of the seed",
        )
    moving = [(n, s) for n, s in ((at.frame.lane, LANES), (at.frame.row, ROWS)) if n and n in variables(counter)]
    slopes = [_slope(at.indices, counter, n) for n, _ in moving]
    if None in slopes:
        value = at.value(counter)
        return convert(at.unit, value, "i32") if isinstance(value, Lanes) else value
    total: Lanes | Uniform = Uniform(
        f"static_cast<int32_t>({at.indices.text(substituted(counter, at.frame.origins()))})", "i32"
    )
    for (_, span), slope in zip(moving, slopes, strict=True):
        steps = positions(at.unit, span, "i32")
        steps = steps if slope == 1 else at.unit.unary("Muls", steps, int_text(slope or 0))
        total = at.unit.binary("Add", total, steps) if isinstance(total, Lanes) else at.unit.unary("Adds", steps, total.text)
    return total


def _slope(indices: Indices, expr: Expr, axis: str) -> int | None:
    """What a step along the axis adds, where that is always the same, and fits a word."""
    slope = indices.slope(expr, axis)
    return slope if slope is not None and abs(slope) < 2**31 else None
