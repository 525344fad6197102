"""A reduction that one index bounds is a scan."""

from __future__ import annotations

from before_after import agree
from middle import program_of

from uol.codegen.program.scans import as_scans

TEXT = """op f(x: T[R, N]) -> (y: T[R, N], z: T[R, N]) for T in (f32) {
  y[r, n] = sum[j <= n](x[r, j])
  z[r, n] = max[j > n](x[r, j])
}"""


def test_scans() -> None:
    program = program_of(TEXT, dims={"R": 2, "N": 3})
    agree(
        program,
        """
        line 2   y[r, n]: f32 = sum[j, j <= n](x[r, j])
        line 3   z[r, n]: f32 = max[j, j > n](x[r, j])
        """,
    )
    agree(
        as_scans(program),
        """
        line 2   y[r, n]: f32 = sum[<= n](x[r, n])
        line 3   z[r, n]: f32 = max[> n](x[r, n])
        """,
    )
