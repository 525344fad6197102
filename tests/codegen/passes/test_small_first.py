"""What statements over more axes need comes before what goes over these axes."""

from __future__ import annotations

from before_after import agree
from middle import program_of

from uol.codegen.program.small_first import small_first


def order(text: str) -> str:
    """The names of the statements, small ones first."""
    return " ".join(stage.name for stage in small_first(program_of(text, dims={"N": 4, "C": 8})).stages)


def test_a_small_sum_is_made_before_rows_that_need_it() -> None:
    program = program_of(
        """op f(x: T[N, C], v: T[N]) -> (y: T[N, C]) for T in (f32) {
  hi[n] = max[c](x[n, c])
  total[] = sum[n](v[n])
  y[n, c] = (x[n, c] - hi[n]) / total[]
}""",
        dims={"N": 4, "C": 8},
    )
    agree(
        small_first(program),
        """
        line 3   total[]: f32 = sum[n](v[n])
        line 2   hi[n]: f32 = max[c](x[n, c])
        line 4   y[n, c]: f32 = (x[n, c] - hi[n]) / total[]
        """,
    )


def test_what_nothing_larger_needs_stays() -> None:
    """The mean of what rows come to: the sum of weights is made with the sum of those, in one kernel."""
    text = """op f(x: T[N, C], v: T[N]) -> (y: T[]) for T in (f32) {
  hi[n] = max[c](x[n, c])
  total[] = sum[n](v[n])
  y[] = sum[n](hi[n]) / total[]
}"""
    assert order(text) == "hi total y"


def test_the_smallest_first_and_operands_before_it() -> None:
    text = """op f(x: T[N, C], v: T[N]) -> (y: T[N, C]) for T in (f32) {
  a[n, c] = x[n, c] * 2
  b[n] = v[n] + 1
  e[] = sum[n](v[n])
  d[n] = b[n] / e[]
  y[n, c] = a[n, c] * d[n]
}"""
    assert order(text) == "b e d a y", "axes are counted with those of sums"
