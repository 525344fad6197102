"""A fold whose values depend on remainders of its rows, as folds of residues beside each other."""

from __future__ import annotations

from typing import cast

import pytest
from before_after import agree
from middle import lowered, run

from uol.codegen.specs.interleaved import MOST_RESIDUES, interleaved
from uol.codegen.specs.nodes import KernelSpec, Reduce

SPREAD = """
op spread(dy: T[P], x: T[stride*P + 1]; stride: int = 2) -> (dx: T[stride*P + 1]) for T in (f32, f64) {
  dx[v] = sum[u < 2](select(v % stride + stride*u < 3 and x[v] > 0, dy[v / stride - u] else 0, 0))
}
"""
IN_TWO_DIMS = """
op windows(x: T[H, W], y: T[H/s, W/s]; s: int = 2) -> (z: T[H, W], m: T[H, W]) for T in (f32, f64) where s > 0 {
  m[i, j] = max[u < 2, v < 2](select(i % s + s*u < 3 and j % s + s*v < 3, y[i/s - u, j/s - v] else -inf, -inf))
  z[i, j] = m[i, j] * x[i, j]
}
"""


def reduction(text: str, **sizes: int) -> Reduce:
    attrs = {name: sizes.pop(name) for name in ("stride", "s") if name in sizes}
    (spec,) = lowered(text, dims=sizes, attrs=attrs).specs
    return cast(Reduce, spec)


def test_each_residue_is_a_fold_of_its_own() -> None:
    spec = reduction(SPREAD, P=4, stride=2)
    agree(
        spec,
        """
        Reduce spread: rows v < 9; cols u < 2
          line 4   dx_value = sum over u of select(v % 2 + u * 2 < 3 and x[v] > 0, dy[v / 2 - u] if v / 2 - u >= 0 and v / 2 - u < 4 else 0, 0)
          line 4   dx[v] = dx_value
        """,  # noqa: E501 - the printer's lines
    )
    whole, rest = interleaved(spec)
    agree(
        whole,
        """
        Reduce spread: rows v < 4; cols u < 2
          line 4   dx_value_at_0 = sum over u of select(true and x[v * 2] > 0, dy[v - u] if 0 <= v - u else 0, 0)
          line 4   dx[v * 2] = dx_value_at_0
          line 4   dx_value_at_1 = sum over u of select(u * 2 + 1 < 3 and x[v * 2 + 1] > 0, dy[v - u] if 0 <= v - u else 0, 0)
          line 4   dx[v * 2 + 1] = dx_value_at_1
        """,
    )
    agree(
        rest,
        """
        Reduce spread_1: rows v < 1; cols u < 2
          line 4   dx_value_at_0 = sum over u of select(true and x[v * 2 + 8] > 0, dy[v + 4 - u] if v + 4 - u < 4 else 0, 0)
          line 4   dx[v * 2 + 8] = dx_value_at_0
        """,
    )


def apart(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    return interleaved(spec) if isinstance(spec, Reduce) else (spec,)


@pytest.mark.parametrize("stride", [2, 3])
def test_values_stay(stride: int) -> None:
    run(SPREAD, legalise=apart, dims={"P": 4}, attrs={"stride": stride})
    run(IN_TWO_DIMS, legalise=apart, dims={"H": 7, "W": 8}, attrs={"s": stride})


def test_what_stays_one_kernel() -> None:
    """A stride of 1, and more residues than registers are worth."""
    for stride in (1, MOST_RESIDUES + 1):
        spec = reduction(SPREAD, P=4, stride=stride)
        assert interleaved(spec) == (spec,)
