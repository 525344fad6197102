"""A sum whose terms depend on remainders of its rows, as one sum a residue."""

from __future__ import annotations

from typing import cast

import pytest
from before_after import agree
from middle import lowered, run

from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Fold, KernelSpec, Reduce
from uol.codegen.specs.residues import by_residues
from uol.codegen.specs.rewrites import as_contract, as_reduce, without_terms

GRADIENT = """
op data_gradient(dy: T[O, P], w: T[O, C, S]; stride: int = 2, pad: int = 1) -> (dx: T[C, stride*P]) for T in (f32, f64) {
  dx[c, v] = sum[o, u < (S + stride - 1) / stride](
      (dy[o, (v + pad) / stride - u] else 0) * (w[o, c, (v + pad) % stride + stride*u] else 0))
}
"""
TRANSPOSED = """
op transposed(x: T[D, W], w: T[D, O, S]; stride: int = 2) -> (y: T[O, (W - 1)*stride + S])
    for T in (f32, f64) {
  y[o, q] = sum[d, s <= (S - 1 - q % stride) / stride]((x[d, q / stride - s] else 0) * (w[d, o, q % stride + s*stride] else 0))
}
"""
DILATED = """
op dilated(x: T[D, W], w: T[D, O, S]; stride: int = 3, dilation: int = 2, pad: int = 1)
    -> (y: T[O, (W - 1)*stride + dilation*(S - 1) + 1 - pad]) for T in (f32, f64) where pad >= 0, dilation > 0 {
  y[o, q] = sum[d, s](select((q + pad - s*dilation) % stride == 0,
      (x[d, (q + pad - s*dilation) / stride] else 0) * w[d, o, s], 0))
}
"""
WEIGHTS = """
op weight_gradient(x: T[N, C, W], dy: T[N, D, (W - 1)*stride + S - 2*pad]; S: int = 3, stride: int = 3, pad: int = 1)
    -> (dw: T[C, D, S]) for T in (f32, f64) where S > 0, pad >= 0 {
  dw[c, d, s] = sum[n, i](x[n, c, i] * (dy[n, d, i*stride + s - pad] else 0))
}
"""
PLAIN = """
op plain(x: T[A, K], w: T[2, K]) -> (y: T[A]) for T in (f32, f64) { y[a] = sum[k](x[a / 2, k] * w[a % 2, k]) }
"""

UPSAMPLED = """
op upsampled(x: T[D, W], w: T[D, O, stride]; stride: int = 3, pad: int = 0) -> (y: T[O, stride*W - 2*pad])
    for T in (f32, f64) where pad >= 0 {
  y[o, q] = sum[d](x[d, (q + pad) / stride] * w[d, o, (q + pad) % stride])
}
"""
GROUPED = """
op grouped(x: T[C * G, W], w: T[C * G, O]; G: int = 2) -> (y: T[O * G, W]) for T in (f32, f64) where G > 0 {
  y[o, q] = sum[c < C](x[o / O * C + c, q] * w[o / O * C + c, o % O])
}
"""


def reduction(text: str, **sizes: int) -> Reduce:
    attrs = {name: sizes.pop(name) for name in ("stride", "dilation", "pad") if name in sizes}
    (spec,) = lowered(text, dims=sizes, attrs=attrs).specs
    return as_reduce(spec) if isinstance(spec, Contract) else cast(Reduce, spec)


def taps(kernel: Reduce) -> int | None:
    return static(kernel.cols[-1].extent)


def test_each_residue_has_its_own_taps_and_no_others() -> None:
    even, odd = by_residues(reduction(GRADIENT, O=4, P=5, C=3, S=3))
    agree(
        even,
        """
        Reduce data_gradient_at_0: rows c < 3, v < 5; cols o < 4, u < 1
          line 4   dx_value = sum over o, u of dy[o * 5 + v - u] * w[o * 9 + c * 3 + u * 2 + 1]
          line 4   dx[c * 10 + v * 2] = dx_value
        """,
    )
    agree(
        odd,
        """
        Reduce data_gradient_at_1: rows c < 3, v < 5; cols o < 4, u < 2
          line 4   dx_value = sum over o, u of (dy[o * 5 + v + 1 - u] if v + 1 - u < 5 else 0) * w[o * 9 + c * 3 + u * 2]
          line 4   dx[c * 10 + v * 2 + 1] = dx_value
        """,
    )


def test_a_bound_that_depends_on_the_remainder_becomes_a_number() -> None:
    even, _ = by_residues(reduction(TRANSPOSED, D=4, W=5, O=3, S=3))
    contract = as_contract(even)
    assert contract is not None
    agree(
        contract,
        """
        Contract transposed_at_0: m o < 3; n q < 6; k d < 4, s < 2
          line 4   y_value = sum over d < 4, s < 2 of w[d * 9 + o * 3 + s * 2] * (x[d * 5 + q - s] if 0 <= q - s < 5 else 0)
          line 4   y[o * 11 + q * 2] = y_value
        """,
    )


