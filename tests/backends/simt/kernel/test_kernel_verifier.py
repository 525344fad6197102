"""What the verifier refuses: faults planted in kernels that it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from kernels_as_values import LINEAR, PLACES, SOFTMAX, SQUARES, changed, kernel_of
from texts_of_products import PRODUCTS, sizes_of

from uol.backends.c_text.index_intervals import Ranges
from uol.backends.c_text.names import Names
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs
from uol.backends.simt.c_text.terms import THREAD, Element, Known, Local, Pointer, Scalar, less, plus
from uol.backends.simt.kernel.nodes import (
    Assign,
    Barrier,
    Commit,
    Declare,
    If,
    Kernel,
    Leave,
    Loop,
    Runs,
    Statement,
    Store,
    Wait,
    Written,
)
from uol.backends.simt.kernel.verify import KernelError, verify
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow
from uol.ir.program.nodes import Const, Expr, Var

STAGED = kernel_of(SQUARES, BlockPerRow(256, 32, 1, True), {"R": 640, "C": 25})
KEPT = kernel_of(SOFTMAX, BlockPerRow(256), {"R": 5, "C": 257})
TILE = Tile(16, 16, 16, 2, 2)
DENSE, OF_RUNS, OF_TERMS = (kernel_of(PRODUCTS[name], TILE, sizes_of(name)) for name in ("plain", "rows", "terms"))
PICKS = kernel_of(PLACES, BlockPerRow(64), {"R": 5, "C": 70})
ALONE = kernel_of(SQUARES, ThreadPerRow(64), {"R": 70, "C": 3})
MATRIX = kernel_of(LINEAR, MatrixTile(128, 128, 32, 2, 2, 4), {"M": 200, "N": 136, "K": 72})
ROOM = 1 << 17
NO_NAMES = Printer(Names({}, {}), Proofs(Ranges({})))
Change = Callable[[Statement], tuple[Statement, ...]]


@pytest.mark.parametrize("name", PRODUCTS)
def test_kernels_of_products_are_well_formed(name: str) -> None:
    for sizes in ({}, sizes_of(name)):
        verify(kernel_of(PRODUCTS[name], TILE, sizes), 32, ROOM)


@pytest.mark.parametrize("kernel", [STAGED, KEPT, PICKS, ALONE, MATRIX], ids=["staged", "kept", "picks", "alone", "matrix"])
def test_kernels_are_well_formed(kernel: Kernel) -> None:
    verify(kernel, 32, ROOM)


def dropped(kind: type, name: str | None = None) -> Change:
    """Without the statements of a kind, or those that declare a name."""
    return lambda s: () if isinstance(s, kind) and (name is None or getattr(s, "name", None) == name) else (s,)


def twice(name: str) -> Change:
    return lambda s: (s, s) if isinstance(s, Declare) and s.name == name else (s,)


def with_value(kind: type[Declare] | type[Assign] | type[Store], value: Expr) -> Change:
    return lambda s: (replace(s, value=value),) if isinstance(s, kind) else (s,)


def declared_as(name: str, dtype: str) -> Change:
    return lambda s: (replace(s, kind=Scalar(dtype)),) if isinstance(s, Declare) and s.name == name else (s,)


def behind(kind: type, *new: Statement) -> Change:
    return lambda s: (s, *new) if isinstance(s, kind) else (s,)


def under_threads(statement: Statement) -> tuple[Statement, ...]:
    """Folds over a block where not all of its threads come."""
    is_fold = isinstance(statement, Assign) and not isinstance(statement.value, Known)
    return (If(less(THREAD, Const(7)), (statement,)),) if is_fold else (statement,)


def to_an_input(statement: Statement) -> tuple[Statement, ...]:
    if not isinstance(statement, Store):
        return (statement,)
    assert isinstance(statement.target, Known)
    tensors = {**statement.target.printer.names.tensors, "y": "x"}
    printer = replace(statement.target.printer, names=replace(statement.target.printer.names, tensors=tensors))
    return (replace(statement, target=replace(statement.target, printer=printer)),)


def one_barrier(number: int) -> Change:
    """Without one of the two barriers of a step along k: before its products, or behind them."""

    def change(statement: Statement) -> tuple[Statement, ...]:
        if not isinstance(statement, Loop) or statement.variable != "k0":
            return (statement,)
        places = [n for n, each in enumerate(statement.body) if isinstance(each, Barrier)]
        assert len(places) == 2
        return (replace(statement, body=tuple(s for n, s in enumerate(statement.body) if n != places[number])),)

    return change


def by_threads(statement: Statement) -> tuple[Statement, ...]:
    """Runs that begin where each thread is."""
    return (replace(statement, begin=THREAD),) if isinstance(statement, Runs) else (statement,)


def to_half_a_column(statement: Statement) -> tuple[Statement, ...]:
    """What comes to shared memory comes to a column between two."""
    if not isinstance(statement, Store) or not isinstance(statement.target, Known):
        return (statement,)
    match statement.target.expr:
        case Element(of=Element()) as element:
            return (replace(statement, target=replace(statement.target, expr=replace(element, index=Const(1.5, "f32")))),)
    return (statement,)


FAULTS = {
    "products come before their operands": (DENSE, one_barrier(0), "is read with no barrier"),
    "operands come before the products of others": (DENSE, one_barrier(1), "is written with no barrier"),
    "operands of a run, likewise": (OF_RUNS, one_barrier(1), "is written with no barrier"),
    "threads have runs of their own": (OF_RUNS, by_threads, "threads of a block meet where some of them may not come"),
    "whose rows a run has is not declared": (OF_RUNS, dropped(Declare, "mine"), "mine is used and not declared"),
    "where terms end is not declared": (OF_TERMS, dropped(Declare, "end"), "end is used and not declared"),
    "where a thread is, is declared a float": (DENSE, declared_as("thread_m", "f32"), "is no Scalar(dtype='f32'"),
    "a column in shared memory is no number": (DENSE, to_half_a_column, "is no Scalar(dtype='idx'"),
    "a barrier is missing": (STAGED, dropped(Barrier), "x_rows is read with no barrier behind what other threads do there"),
    "a thread alone comes to a fold": (KEPT, under_threads, "threads of a block meet where some of them may not come"),
    "threads leave before a fold": (
        KEPT,
        behind(Declare, Leave("return", less(THREAD, Const(7)))),
        "threads of a block meet where some of them may not come",
    ),
    "a column is not declared": (KEPT, dropped(Declare, "c"), "c is used and not declared"),
    "an array is not declared": (KEPT, dropped(Declare, "x_row"), "x_row is used and not declared"),
    "the maximum is declared twice": (KEPT, twice("hi"), "hi is declared twice"),
    "a loop counts by a name in use": (
        KEPT,
        lambda s: (replace(s, variable="hi"),) if isinstance(s, Loop) else (s,),
        "hi is declared twice",
    ),
    "a float is declared an integer": (KEPT, declared_as("hi", "i32"), "is no Scalar(dtype='i32'"),
    "a place is declared a float": (PICKS, declared_as("y_value", "f32"), "is no Scalar(dtype='f32'"),
    "a float is folded into a pick": (PICKS, with_value(Assign, Const(1.0, "f32")), "is no Pick(value='f32')"),
    "an integer is stored to floats": (ALONE, with_value(Store, Const(1, "i32")), "is no Scalar(dtype='f32'"),
    "an input is written": (KEPT, to_an_input, "x is written, and is an input"),
    "a condition is a number": (
        KEPT,
        lambda s: (replace(s, condition=Local("c")),) if isinstance(s, If) else (s,),
        "is no Scalar(dtype='bool'",
    ),
    "a bound is a float": (
        ALONE,
        lambda s: (replace(s, extent=Const(3.0, "f32")),) if isinstance(s, Loop) else (s,),
        "is no Scalar(dtype='idx'",
    ),
    "a name of the spec stands alone": (ALONE, with_value(Store, Var("y_value", "f32")), "nothing says what that is called"),
    "a wait is for a group too few": (
        MATRIX,
        lambda s: (replace(s, pending=s.pending + 1),) if isinstance(s, Wait) and s.pending else (s,),
        "3 groups are on their way, and 3 may be after the wait",
    ),
    "nothing is waited for": (MATRIX, dropped(Wait), "is loaded before its copies are waited for"),
    "no barrier is behind a wait": (MATRIX, dropped(Barrier), "is loaded before its copies are waited for"),
    "copies are of no group": (MATRIX, dropped(Commit), "copies that are of no group are not waited for"),
    "a fragment has too few registers": (
        MATRIX,
        lambda s: (replace(s, extent=(4, 3)),) if isinstance(s, Declare) and s.name == "x_part" else (s,),
        "has no room for 4 matrices",
    ),
    "sums have the shape of another unit": (
        MATRIX,
        lambda s: (replace(s, extent=(4, 8, 3)),) if isinstance(s, Declare) and s.zeroed else (s,),
        "has no fragments of 4 registers",
    ),
    "text": (ALONE, behind(Loop, Written("y[0] = 1;")), "is text, not a statement"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_refused(fault: str) -> None:
    kernel, change, reason = FAULTS[fault]
    faulty = changed(kernel, change)
    assert faulty != kernel
    with pytest.raises(KernelError, match=re.escape(reason)):
        verify(faulty, 32, ROOM)


def test_a_refusal_says_in_which_statement_and_at_which_line() -> None:
    with pytest.raises(KernelError, match=r"hi is declared twice, in Declare \(line 2 of the operator\)"):
        verify(changed(KEPT, twice("hi")), 32, ROOM)


def test_more_shared_memory_than_the_footprint_has_is_refused() -> None:
    bytes_needed = 32 * 25 * 2
    verify(STAGED, 32, bytes_needed)
    with pytest.raises(KernelError, match="1600 bytes of shared memory are more than the 1599 of its footprint"):
        verify(STAGED, 32, bytes_needed - 1)


def test_a_thread_may_read_where_it_wrote_itself() -> None:
    """Without a barrier, at the very place; not beside it."""
    half = Scalar("f16", stored=True)
    own, beside = (Element(Pointer("x_rows"), at, half) for at in (THREAD, plus(THREAD, Const(1))))
    wrote = Store(Known(own, NO_NAMES), Const(0.0, "f16"))
    verify(replace(STAGED, body=(wrote, Declare("again", half, own))), 32, ROOM)
    with pytest.raises(KernelError, match="x_rows is read with no barrier"):
        verify(replace(STAGED, body=(wrote, Declare("again", half, beside))), 32, ROOM)


def test_what_a_turn_leaves_in_shared_memory_meets_the_next() -> None:
    """Rows that are filled and read turn after turn need a barrier behind what is read, too."""
    first = next(at for at, s in enumerate(STAGED.body) if isinstance(s, Loop))
    around = Loop("again", Const(0), Const(2), STAGED.body[first:])
    with pytest.raises(KernelError, match="x_rows is written with no barrier"):
        verify(replace(STAGED, body=(*STAGED.body[:first], around)), 32, ROOM)
    closed = replace(around, body=(*around.body, Barrier()))
    verify(replace(STAGED, body=(*STAGED.body[:first], closed)), 32, ROOM)
