"""What the rows of an attention see of its cols: found by conditions that everything vanishes with, and by nothing else."""

from __future__ import annotations

import pytest
from middle import lowered
from spec_interpreter import EVERY_KIND

from uol.codegen.attention.reach import Reach, reach
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import Attention
from uol.ir import print_op
from uol.operators.registry import find_operator

DIMS = {"B": 2, "H": 4, "G": 2, "L": 40, "M": 50, "D": 8, "E": 8}
BANDED = """op banded(q: T[L, D], k: T[M, D], v: T[M, E]) -> (y: T[L, E]) for T in (f32, f64) {
  s[i, j] = select(CONDITION, sum[d](q[i, d] * k[j, d]), -inf)
  hi[i]   = max[j](s[i, j])
  p[i, j] = WEIGHT
  z[i]    = sum[j](p[i, j])
  y[i, e] = sum[j](p[i, j] * v[j, e]) / max(z[i], 1)
}"""
LAZY, EAGER = "select(s[i, j] == -inf, 0, exp(s[i, j] - hi[i]))", "exp(s[i, j] - hi[i])"


def bounds(text: str, dims: dict[str, int]) -> list[tuple[str, str]]:
    specs = lowered(text, kinds=EVERY_KIND, dims=dims).specs
    return [_text(reach(spec)) for spec in specs if isinstance(spec, Attention)]


def _text(found: Reach) -> tuple[str, str]:
    first, end = ("" if bound is None else expr_text(bound) for bound in (found.first, found.end))
    return first, end


def test_a_causal_row_ends_at_the_diagonal_and_so_a_col_of_its_gradient_begins_there() -> None:
    assert bounds(print_op(find_operator("causal_attention")), DIMS) == [("", "i + 1")]
    assert bounds(print_op(find_operator("causal_attention_grad")), DIMS) == [("", "i + 1"), ("j", "")]


@pytest.mark.parametrize("name", ["attention", "masked_attention", "biased_attention"])
def test_what_data_decide_has_no_bounds(name: str) -> None:
    assert bounds(print_op(find_operator(name)), DIMS) == [("", "")]


@pytest.mark.parametrize(
    ("condition", "weight", "expected"),
    [
        ("j < i + 3 and i - 5 < j", LAZY, ("i - 4", "i + 3")),
        ("j >= i", LAZY, ("i", "")),
        ("2*j <= i", LAZY, ("", "")),  # no bound that is affine in the row
        ("j <= i or j == 7", LAZY, ("", "")),
        ("j <= i", EAGER, ("", "")),  # a row that sees nothing is NaN
    ],
)
def test_bounds(condition: str, weight: str, expected: tuple[str, str]) -> None:
    text = BANDED.replace("CONDITION", condition).replace("WEIGHT", weight)
    assert bounds(text, {"L": 40, "M": 50, "D": 8, "E": 8}) == [expected]
