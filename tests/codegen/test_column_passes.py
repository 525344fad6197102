"""A Reduce's steps as passes over the columns."""

from __future__ import annotations

from uol.codegen.specs.nodes import Fold, Let, Read, Reduce, Step, Store
from uol.codegen.specs.steps import passes_of, stored_directly
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

X = Read("x", Var("c"), (("r", Const(0)), ("c", Const(1))), (), None, "f32")


def f32(fn: str, *args: Expr) -> Call:
    return Call(fn, args, "f32")


def var(name: str) -> Var:
    return Var(name, "f32")


def element(name: str, value: Expr) -> Let:
    return Let(name, value, "f32", ("r", "c"), 1)


def row(name: str, value: Expr) -> Let:
    return Let(name, value, "f32", ("r",), 1)


def fold(name: str, value: Expr) -> Fold:
    return Fold(name, "sum", value, "f32", (), 1)


def store(value: Expr, axes: tuple[str, ...] = ("r", "c")) -> Store:
    return Store("y", Var("c"), (), value, "f32", axes, 1)


def reduce_of(*steps: Step) -> Reduce:
    axes = Axis("r", Const(4)), Axis("c", Const(8))
    return Reduce("f", (), (), (), (), "", rows=axes[:1], cols=axes[1:], steps=steps)


def test_softmax_takes_three_passes_and_computes_its_exponential_twice() -> None:
    e = element("e", f32("exp", f32("-", X, var("hi"))))
    steps = (fold("hi", X), e, fold("z", var("e")), store(f32("/", var("e"), var("z"))))
    passes = passes_of(reduce_of(*steps))
    assert [[type(s).__name__ for s in p.elements] for p in passes.passes] == [["Fold"], ["Fold"], ["Store"]]
    assert passes.needed(frozenset({"e"})) == (e,)


def test_independent_folds_share_a_pass() -> None:
    passes = passes_of(reduce_of(fold("s", X), fold("q", f32("*", X, X)), store(f32("+", var("s"), var("q")), ("r",))))
    assert [len(p.folds) for p in passes.passes] == [2]
    assert len(passes.passes[0].row_steps) == 1


def test_a_row_step_between_folds_makes_the_second_depend_on_the_first() -> None:
    mean = row("m", f32("/", var("s"), Const(8.0, "f32")))
    centred = element("d", f32("-", X, var("m")))
    passes = passes_of(reduce_of(fold("s", X), mean, centred, fold("q", f32("*", var("d"), var("d")))))
    assert [[f.name for f in p.folds] for p in passes.passes] == [["s"], ["q"]]
    assert passes.passes[0].row_steps == (mean,)


def test_row_steps_that_need_no_fold_come_first() -> None:
    first = row("k", Const(2.0, "f32"))
    passes = passes_of(reduce_of(first, fold("s", f32("*", X, var("k")))))
    assert passes.before == (first,)


def test_element_stores_that_need_no_fold_share_the_first_pass() -> None:
    passes = passes_of(reduce_of(store(X), fold("s", X)))
    assert [[type(s).__name__ for s in p.elements] for p in passes.passes] == [["Store", "Fold"]]


def test_a_value_that_is_only_stored_needs_no_variable() -> None:
    doubled = element("d", f32("+", X, X))
    assert stored_directly((doubled, store(var("d")))) == (store(doubled.value),)


def test_a_value_that_is_used_twice_keeps_its_variable() -> None:
    steps = (element("d", f32("+", X, X)), fold("s", var("d")), store(var("d")))
    assert stored_directly(steps) == steps


def test_a_row_value_stored_to_every_element_stays_a_row_value() -> None:
    steps = (row("k", Const(2.0, "f32")), store(var("k")))
    assert stored_directly(steps) == steps
