"""A statement over channels joins the reduction of their groups: the axis is a row and a column there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from middle import lowered, lowered_program, program_of, run
from middle_texts import NORM

from uol.backends import registry
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import KernelSpec, Reduce, Store
from uol.codegen.specs.traverse import steps_of
from uol.ir import Library, instantiate, parse
from uol.ir.program.nodes import Const

MEAN = """op mean_of(x: T[N, C, S]; k: int) -> (y: T[N, C/k]) for T in (f32, f64) where k > 0, C % k == 0, C*S > 0 {
  y[n, g] = sum[d < k, s](x[n, g*k + d, s]) / (k*S)
}
"""
CENTRED = (
    MEAN
    + """op centred(x: T[N, C, S], w: T[C]) -> (y: T[N, C, S], z: T[N, C, S]) for T in (f32, f64) where C % 4 == 0, C*S > 0 {
  mu[n, g]   = mean_of(x; k=4)[n, g]
  y[n, c, s] = (x[n, c, s] - mu[n, c / 4]) * w[c]
  z[n, c, s] = max(y[n, c, s], 0)
}"""
)
GROUPS = """op group_mean(x: T[N, C, S]; groups: int) -> (y: T[N, groups]) for T in (f32, f64)
    where groups > 0, C % groups == 0, C*S > 0 {
  y[n, g] = sum[d < C/groups, s](x[n, g*(C/groups) + d, s]) / (C/groups*S)
}
op centred(x: T[N, C, S]) -> (y: T[N, C, S]) for T in (f32, f64) where C % 2 == 0, C*S > 0 {
  mu[n, g]   = group_mean(x; groups=2)[n, g]
  y[n, c, s] = x[n, c, s] - mu[n, c / (C/2)]
}"""
OTHER_PARTS = (
    MEAN
    + """op other(x: T[N, C, S]) -> (y: T[N, C, S]) for T in (f32, f64) where C % 4 == 0, C*S > 0 {
  mu[n, g]   = mean_of(x; k=4)[n, g]
  y[n, c, s] = x[n, c, s] - mu[n, c / 8]
}"""
)
TWO_WAYS = (
    MEAN
    + """op two(x: T[N, C, S]) -> (y: T[N, C, S]) for T in (f32, f64) where C % 4 == 0, C*S > 0 {
  mu[n, g]   = mean_of(x; k=4)[n, g]
  y[n, c, s] = x[n, c, s] - mu[n, c / 4] * mu[n, c / 8]
}"""
)
DIMS = {"N": 3, "C": 8, "S": 5}


def test_a_statement_over_channels_is_in_the_kernel_of_their_groups() -> None:
    (spec,) = lowered(CENTRED, dims=DIMS).specs
    assert isinstance(spec, Reduce)
    assert [[static(axis.extent) for axis in axes] for axes in (spec.rows, spec.cols)] == [[3, 2], [4, 5]]
    stores = {step.tensor: step for step in spec.steps if isinstance(step, Store)}
    assert stores.keys() == {"y", "z"}
    n, g, d, s = (axis.name for axis in spec.axes)
    assert dict(stores["y"].strides) == {n: Const(40), g: Const(20), d: Const(5), s: Const(1)}
    run(CENTRED, dims=DIMS)


@pytest.mark.parametrize("text", [CENTRED, GROUPS])
def test_so_it_is_where_channels_are_any_number_that_the_groups_divide(text: str) -> None:
    """Which has to be known: by the quotient alone some channels would be of no group."""
    program = program_of(text, dims={"N": 3, "S": 5})
    known, unknown = (lowered_program(each).specs for each in (program, replace(program, facts=())))
    assert [type(spec).__name__ for spec in known] == ["Reduce"]
    assert [type(spec).__name__ for spec in unknown] == ["Reduce", "Map"]


@pytest.mark.parametrize("text", [OTHER_PARTS, TWO_WAYS])
def test_parts_that_are_no_row_and_column_are_read_from_memory(text: str) -> None:
    assert [type(spec).__name__ for spec in lowered(text, dims=DIMS).specs] == ["Reduce", "Map"]
    run(text, dims=DIMS)


def test_a_machine_may_refuse() -> None:
    def accepts(spec: KernelSpec) -> bool:
        return not isinstance(spec, Reduce) or all(len(step.axes) == 2 for step in steps_of(spec) if isinstance(step, Store))

    assert [type(spec).__name__ for spec in lowered(CENTRED, dims=DIMS, accepts=accepts).specs] == ["Reduce", "Map"]


def test_threads_take_it_where_the_result_lies_along_the_columns() -> None:
    ops = parse(CENTRED)
    program = instantiate(ops[-1], Library(ops), types={"T": "f32"}, dims=DIMS)
    last = {name: (40, 1, 8) for name in ("x", "y", "z")}
    kinds = {
        (name, bool(layouts)): [type(spec).__name__ for spec in lower(program, registry.get(name), layouts).specs]
        for name in ("cuda", "hip", "cpu")
        for layouts in ({}, last)
    }
    for name in ("cuda", "hip"):
        assert (kinds[name, False], kinds[name, True]) == (["Reduce"], ["Reduce", "Map"])
    assert kinds["cpu", False] == ["Reduce", "Map"]


def test_a_norm_of_whole_rows_is_as_it_was() -> None:
    (spec,) = lowered(NORM, dims={"R": 4, "C": 6}).specs
    assert [axis.name for axis in spec.axes] == ["r", "c"]
