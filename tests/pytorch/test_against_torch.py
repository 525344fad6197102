"""Where PyTorch's definition has an edge that a plain text would miss."""

from __future__ import annotations

import pytest
import torch

import uol


@pytest.mark.parametrize("edges", [1, 2, 3, 9])
@pytest.mark.parametrize("count", [1, 7, 33])
def test_the_last_bin_of_a_histogram_has_both_edges(edges: int, count: int) -> None:
    x = torch.arange(count).float() - 2
    at = torch.arange(edges + 1).float()
    assert torch.equal(uol.ops.histogram(x, at), torch.histogram(x, at).hist.long())


def test_the_median_of_a_row_with_nan_is_nan() -> None:
    x = torch.tensor([[3.0, 1.0, 2.0, 5.0], [3.0, float("nan"), 2.0, 1.0]])
    torch.testing.assert_close(uol.ops.median(x), torch.median(x, dim=-1).values, equal_nan=True)


def test_a_count_beyond_two_to_the_31() -> None:
    many = 2**31 + 77
    assert int(uol.ops.count_nonzero(torch.ones(1).expand(many))) == many
