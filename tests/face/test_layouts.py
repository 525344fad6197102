"""Strides: which kernel a tensor gets, and how results lie."""

from __future__ import annotations

import pytest

from uol.binding.layouts import Sizes, canonical, channels_last, is_channels_last, is_dense, result_strides, row_major


def test_dense_strides() -> None:
    assert row_major((2, 3, 4)) == (12, 4, 1)
    assert channels_last((2, 3, 4, 5)) == (60, 1, 15, 3)
    assert row_major(()) == ()


@pytest.mark.parametrize(
    ("sizes", "strides", "expected"),
    [
        ((1, 64), (999, 1), (64, 1)),
        ((64, 1), (1, 77), (1, 1)),
        ((2, 3, 1, 1), (3, 1, 3, 3), (3, 1, 1, 1)),
        ((1, 3, 4, 4), (0, 1, 12, 3), (48, 1, 12, 3)),
        ((0, 3), (7, 7), (3, 1)),
        ((4, 3), (1, 4), (1, 4)),
        ((4, 3), (0, 1), (0, 1)),
    ],
)
def test_strides_that_no_element_depends_on_do_not_count(sizes: Sizes, strides: Sizes, expected: Sizes) -> None:
    assert canonical(sizes, strides) == expected


def test_channels_last_is_kept_where_it_comes_in() -> None:
    image, filters = (2, 8, 5, 5), (4, 8, 3, 3)
    came = channels_last(image)
    assert is_channels_last(image, came)
    assert result_strides((2, 4, 3, 3), [(image, came), (filters, row_major(filters))]) == channels_last((2, 4, 3, 3))
    assert result_strides((2, 4, 3, 3), [(image, row_major(image))]) == row_major((2, 4, 3, 3))
    assert result_strides((2, 4), [(image, came)]) == (4, 1)


def test_a_tensor_that_is_both_counts_as_row_major() -> None:
    assert not is_channels_last((2, 1, 4, 4), row_major((2, 1, 4, 4)))


@pytest.mark.parametrize(
    ("sizes", "strides", "dense"),
    [((2, 3), (3, 1), True), ((2, 3), (1, 2), True), ((2, 3), (4, 1), False), ((2, 3), (0, 1), False), ((0, 3), (9, 9), True)],
)
def test_density(sizes: Sizes, strides: Sizes, dense: bool) -> None:
    assert is_dense(sizes, strides) is dense
