"""What one place takes many of is summed before it is scattered."""

from __future__ import annotations

from before_after import agree
from middle import program_of

from uol.codegen.program.scatter_sums import sum_before_scatters

TEXT = "op f(x: f32[N, D], w: f32[D], at: i64[N]; M: int) -> (y: f32[M]) where M > 0 { y[at[n]] += sum[d](x[n, d] * w[d]) }"
ALL = "op f(x: f32[N, D], at: i64[N]; M: int) -> (y: f32[M]) where M > 0 { y[at[n]] += x[n, d] }"


def test_scatter_sums() -> None:
    program = program_of(ALL, types={}, dims={"N": 4, "D": 3}, attrs={"M": 2})
    agree(
        program,
        """
        line 2   y[idx(at[n])]: f32 += x[n, d] over n, d if idx(at[n]) >= 0 and idx(at[n]) < 2
        """,
    )
    agree(
        sum_before_scatters(program),
        """
        line 2   y[idx(at[n])]: f32 += sum[d](x[n, d]) over n if idx(at[n]) >= 0 and idx(at[n]) < 2
        """,
    )


def test_a_sum_that_is_there_stays() -> None:
    program = program_of(TEXT, types={}, dims={"N": 4, "D": 3}, attrs={"M": 2})
    assert sum_before_scatters(program) == program
