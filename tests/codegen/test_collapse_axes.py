"""Axes that become one, and what keeps them apart, by the text of a spec before and after."""

from __future__ import annotations

import pytest

from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.collapse_axes import collapsed
from uol.codegen.specs.nodes import Contract, Holds, Let, Map, Read, Segments, Store, Within
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.render import show


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specs here are pieces of some, without buffers: the verifier would say so."""
    monkeypatch.setenv("UOL_VERIFY", "0")


ROW, COL, K = (Var(name) for name in "ijk")


def offset(*terms: tuple[Expr, int]) -> Expr:
    total: Expr = Const(0)
    for var, step in terms:
        total = idx("+", total, idx("*", var, Const(step)))
    return total


def read(at: Expr, *guards: Within | Holds, fill: Expr | None = None) -> Read:
    return Read("x", at, (("i", None), ("j", None)), guards, fill, "f32")


def over(value: Expr, target: Expr, *lets: Let, extents: tuple[Expr, Expr] = (Const(3), Const(5))) -> Map:
    axes = Axis("i", extents[0]), Axis("j", extents[1])
    store = Store("y", target, (("i", Const(5)), ("j", Const(1))), value, "f32", ("i", "j"), 1)
    return Map("f", (), (), (), (), "", axes, (*lets, store))


DENSE = offset((ROW, 5), (COL, 1))


def shape(spec: Map) -> list[tuple[str, int | None]]:
    return [(a.name, static(a.extent)) for a in spec.index]


def test_a_dense_map_is_one_run() -> None:
    flat = collapsed(over(read(DENSE), DENSE))
    assert shape(flat) == [("i_j", 15)]
    (store,) = flat.steps
    assert isinstance(store, Store)
    assert show(store.offset) == "i_j"
    assert (store.axes, store.strides) == (("i_j",), (("i_j", Const(1)),))
    assert isinstance(store.value, Read)
    assert (show(store.value.offset), [n for n, _ in store.value.strides]) == ("i_j", ["i_j"])


@pytest.mark.parametrize(
    "value",
    [
        read(offset((ROW, 1), (COL, 3))),  # the other order
        read(offset((COL, 1))),  # the same for every i
        Call("*", (read(DENSE), Call("cast", (COL,), "f32")), "f32"),
        read(DENSE, Within(COL, Const(1), None), fill=Const(0.0, "f32")),
        read(DENSE, Holds(compare("==", ROW, Const(2))), fill=Const(0.0, "f32")),
        read(DENSE, Within(K, Const(1), None), fill=Call("cast", (COL,), "f32")),
        read(Call("cast", (Read("at", DENSE, (), (), None, "i32"),), "idx")),
    ],
)
def test_axes_stay_apart_where_anything_tells_them_apart(value: Expr) -> None:
    assert shape(collapsed(over(value, DENSE))) == [("i", 3), ("j", 5)]


def test_a_quotient_that_comes_out_even_is_a_step() -> None:
    assert shape(collapsed(over(read(idx("/", offset((ROW, 30), (COL, 6)), Const(2))), DENSE))) == [("i_j", 15)]


def test_a_value_over_one_of_the_axes_must_not_vary_with_it() -> None:
    scale = Let("s", Read("scale", COL, (("j", Const(1)),), (), None, "f32"), "f32", ("j",), 1)
    spec = over(Call("*", (read(DENSE), Var("s", "f32")), "f32"), DENSE, scale)
    assert shape(collapsed(spec)) == [("i", 3), ("j", 5)]


def test_an_extent_that_is_an_argument_stays_where_no_stride_says_otherwise() -> None:
    spec = over(read(DENSE), DENSE, extents=(Var("N"), Const(5)))
    assert shape(collapsed(spec)) == [("i", None), ("j", 5)]


@pytest.mark.parametrize(("wide", "joined"), [(Var("M"), True), (idx("*", Var("M"), Const(2)), False), (Const(5), False)])
def test_extents_that_are_arguments_are_one_where_strides_say_so(wide: Expr, joined: bool) -> None:
    """x[i, j] of rows of M elements; of every second row; of rows of five."""
    at = idx("+", idx("*", ROW, wide), COL)
    strides = (("i", wide), ("j", Const(1)))
    value = Read("x", at, strides, (), None, "f32")
    axes = Axis("i", Var("N")), Axis("j", Var("M"))
    flat = collapsed(Map("f", (), (), (), (), "", axes, (Store("y", at, strides, value, "f32", ("i", "j"), 1),)))
    assert shape(flat) == ([("i_j", None)] if joined else [("i", None), ("j", None)])
    assert (show(flat.index[0].extent) == "N * M") == joined


def test_an_axis_of_one_element_is_zero_and_packs_keep_their_name() -> None:
    axes = Axis("s_0", Const(2)), Axis("s_1", Const(1)), Axis("s_2", Const(4))
    at = offset((Var("s_0"), 4), (Var("s_1"), 4), (Var("s_2"), 1))
    names = tuple(a.name for a in axes)
    store = Store("y", at, tuple((n, None) for n in names), Const(0.0, "f32"), "f32", names, 1)
    flat = collapsed(Map("f", (), (), (), (), "", axes, (store,)))
    assert shape(flat) == [("s", 8)]


def contraction(segments: Segments | None) -> Contract:
    batch, m, n, k = Axis("g", Const(2)), Axis("i", Const(3)), Axis("j", Const(5)), Axis("k", Const(7))
    e = Axis("e", Const(4))
    a = Read("x", offset((Var("g"), 84), (Var("e"), 21), (ROW, 7), (K, 1)), (), (), None, "f32")
    b = Read("w", offset((Var("g"), 140), (Var("e"), 35), (COL, 7), (K, 1)), (), (), None, "f32")
    return Contract("f", (), (), (), (), "", (batch, e), (m,), (n,), (k,), a, b, "acc", "f32", 1, (), segments)


def test_only_axes_of_one_group_become_one_and_segments_keep_theirs() -> None:
    flat = collapsed(contraction(None))
    assert [[a.name for a in group] for group in (flat.batch, flat.m, flat.n, flat.k)] == [["g_e"], ["i"], ["j"], ["k"]]
    key = Call("cast", (Read("at", K, (), (), None, "i32"),), "idx")
    assert [a.name for a in collapsed(contraction(Segments("terms", "k", key, "e"))).batch] == ["g", "e"]
