"""Statements that only copy go: readers of a local read what it copies, and a result is made where its only source was."""

from __future__ import annotations

from before_after import agree
from middle import program_of, run

from uol.codegen.program.copies import drop_copies

COPIED = """op f(x: T[N, M]) -> (y: T[N, M]) for T in (f32, f64) {
  a[n, m] = acc(x[n, m])
  z[n]    = sum[m](a[n, m])
  y[n, m] = T(a[n, m] / z[n])
}"""
SCATTERED = """op f(x: T[N], t: i64[N]; M: int = 3) -> (y: T[M]) for T in (f32, f64) {
  s[t[n]] += x[n]
  y[m] = T(s[m])
}"""
PLACED = """op f(x: T[N], t: i64[N]; M: int = 3) -> (y: T[M]) for T in (f32, f64) {
  a[n] = t[n]
  s[a[n]] += x[n]
  y[m] = s[m] * 2
}"""
KEPT = """op f(x: T[N, N]) -> (y: T[N, N], z: T[N, N]) for T in (f32, f64) {
  a[n, m] = x[m, n]
  y[n, m] = a[n, m]
  z[n, m] = a[n, m] + 1
}"""


def test_a_local_that_is_a_copy() -> None:
    agree(
        drop_copies(program_of(COPIED, dims={"N": 4, "M": 5})),
        """
        line 3   z[n]: f32 = sum[m](x[n, m])
        line 4   y[n, m]: f32 = x[n, m] / z[n]
        """,
    )
    run(COPIED, dims={"N": 4, "M": 5})


def test_a_result_that_is_a_copy() -> None:
    program = program_of(SCATTERED, dims={"N": 4})
    assert [s.name for s in program.stages] == ["s", "y"]
    (made,) = drop_copies(program).stages
    assert made.name == "y"
    assert drop_copies(program).tensors.keys() == {"x", "t", "y"}


def test_a_copy_that_says_where_a_scatter_adds() -> None:
    agree(
        drop_copies(program_of(PLACED, dims={"N": 4})),
        """
        line 3   s[idx(t[n])]: f32 += x[n] over n if idx(t[n]) >= 0 and idx(t[n]) < 3
        line 4   y[m]: f32 = s[m] * 2
        """,
    )
    run(PLACED, {"t": [0, 2, -1, 5]}, dims={"N": 4})


def test_what_is_no_copy_or_is_read_elsewhere_stays() -> None:
    program = program_of(KEPT, dims={"N": 4})
    assert drop_copies(program) == program
    run(KEPT, dims={"N": 4})
    narrow = program_of(COPIED.replace("(f32, f64)", "(f16)"), types={"T": "f16"}, dims={"N": 4, "M": 5})
    assert drop_copies(narrow) == narrow
