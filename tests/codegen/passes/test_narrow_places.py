"""Places of extrema that wait in memory have a type of their own."""

from __future__ import annotations

import numpy as np
import pytest
from before_after import agree
from middle import program_of, run

from uol.codegen.program.narrow_places import narrow_places

SHIFTED = """op f(x: T[N, W]) -> (y: T[N]) for T in (f32, f64) where N > 0, W > 0 {
  at[n] = argmax[w](x[n, w])
  y[n]  = select(at[n - 1] else 5 == at[n], 1, 0)
}"""


def test_a_reader_elsewhere_widens_them_again() -> None:
    agree(
        narrow_places(program_of(SHIFTED, dims={"N": 4, "W": 128})),
        """
        line 2   at[n]: i8 = i8(argmax[w](x[n, w]))
        line 3   y[n]: f32 = select(i64(at[n - 1] if n - 1 >= 0 else 5) == i64(at[n]), 1, 0)
        """,
    )


@pytest.mark.parametrize(("places", "dtype"), [(1, "i8"), (128, "i8"), (129, "i32"), (1 << 31, "i32"), ((1 << 31) + 1, "i64")])
def test_as_wide_as_their_number(places: int, dtype: str) -> None:
    assert narrow_places(program_of(SHIFTED, dims={"N": 4, "W": places})).tensors["at"].dtype == dtype


@pytest.mark.parametrize(("beyond", "dtype"), [(-128, "i8"), (127, "i8"), (128, "i32"), (-129, "i32"), (1 << 40, "i64")])
def test_what_stands_for_a_read_beyond_has_room(beyond: int, dtype: str) -> None:
    text = SHIFTED.replace("else 5", f"else {beyond}")
    assert narrow_places(program_of(text, dims={"N": 4, "W": 9})).tensors["at"].dtype == dtype


@pytest.mark.parametrize(
    "text",
    [
        SHIFTED.replace("at[n - 1] else 5", "at[n]"),
        SHIFTED.replace("select(at[n - 1] else 5 == at[n], 1, 0)", "x[n, at[n]] + x[n - 1, at[n - 1] else 0] else 0"),
        SHIFTED.replace("-> (y: T[N])", "-> (y: T[N], at: i64[N])"),
        SHIFTED.replace("argmax[w](x[n, w])", "sum[w](i64(x[n, w]))"),
    ],
    ids=["of their own row", "indices", "a result", "sums"],
)
def test_others_stay(text: str) -> None:
    program = program_of(text, dims={"N": 4, "W": 9})
    assert narrow_places(program) == program


def test_they_mean_what_they_did() -> None:
    x = np.zeros((6, 128))
    x[np.arange(6), [127, 127, 0, 3, 3, 5]] = 1
    run(SHIFTED, inputs={"x": x}, dims={"N": 6, "W": 128})
