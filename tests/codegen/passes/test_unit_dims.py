"""Dims of one element that a statement does not use go: what keeps the dims of a reduction joins its kernel."""

from __future__ import annotations

from before_after import agree
from middle import lowered, program_of, run

from uol.codegen.program.unit_dims import kept_dims, without_dims

KEEPING = """op f(x: T[R, C]) -> (y: T[R, C], m: T[R, 1]) for T in (f32, f64) {
  a[r] = max[c](acc(x[r, c]))
  m[r, k] = T(a[r])
  y[r, c] = T(acc(x[r, c]) - m[r, 0])
}"""


def test_a_reduction_that_keeps_its_dims() -> None:
    program = program_of(KEEPING, dims={"R": 3, "C": 4})
    kept = kept_dims(program)
    assert kept == {"m": (0,)}
    agree(
        without_dims(program, kept),
        """
        line 2   a[r]: f32 = max[c](x[r, c])
        line 3   m[r]: f32 = a[r]
        line 4   y[r, c]: f32 = x[r, c] - m[r]
        """,
    )
    graph = lowered(KEEPING, dims={"R": 3, "C": 4})
    assert len(graph.specs) == 1
    assert [len(arg.shape) for arg in graph.args] == [2, 2, 2]  # what the operator takes and gives is as it was
    run(KEEPING, dims={"R": 3, "C": 4})


def test_a_dim_that_is_used_stays() -> None:
    text = "op f(x: T[B, C]) -> (y: T[B, C]) for T in (f32) { y[b, c] = x[b, c] * T(b + 2) }"
    assert kept_dims(program_of(text, dims={"B": 1, "C": 4})) == {}


def test_a_dim_of_any_size_stays() -> None:
    text = "op f(x: T[C], w: T[B]) -> (y: T[B, C]) for T in (f32) { y[b, c] = x[c] }"
    assert kept_dims(program_of(text, dims={"B": 1, "C": 4})) == {"y": (1,)}
    assert kept_dims(program_of(text, dims={"B": 2, "C": 4})) == {}
