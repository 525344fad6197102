"""Where PyTorch's definition has an edge that a plain text would miss."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import uol
from uol.ir.errors import DataError


@pytest.mark.parametrize("edges", [1, 2, 3, 9])
@pytest.mark.parametrize("count", [1, 7, 33])
def test_the_last_bin_of_a_histogram_has_both_edges(edges: int, count: int) -> None:
    x = torch.arange(count).float() - 2
    at = torch.arange(edges + 1).float()
    assert torch.equal(uol.ops.text.histogram(x, at), torch.histogram(x, at).hist.long())


@pytest.mark.parametrize("edges", [2, 9, 200, 300])
def test_histograms_of_values_at_edges_and_beyond_them(edges: int) -> None:
    at = torch.linspace(-3, 3, edges)
    x = torch.cat([at, at.nextafter(torch.tensor(9.0)), at.nextafter(torch.tensor(-9.0)), 4 * torch.randn(500)])
    assert torch.equal(uol.ops.text.histogram(x, at), torch.histogram(x, at).hist.long())


@pytest.mark.parametrize("edges", [0, 1, 9, 200])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64])
def test_values_stand_among_edges_where_pytorch_puts_them(edges: int, dtype: torch.dtype) -> None:
    """Of equal edges before the first or behind the last; below and above all; NaN, which is behind all."""
    generator = torch.Generator().manual_seed(edges)
    at = torch.randint(-40, 40, (edges,), generator=generator).sort().values.to(dtype)
    x = torch.randint(-45, 45, (7, 30), generator=generator).to(dtype)
    if dtype.is_floating_point:
        x[0, :3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    assert torch.equal(uol.ops.text.searchsorted(at, x), torch.searchsorted(at, x))
    assert torch.equal(uol.ops.searchsorted_right(at, x), torch.searchsorted(at, x, right=True))
    assert torch.equal(uol.ops.text.searchsorted(at, x.t()), torch.searchsorted(at, x.t().contiguous()))


def test_edges_that_do_not_ascend_are_an_error_of_checked_mode() -> None:
    x, edges = torch.zeros(3), torch.tensor([0.0, 2.0, 1.0])
    with uol.checked(), pytest.raises(DataError, match=r"edges\[1\] = 2.0 comes before edges\[2\] = 1.0"):
        uol.ops.text.histogram(x, edges)
    with uol.checked():
        assert torch.equal(
            uol.ops.text.searchsorted(torch.tensor([0.0, 0.0, float("nan")]), x), torch.zeros(3, dtype=torch.int64)
        )


def test_the_median_of_a_row_with_nan_is_nan() -> None:
    x = torch.tensor([[3.0, 1.0, 2.0, 5.0], [3.0, float("nan"), 2.0, 1.0]])
    torch.testing.assert_close(uol.ops.text.median(x), torch.median(x, dim=-1).values, equal_nan=True)


def test_a_count_beyond_two_to_the_31() -> None:
    many = 2**31 + 77
    assert int(uol.ops.text.count_nonzero(torch.ones(1).expand(many))) == many


EDGES = torch.tensor(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, -1e-6, 2.0, -2.0, 7.5, 8.0, -2.5, 30.0, 1e30, float("inf"), -float("inf")]
)
NAMES = ("atan", "asin", "acos", "sinh", "cosh", "asinh", "acosh", "atanh", "lgamma", "digamma", "erfinv", "i0")


@pytest.mark.parametrize("name", NAMES)
def test_a_function_at_the_edges_of_its_domain(name: str) -> None:
    expected = getattr(torch, name)(EDGES.double()).float()
    if name == "i0":
        expected[EDGES.isinf()] = torch.inf  # PyTorch gives NaN
    torch.testing.assert_close(getattr(uol.ops.text, name)(EDGES), expected, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", ["atan2", "copysign", "logaddexp"])
def test_a_function_of_two_at_signed_zeros_and_infinities(name: str) -> None:
    a, b = (each.contiguous() for each in torch.broadcast_tensors(EDGES[:, None], EDGES[None, :]))
    expected, found = getattr(torch, name)(a, b), getattr(uol.ops.text, name)(a, b)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert name == "logaddexp" or torch.equal(found.signbit(), expected.signbit())


def test_values_replace_those_that_stood_there() -> None:
    x, at, z = torch.arange(12.0).reshape(3, 4), torch.tensor([2, 0]), -torch.arange(8.0).reshape(2, 4)
    assert torch.equal(uol.ops.text.index_copy(x, at, z), x.index_copy(0, at, z))
    assert torch.equal(uol.ops.text.index_put(x, at - 3, z), x.index_put((at - 3,), z))
    assert torch.equal(uol.ops.text.index(x, at - 3), x[at - 3])
    assert torch.equal(
        uol.ops.text.scatter(x, at.expand(3, -1), z.reshape(4, 2)[:3]), x.scatter(1, at.expand(3, -1), z.reshape(4, 2)[:3])
    )


def test_windows_and_their_maxima_go_there_and_back() -> None:
    x = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    rows = uol.ops.text.unfold(x, kernel=3, stride=2, pad=1)
    torch.testing.assert_close(rows, functional.unfold(x, 3, 1, 1, 2))
    options = {"kernel": 3, "stride": 2, "pad": 1}
    torch.testing.assert_close(uol.ops.text.fold(rows, out_h=9, out_w=8, **options), functional.fold(rows, (9, 8), 3, 1, 1, 2))
    values, places = uol.ops.text.max_pool2d_with_indices(x, kernel=2)
    expected = functional.max_pool2d(x, 2, return_indices=True)
    assert torch.equal(values, expected[0]) and torch.equal(places, expected[1])
    back = uol.ops.text.max_unpool(values.flatten(2), places.flatten(2), places=72).reshape(2, 3, 9, 8)
    assert torch.equal(back, functional.max_unpool2d(*expected, 2, output_size=(9, 8)))


def test_quantiles_between_places_and_of_a_row_with_nan() -> None:
    x, q = torch.randn(5, 11, generator=torch.Generator().manual_seed(0)), torch.tensor([0.0, 0.33, 0.5, 1.0])
    x[2, 4] = float("nan")
    torch.testing.assert_close(uol.ops.text.quantile(x, q), torch.quantile(x, q, dim=-1), equal_nan=True)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_is_true_counts_more_often(reduction: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x, t = torch.randn(3, 5, generator=generator).requires_grad_(), torch.rand(3, 5, generator=generator)
    w = torch.tensor([0.5, 1.0, 2.0, 3.0, 9.0])
    with torch.no_grad():
        x[0, 0] = 0
    found = uol.ops.text.weighted_binary_cross_entropy_with_logits(x, t, w.expand(3, 5), reduction=reduction)
    expected = functional.binary_cross_entropy_with_logits(x, t, pos_weight=w, reduction=reduction)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y.sum(), x)[0] for y in (found, expected)))
