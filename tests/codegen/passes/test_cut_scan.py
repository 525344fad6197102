"""A scan with folds of what others come to, as several scans."""

from __future__ import annotations

import pytest
from before_after import agree
from middle import lowered, run

from uol.codegen.specs.long_rows.cut_scan import cut_scan
from uol.codegen.specs.nodes import KernelSpec, Scan

TEXT = """op f(x: f32[R, N]) -> (y: f32[R, N], z: f32[R, N]) {
  m[r, i] = max[j <= i](select(true, x[r, j], x[r, i]))
  s[r, i] = sum[j <= i](select(true, x[r, j] * m[r, j], x[r, i]))
  y[r, i] = s[r, i] - m[r, i]
  z[r, i] = sum[j <= i](select(true, s[r, j] + x[r, j], x[r, i]))
}"""
BACKWARDS = TEXT.replace("<=", ">=")
ONE = "op f(x: f32[R, N]) -> (y: f32[R, N]) { y[r, i] = max[j <= i](x[r, j]) + sum[j <= i](x[r, j]) + x[r, i] }"
SCANS = frozenset({Scan})


def scan_of(text: str) -> Scan:
    (spec,) = lowered(text, dims={"R": 2, "N": 5}, types={}, kinds=SCANS).specs
    assert isinstance(spec, Scan)
    return spec


def test_each_fold_is_stored_and_read_again() -> None:
    first, second, third = cut_scan(scan_of(TEXT))
    agree(
        first,
        """
        Scan f_pass0: rows r < 2; forwards along i < 5
          line 2   m = max over i of x[r * 5 + i]
          line 2   f_m_all[r * 5 + i] = m
        """,
    )
    agree(
        second,
        """
        Scan f_pass1: rows r < 2; forwards along i < 5
          line 2   m = f_m_all[r * 5 + i]
          line 3   s = sum over i of x[r * 5 + i] * m
          line 3   f_s_all[r * 5 + i] = s
        """,
    )
    agree(
        third,
        """
        Scan f: rows r < 2; forwards along i < 5
          line 2   m = f_m_all[r * 5 + i]
          line 3   s = f_s_all[r * 5 + i]
          line 4   y_value = s - m
          line 4   y[r * 5 + i] = y_value
          line 5   z_value = sum over i of s + x[r * 5 + i]
          line 5   z[r * 5 + i] = z_value
        """,
    )


def test_folds_of_inputs_are_one_scan() -> None:
    assert cut_scan(spec := scan_of(ONE)) == (spec,)


@pytest.mark.parametrize("length", [0, 1, 7])
@pytest.mark.parametrize("text", [TEXT, BACKWARDS])
def test_the_scans_mean_what_the_text_means(text: str, length: int) -> None:
    def cut(spec: KernelSpec) -> tuple[KernelSpec, ...]:
        return cut_scan(spec) if isinstance(spec, Scan) else (spec,)

    run(text, legalise=cut, kinds=SCANS, dims={"R": 2, "N": length}, types={})
