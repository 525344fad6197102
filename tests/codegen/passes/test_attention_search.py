"""Products, a softmax and sums become one attention, with its weights relative to the maximum."""

from __future__ import annotations

from before_after import agree
from middle import lowered, program_of
from spec_interpreter import EVERY_KIND

from uol.codegen.attention.softmax_shift import follows_maximum
from uol.codegen.attention.value_products import weighted_sums
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import Attention, Fold, Let

TEXT = """op f(q: T[L, D], k: T[M, D], v: T[M, E]) -> (y: T[L, E]) for T in (f32) {
  s[i, j] = sum[d](q[i, d] * k[j, d])
  hi[i]   = max[j](s[i, j])
  p[i, j] = exp(s[i, j] - hi[i])
  z[i]    = sum[j](p[i, j])
  y[i, e] = sum[j](p[i, j] * v[j, e]) / z[i]
}"""
DIMS = {"L": 2, "M": 3, "D": 4, "E": 5}


def test_search() -> None:
    agree(
        program_of(TEXT, dims=DIMS),
        """
        line 2   s[i, j]: f32 = sum[d](q[i, d] * k[j, d])
        line 3   hi[i]: f32 = max[j](s[i, j])
        line 4   p[i, j]: f32 = exp(s[i, j] - hi[i])
        line 5   z[i]: f32 = sum[j](p[i, j])
        line 6   y[i, e]: f32 = sum[j](p[i, j] * v[j, e]) / z[i]
        """,
    )
    (spec,) = lowered(TEXT, dims=DIMS, kinds=EVERY_KIND).specs
    agree(
        spec,
        """
        Attention f: rows i < 2; cols j < 3
          line 2   s = sum over d < 4 of q[i * 4 + d] * k[j * 4 + d]
          line 3   hi = max over j of s
          line 4   p = exp(s - hi)
          line 5   z = sum over j of p
          line 6   y_sum = sum over j of p * v[j * 5 + e]
          line 6   y_value = y_sum / z
          line 6   y[i * 5 + e] = y_value
        """,
    )


def test_a_machine_without_attention_gets_its_parts() -> None:
    first, second, third = lowered(TEXT, dims=DIMS).specs
    agree(
        first,
        """
        Contract f_s: m i < 2; n j < 3; k d < 4
          line 2   s_value = sum over d < 4 of q[i * 4 + d] * k[j * 4 + d]
          line 2   s[i * 3 + j] = s_value
        """,
    )
    agree(
        second,
        """
        Reduce f_hi: rows i < 2; cols j < 3
          line 3   hi = max over j of s[i * 3 + j]
          line 4   p_value = exp(s[i * 3 + j] - hi)
          line 4   p[i * 3 + j] = p_value
          line 5   z_value = sum over j of p_value
          line 5   z[i] = z_value
        """,
    )
    agree(
        third,
        """
        Contract f_y_sum: m i < 2; n e < 5; k j < 3
          line 6   y_sum = sum over j < 3 of p[i * 3 + j] * v[j * 5 + e]
          line 6   y_value = y_sum / z[i]
          line 6   y[i * 5 + e] = y_value
        """,
    )


def test_softmax_shift() -> None:
    (spec,) = lowered(TEXT, dims=DIMS, kinds=EVERY_KIND).specs
    assert isinstance(spec, Attention)
    steps = [s for s in spec.steps if isinstance(s, Let | Fold)]
    assert follows_maximum(steps, spec.sums)
    assert not follows_maximum([s for s in steps if s.name != "p"], spec.sums)


def test_value_products() -> None:
    program = program_of(TEXT.replace(" / z[i]", ""), dims=DIMS)
    found = list(weighted_sums(program.stages[-1], frozenset()))
    read = [(expr_text(w.weight), expr_text(w.value), *([a.name for a in x] for x in (w.rows, w.cols, w.width))) for w in found]
    assert read == [("p[i, j]", "v[j, e]", ["i"], ["j"], ["e"]), ("v[j, e]", "p[i, j]", ["e"], ["j"], ["i"])]
