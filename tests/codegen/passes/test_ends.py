"""A Reduce whose rows end: over the columns that count, with no question in its folds and reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from before_after import agree
from middle import lowered

import uol
from uol.binding.sample_sizes import samples_for_every_kernel
from uol.cli.trial import try_compiled
from uol.codegen.specs.ends import until_end
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.long_rows.split_folds import split_folds
from uol.codegen.specs.nodes import Fold, Reduce
from uol.ir.program.nodes import Call, Const, Var

TOTAL = "op total(x: f32[R, C]) -> (y: f32[R]) { y[r] = sum[c](exp(x[r, c])) }"
CLIPPED = """op clipped_rows(x: f32[R, C], w: f32[C]) -> (y: f32[R], z: f32[R]) where C > 0 {
  y[r] = sum[c < 2 * r - 3](x[r, c] * w[c] else 0)
  z[r] = max[c < 2 * r - 3](x[r, c] else 0)
}"""


def reduce_of(text: str, **dims: int) -> Reduce:
    spec, *_ = lowered(text, dims=dims, types={}).specs
    assert isinstance(spec, Reduce)
    return spec


def test_the_last_part_of_an_axis() -> None:
    parts, _ = split_folds(spec := reduce_of(TOTAL, R=2, C=8), spec.cols[0], 3)
    bare, end = until_end(parts)
    agree(
        parts,
        """
        Reduce total_parts: rows part < 3, r < 2; cols c < 3
          line 2   y_value = sum over c of exp(x[r * 8 + (part * 3 + c)] if part * 3 + c < 8 else 0) where part * 3 + c < 8
          line 2   total_y_value_parts[part * 2 + r] = y_value
        """,
    )
    agree(
        bare,
        """
        Reduce total_parts: rows part < 3, r < 2; cols c < 3
          line 2   y_value = sum over c of exp(x[r * 8 + (part * 3 + c)])
          line 2   total_y_value_parts[part * 2 + r] = y_value
        """,
    )
    assert end is not None
    assert expr_text(end.count) == "min(3, 8 - part * 3)"


WITHOUT_END = {
    "a bound that is in the row": "op f(x: f32[R, C]) -> (y: f32[R]) { y[r] = sum[c < C](x[r, c]) }",
    "a condition on data": "op f(x: f32[R, C], n: i32[R]) -> (y: f32[R]) { y[r] = sum[c < n[r]](x[r, c] else 0) }",
    "an inner axis": "op f(x: f32[R, B, C]) -> (y: f32[R]) { y[r] = sum[b, c < r](x[r, b, c] else 0) }",
}


@pytest.mark.parametrize("why", WITHOUT_END)
def test_what_has_no_end_stays(why: str) -> None:
    text = WITHOUT_END[why]
    spec = reduce_of(text, R=4, C=8, **({"B": 2} if "B," in text else {}))
    assert until_end(spec) == (spec, None)


def test_folds_with_other_ends_have_none() -> None:
    (spec,) = lowered(CLIPPED, dims={"R": 4, "C": 8}, types={}).specs
    assert isinstance(spec, Reduce)
    first, *others = [s for s in spec.steps if isinstance(s, Fold)]
    assert others
    _, end = until_end(spec)
    assert end is not None
    assert expr_text(end.count) == "min(3, r * 2 - 3)"
    never = Call("<", (Var("c"), Const(1)), "bool")
    other = tuple(replace(s, where=(never,)) if s is first else s for s in spec.steps)
    assert until_end(changed := replace(spec, steps=other)) == (changed, None)


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_rows_that_end_before_they_begin(target: str) -> None:
    """Of the first rows nothing counts, of the last all: where threads share a row, and where each has its own."""
    for sizes in ({"R": 9, "C": 8}, {"R": 700, "C": 70}, {"R": 70, "C": 700}):
        trial = try_compiled(uol.compile(uol.op(CLIPPED), target, dims=sizes), in_twin=True)
        assert trial.passed, str(trial)


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_rows_of_any_length_that_end_where_each_says(target: str) -> None:
    """No number of elements side by side divides all of their ends."""
    kernel = uol.compile(uol.op(CLIPPED), target)
    assert kernel.request.instance.open_dims
    for instance in samples_for_every_kernel(kernel, 3):
        trial = try_compiled(kernel, in_twin=True, instance=instance)
        assert trial.passed, str(trial)


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize(("end", "is_side_by_side"), [("r", False), ("b", True)])
def test_rows_of_a_thread_end_together(end: str, is_side_by_side: bool, target: str) -> None:
    """A thread that has several rows side by side goes over the columns of all of them at once."""
    text = f"op until_{end}(x: f32[B, C, R]) -> (y: f32[B, R]) {{ y[b, r] = sum[c < {end}](x[b, c, r] else 0) }}"
    kernel = uol.compile(uol.op(text), target, dims={"B": 4, "C": 16, "R": 4096})
    assert ("one row a thread" not in kernel.module.kernels[0].schedule.describe()) == is_side_by_side
    trial = try_compiled(kernel, in_twin=True)
    assert trial.passed, str(trial)
