"""A sum over everything that another one goes over for each of its rows is made beside it."""

from __future__ import annotations

import pytest
from before_after import agree
from middle import lowered, program_of, run

from uol.codegen.program.sums_beside_rows import sums_beside_rows
from uol.codegen.specs.nodes import Reduce, Scatter, Select

TEXT = """op f(x: f32[N, E], v: f32[N]) -> (y: f32[E], z: f32[]) {
  y[e] = sum[n](x[n, e] * exp(v[n]))
  total[] = sum[m](v[m] * v[m])
  z[] = total[] / 2
}"""
ALONE = TEXT.replace("total[] = sum[m](v[m] * v[m])", "total[] = sum[m](w[m])").replace("v: f32[N])", "v: f32[N], w: f32[N])")
RESULT = TEXT.replace("total[] = sum[m](v[m] * v[m])\n  z[] = total[] / 2", "z[] = sum[m](v[m] * v[m])")
KINDS = frozenset({Scatter, Select})
DIMS = {"N": 12, "E": 5}


def test_one_of_the_sums_is_read() -> None:
    agree(
        sums_beside_rows(program_of(TEXT, types={}, dims=DIMS)),
        """
        line 2   y[e]: f32 = sum[n](x[n, e] * exp(v[n]))
        line 3   total_each[e]: f32 = sum[n](v[n] * v[n])
        line 4   z[]: f32 = total_each[0] / 2
        """,
    )


@pytest.mark.parametrize(("text", "rows"), [(ALONE, 5), (RESULT, 5), (TEXT, 1), (TEXT, 257)])
def test_other_sums_stay(text: str, rows: int) -> None:
    program = program_of(text, types={}, dims={"N": 12, "E": rows})
    assert sums_beside_rows(program) == program


def test_one_kernel_makes_both() -> None:
    graph = lowered(TEXT, kinds=KINDS, puts=True, types={}, dims=DIMS)
    assert isinstance(graph.specs[0], Reduce) and len(graph.specs) == 2


def test_values() -> None:
    run(TEXT, kinds=KINDS, puts=True, types={}, dims=DIMS)
