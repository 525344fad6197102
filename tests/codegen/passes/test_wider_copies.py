"""A local that only widens what it copies is not made where it is read elsewhere than at its own indices."""

from __future__ import annotations

from before_after import agree
from middle import program_of, run

from uol.codegen.program.wider_copies import drop_wider_copies

SHIFTED = """op f(x: T[N, M]) -> (y: f32[N, M]) for T in (f16, f32) where M > 0 {
  a[n, m] = f32(x[n, m])
  y[n, m] = a[n, m] + (a[n, m - 1] else 0) * a[n, 0]
}"""
OWN = """op f(x: T[N, M]) -> (y: f32[N, M]) for T in (f16, f32) {
  a[n, m] = f32(x[n, m])
  y[n, m] = a[n, m] * a[n, m]
}"""
COMPUTED = """op f(x: T[N, M]) -> (y: f32[N, M]) for T in (f16, f32) {
  a[n, m] = f32(x[n, m]) + 1
  y[n, m] = a[n, m] + (a[n, m - 1] else 0)
}"""
FILLED = SHIFTED.replace("else 0", "else 0.1")
NARROW = {"types": {"T": "f16"}, "dims": {"N": 3, "M": 5}}


def test_what_is_copied_is_read_where_the_copy_was() -> None:
    agree(
        drop_wider_copies(program_of(SHIFTED, **NARROW)),
        """
        line 3   y[n, m]: f32 = f32(x[n, m]) + f32(x[n, m - 1] if m - 1 >= 0 else 0) * f32(x[n, 0])
        """,
    )
    run(SHIFTED, **NARROW)


def test_a_copy_that_is_read_at_its_own_indices_alone_stays() -> None:
    program = program_of(OWN, **NARROW)
    assert drop_wider_copies(program) is program


def test_a_value_that_is_computed_stays() -> None:
    program = program_of(COMPUTED, **NARROW)
    assert drop_wider_copies(program) is program


def test_a_fill_that_is_none_in_the_narrower_type_stays() -> None:
    program = program_of(FILLED, **NARROW)
    assert drop_wider_copies(program) is program


def test_a_result_stays() -> None:
    program = program_of(SHIFTED.replace("(y: f32[N, M])", "(y: f32[N, M], a: f32[N, M])"), **NARROW)
    assert drop_wider_copies(program) is program
