"""Where PyTorch's definition has an edge that a plain text would miss."""

from __future__ import annotations

import pytest
import torch

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
