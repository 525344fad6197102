"""A running extremum beside the one that stops before each position is one scan with it; other folds are two."""

from __future__ import annotations

import pytest
from before_after import agree
from middle import lowered, program_of

from uol.codegen.program.nested_extrema import nested_extrema
from uol.codegen.specs.nodes import Scan

TEXT = """op f(x: T[R, N]) -> (y: T[R, N], z: T[R, N]) for T in (f32) {
  y[r, n] = max[j < n](x[r, j])
  z[r, n] = max[j <= n](x[r, j])
}"""


def test_the_longer_is_made_of_the_shorter() -> None:
    agree(
        nested_extrema(program_of(TEXT, dims={"R": 2, "N": 3})),
        """
        line 2   y[r, n]: f32 = max[j, j < n](x[r, j])
        line 3   z[r, n]: f32 = max(y[r, n], x[r, n])
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("max[j <=", "min[j <="), ("max", "sum"), ("max[j <=", "max[j >="), ("max[j <= n](x[r, j])", "max[j <= n](-x[r, j])")],
    ids=["another extremum", "what rounds", "the other way", "of other values"],
)
def test_what_stays(old: str, new: str) -> None:
    program = program_of(TEXT.replace(old, new), dims={"R": 2, "N": 3})
    assert nested_extrema(program) == program


def test_both_are_one_kernel() -> None:
    assert [type(spec) for spec in lowered(TEXT, kinds=frozenset({Scan}), dims={"R": 2, "N": 3}).specs] == [Scan]
