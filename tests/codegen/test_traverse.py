"""Walks and rebuilds reach all of a spec, whatever its kind. What is there is counted in how Python prints the dataclasses."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from every_spec import KINDS, spec_of

from uol.codegen.specs.nodes import KernelSpec, Read, Store
from uol.codegen.specs.traverse import (
    accesses,
    axis_groups,
    expressions,
    lines_of,
    mapped,
    names_of,
    steps_of,
    values,
    with_steps,
)
from uol.codegen.specs.verify import verify
from uol.ir.program.nodes import Axis, Call, Const, Var
from uol.ir.program.walk import rewrite, substitute, walk

of_every_kind = pytest.mark.parametrize("name", KINDS)


def printed(spec: KernelSpec) -> str:
    """The spec without its head."""
    return repr(replace(spec, name="", args=(), scalars=(), dims=(), facts=(), source=""))


@of_every_kind
def test_every_access_is_found(name: str) -> None:
    spec = spec_of(name)
    reads = [a.tensor for a in accesses(spec) if isinstance(a, Read)]
    assert sorted(reads) == sorted(re.findall(r"Read\(tensor='(\w+)'", printed(spec)))
    stores = [a.tensor for a in accesses(spec) if isinstance(a, Store)]
    assert sorted(stores) == sorted(re.findall(r"Store\(tensor='(\w+)'", printed(spec)))


@of_every_kind
def test_every_expression_that_is_evaluated_is_found(name: str) -> None:
    spec = spec_of(name)
    calls = [node for expr in expressions(spec) for node in walk(expr) if isinstance(node, Call)]
    assert len(calls) == printed(spec).count("Call(fn=")
    offsets = [step.offset for step in steps_of(spec) if isinstance(step, Store)]
    assert sorted(map(repr, expressions(spec))) == sorted(map(repr, [*values(spec), *offsets]))


@of_every_kind
def test_an_expression_is_exchanged_wherever_it_stands(name: str) -> None:
    spec = spec_of(name)
    changed = mapped(spec, expr=lambda e: rewrite(e, lambda node: Var("other") if isinstance(node, Var) else None))
    assert set(re.findall(r"Var\(name='([^']+)'", printed(changed))) == {"other"}


@of_every_kind
def test_an_axis_is_renamed_wherever_it_stands(name: str) -> None:
    spec = spec_of(name)
    for axis in [a for group in axis_groups(spec).values() for a in group]:
        new = {axis.name: "other"}
        renamed = mapped(
            spec,
            expr=lambda e, new=new: substitute(e, {old: Var(to) for old, to in new.items()}),
            axes=lambda axes, new=new: tuple(Axis(new.get(a.name, a.name), a.extent) for a in axes),
            name=lambda n, new=new: new.get(n, n),
        )
        assert f"'{axis.name}'" not in printed(renamed)
        assert printed(renamed).count("'other'") == printed(spec).count(f"'{axis.name}'")
        verify(renamed)


def test_of_two_axes_that_become_one_the_stride_is_that_of_the_inner() -> None:
    spec = spec_of("reduce")
    joined = mapped(
        spec,
        expr=lambda e: substitute(e, {"r": Const(0)}),
        name=lambda n: "c",
        axes=lambda axes: tuple(a for a in axes if a.name != "r"),
    )
    assert {access.strides for access in accesses(joined)} == {(("c", Const(1)),)}
    assert {step.axes for step in steps_of(joined) if isinstance(step, Store)} == {("c",)}


@of_every_kind
def test_runs_of_steps_are_exchanged(name: str) -> None:
    spec: Any = spec_of(name)
    dropped = with_steps(spec, lambda steps: steps[:0])
    assert len(steps_of(dropped)) == (name == "scatter")  # what a scatter adds is a part of its own
    assert with_steps(spec, lambda steps: steps) == spec


def test_what_a_spec_names_and_where_it_stands() -> None:
    assert names_of(spec_of("contract")) == ("a", "y_value")
    assert names_of(spec_of("rows"))[0] == spec_of("rows").acc
    assert spec_of("rows").segments.of in names_of(spec_of("rows"))
    assert names_of(spec_of("attention"))[:2] == ("s", "y_sum")
    assert spec_of("select").at in names_of(spec_of("select"))
    assert lines_of(spec_of("contract")) == [2, 3]
    assert lines_of(spec_of("attention")) == [2, 3, 4, 5, 6]
