"""Statements that no result depends on go, and what only they read."""

from __future__ import annotations

from before_after import agree
from middle import program_of

from uol.codegen.program.dead_stages import drop_unused

TEXT = """op f(x: T[N]) -> (y: T[N]) for T in (f32) {
  a[n] = x[n] * 2
  b[n] = a[n] + 1
  y[n] = a[n] - 1
}"""


def test_dead_stages() -> None:
    program = program_of(TEXT, dims={"N": 4})
    agree(
        program,
        """
        line 2   a[n]: f32 = x[n] * 2
        line 3   b[n]: f32 = a[n] + 1
        line 4   y[n]: f32 = a[n] - 1
        """,
    )
    agree(
        drop_unused(program),
        """
        line 2   a[n]: f32 = x[n] * 2
        line 4   y[n]: f32 = a[n] - 1
        """,
    )
