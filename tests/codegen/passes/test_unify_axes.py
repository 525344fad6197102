"""A stage that is read at plain indices takes its reader's names."""

from __future__ import annotations

from before_after import agree
from middle import program_of
from middle_texts import RENAMED

from uol.codegen.program.unify_axes import align_axes


def test_unify_axes() -> None:
    program = program_of(RENAMED, dims={"R": 2, "C": 3})
    agree(
        program,
        """
        line 2   hi[a]: f32 = max[b](x[a, b])
        line 3   e[i, j]: f32 = exp(x[i, j] - hi[i])
        line 4   z[t]: f32 = sum[u](e[t, u])
        line 5   y[r, c]: f32 = e[r, c] / z[r]
        """,
    )
    agree(
        align_axes(program),
        """
        line 2   hi[r]: f32 = max[b](x[r, b])
        line 3   e[r, u]: f32 = exp(x[r, u] - hi[r])
        line 4   z[r]: f32 = sum[u](e[r, u])
        line 5   y[r, c]: f32 = e[r, c] / z[r]
        """,
    )