def test_a_dilation_goes_along_its_taps_in_steps() -> None:
    """Of a stride of 3 and a dilation of 2, residue r meets the taps s with 2*s = r (mod 3): 0 and 3, 2 and 5, 1 and 4."""
    first, second, third = by_residues(reduction(DILATED, D=4, W=5, O=3, S=6, pad=0))
    agree(
        first,
        """
        Reduce dilated_at_0: rows o < 3, q < 8; cols d < 4, s < 2
          line 5   y_value = sum over d, s of (x[d * 5 + q - s * 2] if 0 <= q - s * 2 < 5 else 0) * w[d * 18 + o * 6 + s * 3]
          line 5   y[o * 23 + q * 3] = y_value
        """,
    )
    assert [taps(kernel) for kernel in (first, second, third)] == [2, 2, 2]


def test_a_divisor_of_stride_and_dilation_leaves_residues_without_taps() -> None:
    """2*s is never 1 (mod 4), and 0 for every second tap."""
    parts = by_residues(reduction(DILATED, D=4, W=5, O=3, S=5, stride=4))
    assert [taps(part) for part in parts] == [0, 2, 0, 3]
    assert not any(step.where for part in parts for step in part.steps if isinstance(step, Fold))


def test_one_tap_a_residue_is_chosen_by_it() -> None:
    """No condition decides what is summed; a residue reads one tap for all of its results, which is a product of matrices."""
    first, second = by_residues(reduction(UPSAMPLED, D=4, W=5, O=3, stride=2))
    agree(
        second,
        """
        Reduce upsampled_at_1: rows o < 3, q < 5; cols d < 4
          line 5   y_value = sum over d of x[d * 5 + q] * w[d * 6 + o * 2 + 1]
          line 5   y[o * 10 + q * 2 + 1] = y_value
        """,
    )
    contract = as_contract(first)
    assert contract is not None and ([a.name for a in contract.m], [a.name for a in contract.n]) == (["o"], ["q"])


def test_an_extent_may_be_an_argument() -> None:
    """Of the axis that is divided and of others; how many there are of a residue is then worked out in a call."""
    spec = lowered(GRADIENT, dims={"O": 4, "S": 3}).specs[0]
    even, odd = by_residues(as_reduce(spec) if isinstance(spec, Contract) else cast(Reduce, spec))
    agree(
        even,
        """
        Reduce data_gradient_at_0: rows c < C, v < P; cols o < 4, u < 1
          line 4   dx_value = sum over o, u of dy[P * o + v - u] * w[C * o * 3 + c * 3 + u * 2 + 1]
          line 4   dx[P * c * 2 + v * 2] = dx_value
        """,
    )
    assert [axis.name for axis in odd.rows] == ["c", "v"] and odd.rows[1].extent == even.rows[1].extent


def apart(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    """The kernels that a sum becomes, as contractions."""
    if not isinstance(spec, Contract | Reduce):
        return (spec,)
    parts = by_residues(as_reduce(spec) if isinstance(spec, Contract) else spec)
    found = [as_contract(part) or part for part in parts]
    return tuple(without_terms(f) if isinstance(f, Contract) and any(a.extent.value == 0 for a in f.k) else f for f in found)


@pytest.mark.parametrize("stride", [2, 3, 5])
@pytest.mark.parametrize("taps", [1, 2, 3, 7])
def test_values_stay(stride: int, taps: int) -> None:
    """Taps fewer than the stride leave residues without any: there the result is 0."""
    run(GRADIENT, legalise=apart, dims={"O": 4, "P": 5, "C": 3, "S": taps}, attrs={"stride": stride})
    run(TRANSPOSED, legalise=apart, dims={"D": 4, "W": 5, "O": 3, "S": taps}, attrs={"stride": stride})
    for dilation in (2, 3):
        run(DILATED, legalise=apart, dims={"D": 4, "W": 5, "O": 3, "S": taps}, attrs={"stride": stride, "dilation": dilation})


@pytest.mark.parametrize(("stride", "pad"), [(2, 0), (2, 1), (3, 1), (4, 3)])
def test_values_of_single_taps_stay(stride: int, pad: int) -> None:
    run(UPSAMPLED, legalise=apart, dims={"D": 4, "W": 5, "O": 3}, attrs={"stride": stride, "pad": pad})


def test_what_stays_one_kernel() -> None:
    """A stride of 1, more residues than kernels are worth, remainders that decide nothing of a product without columns, taps
    that are no remainders although there are as many as the stride, and groups, of which each has filters of its own."""
    for text, sizes in (
        (GRADIENT, {"O": 4, "P": 5, "C": 3, "S": 3, "stride": 1}),
        (GRADIENT, {"O": 4, "P": 5, "C": 3, "S": 3, "stride": 28}),
        (PLAIN, {"A": 8, "K": 4}),
        (GROUPED, {"C": 4, "W": 6, "O": 3}),
        (WEIGHTS, {"N": 2, "C": 4, "W": 9, "D": 5}),
    ):
        spec = reduction(text, **sizes)
        assert by_residues(spec) == (spec,)
