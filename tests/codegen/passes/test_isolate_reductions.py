"""One reduction a stage, at its root."""

from __future__ import annotations

from before_after import agree
from middle import program_of

from uol.codegen.program.isolate_reductions import hoist_reductions

TEXT = "op f(x: T[R, C]) -> (y: T[R, C]) for T in (f32) { y[r, c] = x[r, c] / sum[k](x[r, k] * max[j](x[j, k])) }"


def test_isolate_reductions() -> None:
    program = program_of(TEXT, dims={"R": 2, "C": 3})
    agree(
        program,
        """
        line 2   y[r, c]: f32 = x[r, c] / sum[k](x[r, k] * max[j](x[j, k]))
        """,
    )
    agree(
        hoist_reductions(program),
        """
        line 2   y_max[k]: f32 = max[j](x[j, k])
        line 2   y_sum[r]: f32 = sum[k](x[r, k] * y_max[k])
        line 2   y[r, c]: f32 = x[r, c] / y_sum[r]
        """,
    )
