"""The folds of a row in as few readings of it as they allow."""

from __future__ import annotations

from before_after import agree
from middle import lowered
from middle_texts import NORM, SOFTMAX

from uol.codegen.specs.nodes import Fold, Reduce
from uol.codegen.specs.steps import passes_of


def readings(spec: Reduce) -> list[str]:
    """What each pass folds or stores, then what follows for the row."""

    def named(steps: object) -> str:
        assert isinstance(steps, tuple)
        return ", ".join(s.name if isinstance(s, Fold) else getattr(s, "name", None) or f"{s.tensor}[]" for s in steps)

    return [f"{named(p.elements)} | {named(p.row_steps)}" for p in passes_of(spec).passes]


def test_softmax_reads_its_row_three_times() -> None:
    (spec,) = lowered(SOFTMAX, dims={"R": 2, "C": 4}).specs
    assert isinstance(spec, Reduce)
    agree(
        spec,
        """
        Reduce softmax: rows r < 2; cols c < 4
          line 2   hi = max over c of x[r * 4 + c]
          line 3   e = exp(x[r * 4 + c] - hi)
          line 4   z = sum over c of e
          line 5   y_value = e / z
          line 5   y[r * 4 + c] = y_value
        """,
    )
    assert readings(spec) == ["hi | ", "z | ", "y[] | "]


def test_a_norm_reads_its_row_three_times() -> None:
    (spec,) = lowered(NORM, dims={"R": 2, "C": 4}).specs
    assert isinstance(spec, Reduce)
    agree(
        spec,
        """
        Reduce norm: rows r < 2; cols c < 4
          line 2   mu_sum = sum over c of x[r * 4 + c]
          line 2   mu = mu_sum / 4
          line 3   var_sum = sum over c of (x[r * 4 + c] - mu) * (x[r * 4 + c] - mu)
          line 3   var = var_sum / 4
          line 4   y_value = (x[r * 4 + c] - mu) / sqrt(var + eps) * w[c]
          line 4   y[r * 4 + c] = y_value
        """,
    )
    assert readings(spec) == ["mu_sum | mu", "var_sum | var", "y[] | "]
