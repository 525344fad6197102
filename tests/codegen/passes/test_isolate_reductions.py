"""One reduction a stage, at its root."""

from __future__ import annotations

import pytest
from before_after import agree
from middle import program_of

from uol.backends.registry import get
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.codegen.program.isolate_reductions import hoist_reductions
from uol.codegen.specs.nodes import Contract

TEXT = "op f(x: T[R, C]) -> (y: T[R, C]) for T in (f32) { y[r, c] = x[r, c] / sum[k](x[r, k] * max[j](x[j, k])) }"


def test_isolate_reductions() -> None:
    program = program_of(TEXT, dims={"R": 2, "C": 3})
    agree(
        program,
        """
        line 2   y[r, c]: f32 = x[r, c] / sum[k](x[r, k] * max[j](x[j, k]))
        """,
    )
    agree(
        hoist_reductions(program),
        """
        line 2   y_max[k]: f32 = max[j](x[j, k])
        line 2   y_sum[r]: f32 = sum[k](x[r, k] * y_max[k])
        line 2   y[r, c]: f32 = x[r, c] / y_sum[r]
        """,
    )


@pytest.mark.parametrize(("term", "longest"), [("b[j]", 5), ("b[j] * c[i, j]", 3), ("b[j] * prod[k < j, k >= i](a[k])", 3)])
def test_only_what_is_a_scan_goes_on_behind_the_end_of_its_index(term: str, longest: int) -> None:
    """Along the longer axis it is one; else what a term reads there is not there."""
    text = f"op f(a: f32[N], b: f32[J], c: f32[K, J]) -> (y: f32[K]) {{ y[i] = c[i, 0] * sum[j > i]({term}) }}"
    program = hoist_reductions(program_of(text, types={}, dims={"N": 2, "J": 5, "K": 3}))
    (stage,) = (stage for stage in program.stages if stage.name == "y_sum")
    assert [static(axis.extent) for axis in stage.axes] == [longest]


def test_equal_reductions_are_one_stage() -> None:
    """By whatever names for their indices; others stay apart: of another row, another bound, another kind."""
    text = "op f(x: T[R, C]) -> (y: T[R, C]) for T in (f32) {"
    text += " y[r, c] = sum[k](x[r, k]) * exp(-sum[j](x[r, j])) + sum[k](x[c, k]) + sum[k <= c](x[r, k]) + max[k](x[r, k]) }"
    agree(
        hoist_reductions(program_of(text, dims={"R": 3, "C": 3})),
        """
        line 2   y_sum[r]: f32 = sum[k](x[r, k])
        line 2   y_sum2[c]: f32 = sum[k](x[c, k])
        line 2   y_sum3[r, c]: f32 = sum[k, k <= c](x[r, k])
        line 2   y_max[r]: f32 = max[k](x[r, k])
        line 2   y[r, c]: f32 = y_sum[r] * exp(-y_sum[r]) + y_sum2[c] + y_sum3[r, c] + y_max[r]
        """,
    )


@pytest.mark.parametrize("target", ["cpu", "cuda", "hip", "ascendc"])
def test_an_activation_written_out_is_of_one_product(target: str) -> None:
    """As a graph's text has it, whose values stand wherever they are read."""
    h = "(sum[k](x[i, k] * w[k, j]) + b[j])"
    text = "op f(x: T[I, K], w: T[K, J], b: T[J]) -> (y: T[I, J]) for T in (f32)"
    text += f" {{ y[i, j] = {h} * 0.5 * (erf({h} * 0.7) + 1.0) }}"
    graph = lower(program_of(text, dims={"I": 96, "K": 64, "J": 128}), get(target), {})
    assert sum(isinstance(spec, Contract) for spec in graph.specs) == 1
