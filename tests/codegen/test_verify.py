"""Every promise of a spec is caught where it is broken: one broken spec a promise, each an edit of one that keeps them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from every_spec import KINDS, graph_of, spec_of

from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, Fold, Holds, KernelSpec, Let, Read, Store, Within
from uol.codegen.specs.promises import broken
from uol.codegen.specs.search import Search
from uol.codegen.specs.traverse import map_strides, mapped, steps_of
from uol.codegen.specs.verify import BrokenSpec, verified, verify, verify_graph
from uol.ir.program.nodes import Call, Const, Expr, Load, Scalar, Var
from uol.ir.program.walk import rewrite


def at_reads(spec: KernelSpec, change: Callable[[Read], Expr]) -> KernelSpec:
    return mapped(spec, expr=lambda e: rewrite(e, lambda n: change(n) if isinstance(n, Read) else None))


def at_searches(spec: KernelSpec, **changes: Any) -> KernelSpec:
    return mapped(spec, expr=lambda e: rewrite(e, lambda n: replace(n, **changes) if isinstance(n, Search) else None))


def at_steps(spec: KernelSpec, kind: type, **changes: Any) -> KernelSpec:
    """The spec with fields of every step of a kind replaced; a callable gives the value from the step."""

    def changed(step: Any) -> Any:
        if not isinstance(step, kind):
            return step
        return replace(step, **{name: new(step) if callable(new) else new for name, new in changes.items()})

    return mapped(spec, step=changed)


def doubled(step: Any) -> Expr:
    return Call("+", (step.value, step.value), step.dtype)


def first(items: tuple[Any, ...], **changes: Any) -> tuple[Any, ...]:
    return (replace(items[0], **changes), *items[1:])


FAULTS: dict[str, tuple[str, Callable[[Any], KernelSpec]]] = {
    "stands for two things": ("reduce", lambda s: replace(s, scalars=(*s.scalars, Scalar("r", "f32")))),
    "is not defined before it is used": ("reduce", lambda s: replace(s, steps=s.steps[1:])),
    "varies over c, which is not an axis of it": ("reduce", lambda s: at_steps(s, Let, axes=("r",))),
    "varies over r, which is not an axis of it": ("reduce", lambda s: at_steps(s, Store, axes=())),
    "varies over n, which is not an axis of it": ("contract", lambda s: replace(s, a=s.b, b=s.a)),
    "varies over m, which is not an axis of it": (
        "rows",
        lambda s: at_reads(s, lambda r: replace(r, offset=Var("m")) if r.tensor == "w" else r),
    ),
    "x is no arg": ("map", lambda s: replace(s, args=s.args[1:])),
    "args are not inputs, then results": ("map", lambda s: replace(s, args=s.args[::-1])),
    "the input x is stored to": ("map", lambda s: at_steps(s, Store, tensor="x")),
    "x is f16, used as f32": ("map", lambda s: at_reads(s, lambda r: replace(r, dtype="f32", fill=Const(0.0, "f32")))),
    "are not those of the spec's axes in order": (
        "reduce",
        lambda s: mapped(s, expr=lambda e: map_strides(e, lambda t: t[::-1])),
    ),
    "lack n": ("map", lambda s: at_reads(s, lambda r: replace(r, strides=()))),
    "the strides of y lack n": ("map", lambda s: at_steps(s, Store, strides=())),
    "along n is not that of its offset": ("map", lambda s: at_reads(s, lambda r: replace(r, strides=(("n", Const(2)),)))),
    "which are not axes of the spec": ("map", lambda s: at_steps(s, Let, axes=("n", "other"))),
    "f16 is kept as f32": ("map", lambda s: at_steps(s, Let, dtype="f32")),
    "the offset of y is i64, no index": ("map", lambda s: at_steps(s, Store, offset=Call("cast", (Var("n"),), "i64"))),
    "the offset of x is i64, no index": (
        "map",
        lambda s: at_reads(s, lambda r: replace(r, offset=Call("cast", (Var("n"),), "i64"))),
    ),
    "a step has no line": ("map", lambda s: at_steps(s, Let, line=0)),
    "sum of f32 as f16": ("reduce", lambda s: at_steps(s, Fold, dtype="f16")),
    "median of f32": ("reduce", lambda s: at_steps(s, Fold, op="median")),
    "is f32, no condition": ("reduce", lambda s: at_steps(s, Fold, where=lambda f: (f.value,))),
    "no place in a spec": ("map", lambda s: at_reads(s, lambda r: Load("x", (r.offset,), (), None, r.dtype))),
    "'f12' is no type": ("map", lambda s: at_reads(s, lambda r: Call("cast", (r,), "f12"))),
    "1.5 is no idx": ("map", lambda s: at_steps(s, Store, offset=Const(1.5))),
    "* of f32, f16 as f32": (
        "map",
        lambda s: at_steps(s, Let, value=lambda t: Call("cast", (Call("*", (Const(1.0, "f32"), t.value), "f32"),), "f16")),
    ),
    "+ of f16 as f16": ("map", lambda s: at_steps(s, Let, value=lambda t: Call("+", (t.value,), "f16"))),
    "< of f16, f16 as f16": ("map", lambda s: at_steps(s, Let, value=lambda t: Call("<", (t.value, t.value), "f16"))),
    "select of f16, f16, f16 as f16": (
        "map",
        lambda s: at_steps(s, Let, value=lambda t: Call("select", (t.value,) * 3, "f16")),
    ),
    "y_value is f16, used as f32": ("map", lambda s: at_steps(s, Store, value=Call("cast", (Var("y_value", "f32"),), "f16"))),
    "has a fill where it has a guard": ("map", lambda s: at_reads(s, lambda r: replace(r, guard=()))),
    "x is f16, and filled with f32": ("map", lambda s: at_reads(s, lambda r: replace(r, fill=Const(0.0, "f32")))),
    "nothing bounds n": ("map", lambda s: at_reads(s, lambda r: replace(r, guard=(Within(Var("n"), None, None),)))),
    "and its bounds are no indices": (
        "map",
        lambda s: at_reads(s, lambda r: replace(r, guard=(Within(Var("n"), Const(0, "i64"), None),))),
    ),
    "n is idx, no condition": ("map", lambda s: at_reads(s, lambda r: replace(r, guard=(Holds(Var("n")),)))),
    "which there are none of": (
        "map",
        lambda s: replace(s, steps=(Fold("f", "sum", Const(0.0, "f32"), "f32", (), 1), *s.steps)),
    ),
    "y is stored over nothing alone": ("map", lambda s: at_steps(s, Store, axes=())),
    "y is stored over c alone": ("reduce", lambda s: at_steps(s, Store, axes=("c",))),
    "a Pack is one store of one read": ("pack", lambda s: at_steps(s, Store, value=doubled)),
    "is not dense along": ("pack", lambda s: replace(s, index=s.index[::-1])),
    "a is one read": ("contract", lambda s: replace(s, a=Const(2.0, "f32"))),
    "b is f16, added up in f32": ("contract", lambda s: replace(s, b=s.b.args[0])),
    "not along the last of n": ("contract", lambda s: replace(s, m=s.n, n=s.m, a=s.b, b=s.a)),
    "the key of segments is an index that is read": ("rows", lambda s: replace(s, segments=replace(s.segments, key=Var("m")))),
    "d is not the only axis of m": ("rows", lambda s: replace(s, segments=replace(s.segments, at="d"))),
    "f is no axis of batch": ("terms", lambda s: replace(s, segments=replace(s.segments, of="f"))),
    "a factor of s is one read": ("attention", lambda s: replace(s, dots=first(s.dots, a=Call("neg", (s.dots[0].a,), "f32")))),
    "a factor of s is f16": ("attention", lambda s: replace(s, dots=first(s.dots, b=s.dots[0].b.args[0]))),
    "varies over j, which is not": ("attention", lambda s: replace(s, dots=first(s.dots, a=s.dots[0].b, b=s.dots[0].a))),
    "between dots and sums stand Lets": (
        "attention",
        lambda s: at_steps(s, Fold, op=lambda f: "min" if f.op == "max" else f.op),
    ),
    "z is no Let over rows and cols": ("attention", lambda s: replace(s, sums=first(s.sums, weight="z"))),
    "over more than rows and one width": ("attention", lambda s: replace(s, epilogue=first(s.epilogue, axes=("i", "j")))),
    "no multiple of exp(t - hi)": (
        "attention",
        lambda s: at_steps(s, Fold, value=lambda f: doubled(f) if f.op == "max" else f.value),
    ),
    "is neither over the rows nor over all axes": (
        "scan",
        lambda s: replace(s, steps=(Let("one", Const(1), "idx", (), 1), *s.steps)),
    ),
    "y is stored over n alone": ("scan", lambda s: at_steps(s, Store, axes=("n",))),
    "Store of line 2 is no Let": ("scatter", lambda s: replace(s, steps=(*s.steps, s.add))),
    "a place is one index along every dim": ("scatter", lambda s: replace(s, place=s.place * 2)),
    "nothing bounds idx(n)": ("scatter", lambda s: replace(s, guard=(Within(Call("cast", (Var("n"),), "idx"), None, None),))),
    "keys is no arg with keys of f16": ("search", lambda s: replace(s, args=tuple(a for a in s.args if a.name != "keys"))),
    "x is no arg with keys of f32": ("search", lambda s: at_searches(s, tensor="x", value=Const(1.0, "f32"))),
    "is no number of keys": ("search", lambda s: at_searches(s, count=Const(5, "i32"))),
    "is an index of an element, as f16": (
        "select",
        lambda s: mapped(
            replace(s, at_dtype="f16"),
            expr=lambda e: rewrite(e, lambda n: Var(n.name, "f16") if isinstance(n, Var) and n.name == s.at else None),
        ),
    ),
    "is stored over n alone": ("select", lambda s: at_steps(s, Store, axes=("n",))),
}


@pytest.mark.parametrize("promise", FAULTS)
def test_a_broken_promise_is_named(promise: str) -> None:
    name, fault = FAULTS[promise]
    spec = spec_of(name)
    verify(spec)
    assert any(promise in found for found in broken(fault(spec)))
    with pytest.raises(BrokenSpec, match=f"(?s).+\n\n{type(spec).__name__} "):
        verify(fault(spec))


def other(graph: KernelGraph, **changes: Any) -> KernelGraph:
    return replace(graph, **changes)


BETWEEN: dict[str, Callable[[KernelGraph], KernelGraph]] = {
    "two buffers are called y": lambda g: other(g, args=(*g.args, g.args[-1])),
    "two kernels are called": lambda g: other(g, specs=(g.specs[0], replace(g.specs[1], name=g.specs[0].name))),
    "is not that of the graph": lambda g: other(g, workspaces=()),
    "which no kernel before it stores": lambda g: other(g, specs=g.specs[::-1]),
    "nothing stores the result y": lambda g: other(g, specs=g.specs[:1]),
    "nothing stores the result more": lambda g: other(g, args=(*g.args, Arg("more", "f16", (), (), "out"))),
}


@pytest.mark.parametrize("promise", BETWEEN)
def test_a_broken_graph_is_named(promise: str) -> None:
    graph = graph_of("scatter")
    verify_graph(graph)
    with pytest.raises(BrokenSpec) as found:
        verify_graph(BETWEEN[promise](graph))
    assert promise in found.value.promise


def test_a_pass_is_checked_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    @verified
    def careless(spec: KernelSpec) -> tuple[KernelSpec, ...]:
        return (spec, at_steps(spec, Store, tensor="x"))

    monkeypatch.setenv("UOL_VERIFY", "0")
    assert len(careless(spec_of("map"))) == 2
    monkeypatch.setenv("UOL_VERIFY", "1")
    with pytest.raises(BrokenSpec, match="the input x is stored to"):
        careless(spec_of("map"))


def test_an_edit_that_changes_nothing_is_not_caught() -> None:
    """What finds the faults above is the fault, not that the spec was rebuilt."""
    for name in KINDS:
        spec = mapped(at_reads(spec_of(name), lambda read: read), step=lambda step: step)
        assert spec == spec_of(name)
        assert steps_of(spec)
        verify(spec)
