"""What is known when a kernel is built is not asked for when it runs: before and after, and what stays."""

from __future__ import annotations

from uol.backends.simt.c_text.address import flipped, scaled, total
from uol.backends.simt.c_text.terms import Element, Local, Scalar, less
from uol.backends.simt.kernel.fold import constants_folded
from uol.backends.simt.kernel.nodes import Assign, Barrier, Block, Body, Declare, If, Leave, Loop, Statement
from uol.codegen.indexing.arithmetic import ZERO
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

WARP, TILES, AT, LANE = Local("warp"), Local("tiles"), Local("at"), Local("lane")
INT = Scalar(INDEX)


def one(name: str, value: Expr) -> Declare:
    return Declare(name, INT, value)


def unrolled(name: str, count: int, *body: Statement) -> Loop:
    return Loop(name, ZERO, Const(count), body, unrolled=True, few=True, bare=len(body) == 1)


def test_a_constant_stands_where_it_is_used() -> None:
    body: Body = (one("warp", ZERO), one("at", total(scaled(WARP, 4096), LANE)), Assign(AT, flipped(WARP, LANE), "+="))
    assert constants_folded(body) == (one("at", LANE), Assign(AT, LANE, "+="))


def test_constants_are_made_of_constants() -> None:
    before = Call("-", (scaled(TILES, 64), Const(328)), INDEX)
    body: Body = (one("tiles", Const(6)), one("k_before", before), one("k", Call("-", (LANE, Local("k_before")), INDEX)))
    assert constants_folded(body) == (one("k", Call("-", (LANE, Const(56)), INDEX)),)


def test_a_condition_of_numbers_is_decided() -> None:
    step: Body = (Assign(AT, Const(1), "+="),)
    other: Body = (Assign(AT, Const(2), "+="),)
    tiles = one("tiles", Const(2))
    assert constants_folded((tiles, If(less(Const(1), TILES), step, other))) == step
    assert constants_folded((tiles, If(less(Const(2), TILES), step, other))) == other
    assert constants_folded((tiles, If(less(Const(2), TILES), step))) == ()
    asked = If(less(LANE, Const(2)), step, other)
    assert constants_folded((asked,)) == (asked,)


def test_names_of_a_condition_that_holds_stay_its_own() -> None:
    body: Body = (one("range", LANE), Assign(AT, Local("range"), "+="))
    assert constants_folded((If(less(ZERO, Const(1)), body),)) == (Block(body),)


def test_a_loop_of_one_turn_is_its_turn() -> None:
    part = Element(Local("part"), Local("pair"), INT)
    inner = Assign(part, scaled(Local("pair"), 32))
    assert constants_folded((unrolled("pair", 1, inner),)) == (Assign(Element(Local("part"), ZERO, INT), ZERO),)
    nested = Loop("mi", ZERO, Const(2), (unrolled("pair", 1, inner),), unrolled=True, few=True)
    (loop,) = constants_folded((nested,))
    assert isinstance(loop, Loop) and loop.bare and loop.body == (Assign(Element(Local("part"), ZERO, INT), ZERO),)


def test_what_is_not_known_stays() -> None:
    body: Body = (
        Declare("read", INT, ZERO, constant=False),
        Loop("tile", ZERO, TILES, (Barrier(), Assign(Local("read"), Const(1), "+=")), times=1),
        Loop("tile", ZERO, Const(1), (Leave("break", less(LANE, Const(3))),)),
        unrolled("i", 2, Assign(AT, Local("i"), "+=")),
    )
    assert constants_folded(body) == body
