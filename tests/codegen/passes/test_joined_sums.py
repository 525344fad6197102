"""Sums of products that are added to each other become one kernel's, where there is one."""

from __future__ import annotations

import pytest
from middle import lowered
from spec_interpreter import EVERY_KIND

from uol.codegen.contractions.joined_sums import with_joined_sums
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.printer import spec_lines
from uol.codegen.specs.traverse import products_in, reads

TEXT = """op products(a: T[M, D], c: T[M, D], w: T[D, N], v: T[D, N], bias: T[N]) -> (y: T[M, N], z: T[M, N])
    for T in (f64, f32) {{
  s[m, n] = sum[d](a[m, d] * w[d, n])
  y[m, n] = {y}
  z[m, n] = {z}
}}"""
SIZES = dict(M=5, D=3, N=4)


def contracts(y: str, z: str, *, has_kernel: bool = True) -> list[Contract]:
    specs = lowered(TEXT.format(y=y, z=z), types={"T": "f32"}, dims=SIZES, kinds=EVERY_KIND).specs
    return [spec for spec in with_joined_sums(specs, lambda _: has_kernel) if isinstance(spec, Contract)]


def test_a_sum_that_is_added_to_another_is_of_one_kernel() -> None:
    (found,) = contracts("max(s[m, n] + sum[d](c[m, d] * v[d, n]), 0) + bias[n]", "a[m, 0]")
    tensors = [[read.tensor for factor in pair for read in reads(factor)] for pair in products_in(found)]
    assert tensors == [["c", "v"], ["a", "w"]]
    assert {arg.name for arg in found.args} == {"a", "c", "w", "v", "bias", "y"}
    assert "c[m * 3 + d] * v[d * 4 + n] + a[m * 3 + d] * w[d * 4 + n]" in "\n".join(spec_lines(found))


@pytest.mark.parametrize(
    ("y", "z"),
    [
        ("s[m, n] + sum[d](c[m, d] * v[d, n])", "s[m, n]"),
        ("s[m, n] * sum[d](c[m, d] * v[d, n])", "a[m, 0]"),
        ("s[m, n] + 2*sum[d](c[m, d] * v[d, n])", "a[m, 0]"),
        ("max(s[m, n], 0) + sum[d](c[m, d] * v[d, n])", "a[m, 0]"),
        ("s[m, n] + s[m, n] * sum[d](c[m, d] * v[d, n])", "a[m, 0]"),
        ("s[m, n] + sum[n2 < 3](c[m, n2] * v[n2, n])", "a[m, 0]"),
    ],
    ids=["read by others", "multiplied", "scaled", "changed", "read twice", "over another axis"],
)
def test_other_sums_are_of_two(y: str, z: str) -> None:
    assert [each.more for each in contracts(y, z)] == [(), ()]


def test_so_are_sums_that_no_kernel_has() -> None:
    assert [each.more for each in contracts("s[m, n] + sum[d](c[m, d] * v[d, n])", "a[m, 0]", has_kernel=False)] == [(), ()]
