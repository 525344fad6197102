"""A sum of terms that fade by a product over what lies between is a recurrence, whichever ends the product has."""

from __future__ import annotations

import itertools

import pytest
from before_after import agree
from middle import lowered, program_of, run
from spec_interpreter import EVERY_KIND

from uol.codegen.program.recurrences import as_recurrences
from uol.codegen.specs.nodes import Fold, Scan
from uol.codegen.specs.steps import RECURRENCE

TEXT = """op state(a: T[R, N], b: T[R, N]) -> (y: T[R, N], z: T[R, N]) for T in (f32) {
  y[r, i] = sum[j <= i](b[r, j] * prod[k > j, k <= i](a[r, k]))
  z[r, j] = sum[i >= j](b[r, i] * prod[k > j, k <= i](a[r, k]))
}"""
ENDS = [
    (sum_, term, result)
    for forward, after, before in ((("<=", "<"), (">", ">="), ("<=", "<")), ((">=", ">"), ("<", "<="), (">=", ">")))
    for sum_, term, result in itertools.product(forward, after, before)
]
"""How the sum is bounded by the position of the result, and the product by that of the term and of the result."""


def text_of(ends: tuple[str, str, str], body: str = "b[r, j] * {}", factor: str = "a[r, k]") -> str:
    of_sum, of_term, of_result = ends
    product = f"prod[k {of_term} j, k {of_result} i]({factor})"
    value = f"sum[j {of_sum} i]({body.format(product)})"
    return f"op f(a: T[R, N], b: T[R, N]) -> (y: T[R, N]) for T in (f64, f32) {{ y[r, i] = {value} }}"


def test_both_directions() -> None:
    agree(
        as_recurrences(program_of(TEXT, dims={"R": 2, "N": 3})),
        """
        line 2   y_before[r, i]: f32 = recurrence[< i](affine(select(i == 0, 1, a[r, i]), b[r, i]))
        line 2   y[r, i]: f32 = select(i == 0, 1, a[r, i]) * y_before[r, i] + b[r, i]
        line 3   z_before[r, j]: f32 = recurrence[> j](affine(select(j == 2, 1, a[r, j]), a[r, j] * b[r, j]))
        line 3   z[r, j]: f32 = z_before[r, j] + b[r, j]
        """,
    )


@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("ends", ENDS)
def test_every_pair_of_ends_means_what_the_text_does(ends: tuple[str, str, str], length: int) -> None:
    text, dims = text_of(ends), {"R": 2, "N": length}
    run(text, dims=dims, types={"T": "f64"}, kinds=EVERY_KIND)
    graph = lowered(text, dims=dims, types={"T": "f64"}, kinds=EVERY_KIND)
    if length > 2:  # of two positions some bounds hold anyway
        (spec,) = graph.specs
        assert isinstance(spec, Scan)
        assert [step.op for step in spec.steps if isinstance(step, Fold)] == [RECURRENCE]
