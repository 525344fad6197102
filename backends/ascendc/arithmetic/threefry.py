"""`random_bits(seed, counter)`: Threefry-2x32-20 in i32 lanes (`uol.ir.program.threefry` says what it is).

The vector unit has no arithmetic of 64 bits: the seed's words are the scalar unit's, and the counter is two words a lane.
Sums and products wrap; a rotation is two shifts and an Or; there is no Xor, but x ^ y = (x | y) - (x & y).
"""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.int64_pairs import words_of
from uol.backends.ascendc.arithmetic.integer_division import SIGN
from uol.backends.ascendc.helpers import THREEFRY_KEY
from uol.backends.ascendc.instructions import View
from uol.backends.ascendc.vector.evaluation import Evaluation
from uol.backends.ascendc.vector.tile import Span
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Unsupported, reinterpreted
from uol.codegen.specs.nodes import Read
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.threefry import ROTATIONS, ROUNDS
from uol.ir.program.walk import variables, walk

GROUP = 4
"""Rounds between two additions of the key."""


def random_bits(at: Evaluation, seed: Expr, counter: Expr) -> Lanes:
    """The bits of each lane, as i32."""
    key = at.unit.builder.variable("seed", _seed(at, seed), "int64_t")
    low, high, parity = _block(at.unit, *words_of(at, counter))
    span = low.span
    first = at.unit.unary("Adds", low, f"{THREEFRY_KEY}({key}, 0, 0)")
    second = at.unit.unary("Adds", high, f"{THREEFRY_KEY}({key}, 1, 0)")
    spare = at.unit.new(span, "i32", "rotated")
    with at.unit.builder.loop("group", str(ROUNDS // GROUP), ctype="int", least=ROUNDS // GROUP):
        for turn in range(GROUP):
            even, odd = ROTATIONS[turn], ROTATIONS[turn + GROUP]
            _round(at.unit, first.view, second.view, spare, f"(group % 2 == 0 ? {even} : {odd})", span)
        count = at.unit.count(span)
        for word, place, added in ((first.view, 1, "0"), (second.view, 2, "group + 1")):
            text = f"Adds({word}, {word}, {THREEFRY_KEY}({key}, (group + {place}) % 3, {added}), {count});"
            at.unit.emit(text, (word,), (word,))
    apart = at.unit.binary("Sub", second, first.kept())
    return at.unit.binary("Add", at.unit.binary("Mul", apart, parity), first)


def _block(unit: VectorUnit, low: Lanes, high: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """The words of counter / 2, rounded down, and counter % 2."""
    low, high = low.kept(), high.kept()
    half = unit.unary("ShiftRight", reinterpreted(low, "u32"), "uint32_t(1)")
    twice = unit.unary("ShiftLeft", half.kept(), "uint32_t(1)")
    parity = unit.binary("Sub", low, reinterpreted(twice, "i32"))
    carried = unit.unary("ShiftLeft", reinterpreted(high, "u32"), f"uint32_t({SIGN})")
    return reinterpreted(unit.binary("Or", half, carried), "i32"), unit.unary("ShiftRight", high, "1"), parity


def _round(unit: VectorUnit, first: View, second: View, spare: View, rotation: str, span: Span) -> None:
    """first += second; second = rotated(second) ^ first."""

    def call(name: str, dst: View, *operands: View, by: str = "") -> None:
        unit.lanewise(name, dst, *operands, span=span, argument=by)

    bits, moved = second.of_type("u32"), spare.of_type("u32")
    call("Add", first, first, second)
    call("ShiftLeft", moved, bits, by=f"uint32_t{rotation}")
    call("ShiftRight", bits, bits, by=f"uint32_t(32 - {rotation})")
    call("Or", second, second, spare)
    call("Or", spare, second, first)
    call("And", second, second, first)
    call("Sub", second, spare, second)


def _seed(at: Evaluation, seed: Expr) -> str:
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
