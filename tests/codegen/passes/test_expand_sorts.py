"""An order is found by counting, and a scatter gathers."""

from __future__ import annotations

from before_after import agree
from middle import program_of

from uol.codegen.program.expand_sorts import as_reductions

ORDER = "op f(x: i32[N]) -> (y: i64[N]) { y[k] = argsort[n](x[n]) }"
SCATTER = "op f(x: f32[N, D], at: i64[N]; M: int) -> (y: f32[M, D]) where M > 0 { y[at[n], d] += x[n, d] }"


def test_an_order() -> None:
    program = program_of(ORDER, types={}, dims={"N": 4})
    agree(
        program,
        """
        line 2   y[k]: i64 = the n of the k-th smallest x[n]
        """,
    )
    agree(
        as_reductions(program),
        """
        line 2   y_rank[n]: i32 = sum[n_other, x[n_other] < x[n] or not x[n] < x[n_other] and n_other < n](1)
        line 2   y[k]: i64 = i64(sum[n, y_rank[n] == i32(k)](i32(n)))
        """,
    )


def test_a_scatter() -> None:
    program = program_of(SCATTER, types={}, dims={"N": 4, "D": 3}, attrs={"M": 2})
    agree(
        program,
        """
        line 2   y[idx(at[n]), d]: f32 += x[n, d] over n, d if idx(at[n]) >= 0 and idx(at[n]) < 2
        """,
    )
    agree(
        as_reductions(program),
        """
        line 2   y[y_i0, d]: f32 = sum[n, idx(at[n]) == y_i0](x[n, d])
        """,
    )


def test_a_machine_with_both_keeps_them() -> None:
    program = program_of(SCATTER, types={}, dims={"N": 4, "D": 3}, attrs={"M": 2})
    assert as_reductions(program, scatters=frozenset({"f32"}), orders=True) is program
