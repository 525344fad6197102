"""Names that C would misread, and indices that need 64 bits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.backends.c_text.index_intervals import Ranges
from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.c_text.reserved import RESERVED
from uol.backends.simt.c_text.proofs import index_type
from uol.codegen.specs.nodes import Arg, Let, Map, Read, Store, Within
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var


def copy_of(count: int, stride: int = 1, tensor: str = "x", axis: str = "s", let: str = "v") -> Map:
    offset: Expr = Call("*", (Var(axis), Const(stride)), "idx")
    value = Read(tensor, offset, ((axis, Const(stride)),), (), None, "f32")
    return Map(
        name="copy",
        args=(
            Arg(tensor, "f32", (Const(count),), (Const(stride),), "in"),
            Arg("y", "f32", (Const(count),), (Const(1),), "out"),
        ),
        scalars=(),
        dims=(),
        facts=(),
        source="op copy",
        index=(Axis(axis, Const(count)),),
        steps=(
            Let(let, value, "f32", (axis,), 2),
            Store("y", Var(axis), ((axis, Const(1)),), Var(let, "f32"), "f32", (axis,), 2),
        ),
    )


@pytest.mark.parametrize("word", ["int", "float", "threadIdx", "uol", "linux", "template", "half", "i"])
def test_words_of_the_language_get_a_suffix(word: str) -> None:
    names = legalise(copy_of(4, tensor=word), ["i"])
    assert names.tensor(word) == f"{word}_"
    assert names.tensor(word) not in RESERVED


def test_one_name_for_a_tensor_and_an_axis_becomes_two() -> None:
    names = legalise(copy_of(4, tensor="h", axis="h"), [])
    assert names.tensor("h") != names.variable("h")


def test_names_of_inlined_calls_are_cleaned_and_stay_apart() -> None:
    names = legalise(copy_of(4, axis="a.b", let="a__b"), [])
    assert {names.variable("a.b"), names.variable("a__b")} == {"a_b", "a_b_"}


def test_a_kernel_never_bears_a_name_of_the_c_library() -> None:
    assert kernel_symbol(copy_of(4)) == "copy_kernel"


def test_small_offsets_are_int() -> None:
    assert index_type(copy_of(1 << 20, 4), [Const(1 << 20)]).ctype == "int"


def test_an_offset_beyond_31_bits_is_long_long() -> None:
    assert index_type(copy_of(1 << 20, 1 << 11), []).ctype == "int"
    assert index_type(copy_of((1 << 20) + 1, 1 << 11), []).ctype == "long long"


def test_threads_beyond_the_elements_count_too() -> None:
    assert index_type(copy_of(100), [Const(2**31 - 1)]).ctype == "int"
    assert index_type(copy_of(100), [Const(2**31)]).ctype == "long long"


def test_data_used_as_an_index_counts_with_its_type_unless_guarded() -> None:
    at = Read("at", Var("s"), (("s", Const(1)),), (), None, "i32")
    offset = Call("*", (at, Const(4)), "idx")

    def gather(guard: tuple[Within, ...]) -> Map:
        value = Read("x", offset, (("s", None),), guard, Const(0.0, "f32") if guard else None, "f32")
        steps = (Store("y", Var("s"), (("s", Const(1)),), value, "f32", ("s",), 2),)
        return replace(copy_of(100), steps=steps)

    assert index_type(gather(()), []).ctype == "long long"
    assert index_type(gather((Within(at, Const(0), Const(1000)),)), []).ctype == "int"


@pytest.mark.parametrize(
    ("expr", "low", "high"),
    [
        (Call("-", (Var("i"), Var("j")), "idx"), -3, 9),
        (Call("neg", (Var("i"),), "idx"), -9, 0),
        (Call("/", (Call("-", (Var("i"), Const(1)), "idx"), Const(4)), "idx"), -1, 2),
        (Call("%", (Var("i"), Const(4)), "idx"), 0, 3),
        (Call("max", (Var("i"), Const(5)), "idx"), 5, 9),
        (Call("select", (Const(True, "bool"), Var("i"), Const(-7)), "idx"), -7, 9),
        (Call("cast", (Var("u", "u8"),), "idx"), 0, 255),
        (Call("cast", (Call("*", (Var("i"), Const(100)), "idx"),), "i8"), -128, 127),
    ],
)
def test_ranges(expr: Expr, low: int, high: int) -> None:
    ranges = Ranges.over((Axis("i", Const(10)), Axis("j", Const(4))))
    assert ranges.of(expr) == Interval(low, high)
