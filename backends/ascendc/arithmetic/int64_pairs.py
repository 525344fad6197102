"""Values of 64 bits as two words a lane, low and high: what can be compared, mixed and shifted, though not computed with."""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.casts import convert
from uol.backends.ascendc.arithmetic.integer_division import SIGN
from uol.backends.ascendc.instructions import Buffer, View
from uol.backends.ascendc.machine import BYTES
from uol.backends.ascendc.transfers.indices import Indices
from uol.backends.ascendc.vector.evaluation import Evaluation
from uol.backends.ascendc.vector.tile import LANES, ROWS, UNIFORM
from uol.backends.ascendc.vector.unit import VectorUnit, halves, positions, times
from uol.backends.ascendc.vector.values import Lanes, Uniform, Unsupported, int_text
from uol.codegen.indexing.arithmetic import substituted
from uol.codegen.specs.nodes import Read
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.render import show
from uol.ir.program.walk import variables
from uol.ir.types import INDEX, integer_range

BIT_FUNCTIONS = frozenset({"bit_and", "bit_or", "bit_xor", "bit_not", "shift_left", "shift_right"})


def words_of(at: Evaluation, expr: Expr) -> tuple[Lanes, Lanes]:
    """The low and the high word of each lane's value. The high one of what fits a word is its sign."""
    while isinstance(expr, Call) and expr.fn == "cast" and expr.dtype == "i64":
        (expr,) = expr.args
    unit = at.unit
    is_local = isinstance(expr, Var) and expr.name in at.lets
    is_of_bits = isinstance(expr, Call) and expr.fn in BIT_FUNCTIONS
    if expr.type == "i64" and (isinstance(expr, Read) or is_local or is_of_bits):
        wide = at.lanes(at.value(expr), "i64", UNIFORM)
        return halves(unit, wide, "i32"), halves(unit, wide, "i32", upper=True)
    if isinstance(expr, Const) or (isinstance(expr, Var) and expr.type == "i64" and expr.name not in at.lets):
        text = f"{int(expr.value)}LL" if isinstance(expr, Const) else at.indices.text(expr)
        low, high = (Uniform(f"static_cast<int32_t>({word})", "i32") for word in (text, f"({text} >> 32)"))
        return at.lanes(low, "i32", UNIFORM).kept(), at.lanes(high, "i32", UNIFORM)
    if expr.type == "i64":
        raise Unsupported(
            "arithmetic on i64 that may pass 32 bits: the vector unit has none", "compute in i32"
        )
    found = _index_word(at, expr) if expr.type == INDEX else at.number(expr)
    word = at.lanes(found, "i32", UNIFORM).kept()
    return word, unit.unary("ShiftRight", word, SIGN)


def interleaved(unit: VectorUnit, low: Lanes, high: Lanes) -> Lanes:
    """Values of 64 bits of their words: gathered from the low ones and the high ones, which lie end to end."""
    low, high = unit.alike(low, high)
    room = unit.frame.capacity(low.span)
    both = unit.builder.buffer(Buffer("words", "i32", 2 * room))
    unit.copy_into(both, low)
    unit.copy_into(both.at(str(room)), high)
    wide = unit.new(low.span, "i64")
    table = _word_places(unit, room, both)
    words, count = wide.of_type("i32"), times(unit.count(low.span), 2)
    unit.emit(f"Gather({words}, {both}, {table}, 0, {count});", (both, table), (words,))
    return Lanes(wide, low.span)


def _word_places(unit: VectorUnit, room: int, scratch: View) -> View:
    """The byte offsets of low and high words in turns, the high ones `room` words further; made once before all loops. What is
    written for that must live as long as the table: the scalar unit makes other tables, and waits for nobody."""
    name = f"words_apart_by_{room}"
    if name in unit.builder.buffers:
        return unit.builder.buffers[name].view()
    with unit.builder.first():
        table = unit.builder.buffer(Buffer(name, "u32", 2 * room))
        places, apart, count = table.of_type("i32"), BYTES["i32"] * room, 2 * room
        unit.emit(f"CreateVecIndex({places}, 0, {count});", (), (table,))
        unit.emit(f"ShiftRight({scratch}, {places}, 1, {count});", (table,), (scratch,))  # the number of the value
        unit.emit(f"Muls({places}, {places}, {apart}, {count});", (table,), (table,))
        unit.emit(f"Muls({scratch}, {scratch}, {BYTES['i32'] - 2 * apart}, {count});", (scratch,), (scratch,))
        unit.emit(f"Add({places}, {places}, {scratch}, {count});", (table, scratch), (table,))
    return table


def _index_word(at: Evaluation, expr: Expr) -> Lanes | Uniform:
    """An index as i32 lanes: start + step * lane, exact where it fits a word."""
    bounds, (least, greatest) = at.indices.interval(expr), integer_range("i32")
    if bounds.low is None or bounds.high is None or bounds.low < least or bounds.high > greatest:
        raise Unsupported(
            f"the index `{show(expr)}` may pass 2**31, and the vector unit has no arithmetic on i64",
            "count within an outer axis",
        )
    moving = [(n, s) for n, s in ((at.frame.lane, LANES), (at.frame.row, ROWS)) if n and n in variables(expr)]
    slopes = [_slope(at.indices, expr, n) for n, _ in moving]
    if None in slopes:
        value = at.value(expr)
        return convert(at.unit, value, "i32") if isinstance(value, Lanes) else value
    total: Lanes | Uniform = Uniform(f"static_cast<int32_t>({at.indices.text(substituted(expr, at.frame.origins()))})", "i32")
    for (_, span), slope in zip(moving, slopes, strict=True):
        steps = positions(at.unit, span, "i32")
        steps = steps if slope == 1 else at.unit.unary("Muls", steps, int_text(slope or 0))
        total = at.unit.binary("Add", total, steps) if isinstance(total, Lanes) else at.unit.unary("Adds", steps, total.text)
    return total


def _slope(indices: Indices, expr: Expr, axis: str) -> int | None:
    """What a step along the axis adds, where that is always the same, and fits a word."""
    slope = indices.slope(expr, axis)
    return slope if slope is not None and abs(slope) < 2**31 else None
