"""An axis of extent 1 is 0, in a spec of any kind."""

from __future__ import annotations

from before_after import agree
from middle import lowered
from middle_texts import SOFTMAX
from spec_interpreter import EVERY_KIND

from uol.codegen.specs.drop_unit_axes import without_unit_axes

CONV = """op conv(x: T[C, W], w: T[O, C, S]) -> (y: T[O, W]) for T in (f32) where S == 3 {
  y[o, q] = sum[c, s]((x[c, q + s] else 0) * w[o, c, s])
}"""
SCAN = "op f(x: T[R, N]) -> (y: T[R, N]) for T in (f32) { y[r, n] = sum[j <= n](x[r, j]) }"


def test_a_contraction() -> None:
    (spec,) = lowered(CONV, dims={"C": 2, "W": 4, "O": 1, "S": 3}).specs
    agree(
        spec,
        """
        Contract conv: m o < 1; n q < 4; k c < 2, s < 3
          line 2   y_value = sum over c < 2, s < 3 of w[(o * 2 + c) * 3 + s] * (x[c * 4 + (q + s)] if q + s < 4 else 0)
          line 2   y[o * 4 + q] = y_value
        """,
    )
    agree(
        without_unit_axes(spec),
        """
        Contract conv: n q < 4; k c < 2, s < 3
          line 2   y_value = sum over c < 2, s < 3 of w[c * 3 + s] * (x[c * 4 + (q + s)] if q + s < 4 else 0)
          line 2   y[q] = y_value
        """,
    )


def test_a_reduction() -> None:
    (spec,) = lowered(SOFTMAX, dims={"R": 1, "C": 4}).specs
    agree(
        spec,
        """
        Reduce softmax: rows r < 1; cols c < 4
          line 2   hi = max over c of x[r * 4 + c]
          line 3   e = exp(x[r * 4 + c] - hi)
          line 4   z = sum over c of e
          line 5   y_value = e / z
          line 5   y[r * 4 + c] = y_value
        """,
    )
    agree(
        without_unit_axes(spec),
        """
        Reduce softmax: rows none; cols c < 4
          line 2   hi = max over c of x[c]
          line 3   e = exp(x[c] - hi)
          line 4   z = sum over c of e
          line 5   y_value = e / z
          line 5   y[c] = y_value
        """,
    )


def test_a_scan_keeps_what_it_runs_along() -> None:
    (spec,) = lowered(SCAN, dims={"R": 1, "N": 3}, kinds=EVERY_KIND).specs
    agree(
        spec,
        """
        Scan f: rows r < 1; forwards along n < 3
          line 2   y_value = sum over n of x[r * 3 + n]
          line 2   y[r * 3 + n] = y_value
        """,
    )
    agree(
        without_unit_axes(spec),
        """
        Scan f: rows none; forwards along n < 3
          line 2   y_value = sum over n of x[n]
          line 2   y[n] = y_value
        """,
    )


def test_nothing_to_drop() -> None:
    (spec,) = lowered(SOFTMAX, dims={"R": 2, "C": 4}).specs
    assert without_unit_axes(spec) is spec
