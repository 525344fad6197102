"""Grouped, depthwise and transposed convolutions beside the least time of their bytes and products, by the model."""

from __future__ import annotations

import pytest

from uol.conformance.gap.grouped_times import FORMS, grouped_time, known_forms, main


def test_the_least_time_is_that_of_the_bytes_or_of_the_products() -> None:
    time = grouped_time("depthwise", "cuda:a100", "f16", 2)
    image, filters = 2 * 144 * 56 * 56, 144 * 9
    assert time.least == pytest.approx(2 * (2 * image + filters) / 1764e9)
    assert time.ratio == time.seconds / time.least > 1


def test_a_gradient_multiplies_twice_what_its_convolution_does() -> None:
    """Of the operations that a transposed convolution counts: each element of the image by all of a filter."""
    assert FORMS["transposed-stride-2"].operations(2) == 2 * 2 * 28 * 28 * 128 * 64 * 9
    assert FORMS["depthwise-stride-2"].operations(2) == 2 * 2 * 28 * 28 * 144 * 9


@pytest.mark.parametrize("target", ["cuda:a100", "hip:mi250x"])
def test_depthwise_convolutions_read_each_row_of_a_warp_side_by_side(target: str) -> None:
    """A sector for each lane took 15 times the least."""
    assert grouped_time("depthwise", target, "f16", 32).ratio < 4
    assert grouped_time("depthwise", target, "f16", 32, is_gradient=True).ratio < 8


def test_a_line_for_each_form_and_its_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--batch", "1", "--form", "depthwise,transposed-stride-2", "--target", "cuda:a100", "--dtype", "f32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["conv2d", "conv2d_grad", "conv_transpose2d", "conv_transpose2d_grad"]
    assert all(" modelled, " in line for line in lines)


def test_forms_are_known_by_name() -> None:
    assert known_forms("depthwise") == ["depthwise"]
    with pytest.raises(ValueError, match="depthwize"):
        known_forms("depthwize")
