"""What lies channels-last, and what is a filter."""

from __future__ import annotations

import pytest

from uol.binding.layouts import channels_last
from uol.conformance.cases.memory_order import filter_last, filters, strides_of
from uol.ir import Library, instantiate, parse
from uol.operators.registry import find_operator

WEIGHTED = """op weighted(x: T[N, C, H, V], w: T[N, C, H, V]) -> (y: T[N, C, H, V]) for T in (f64, f32) {
  y[n, c, h, v] = x[n, c, h, v] * w[n, c, h, v] }"""
DIMS = {"N": 2, "C": 3, "H": 4, "V": 5}


def test_an_input_is_no_filter_for_its_name() -> None:
    (op,) = parse(WEIGHTED)
    program = instantiate(op, Library(), types={"T": "f32"}, dims=DIMS)
    last = channels_last((2, 3, 4, 5))
    assert strides_of(program, "channels-last", op) == {"x": last, "w": last, "y": last}


@pytest.mark.parametrize("name", ["conv2d", "conv2d_bn_add_relu", "conv_transpose2d"])
def test_a_filter_has_other_dims_than_the_batch_first(name: str) -> None:
    assert filters(find_operator(name)) == {"w"}


def test_a_filter_has_contiguous_output_channels() -> None:
    op = find_operator("conv2d")
    dims = {"N": 2, "C": 3, "D": 3, "H": 7, "W": 5, "O": 4, "R": 3, "S": 2}
    program = instantiate(op, Library([op]), types={"T": "f32"}, dims=dims)
    strides = strides_of(program, "channels-last", op)
    assert strides["w"] == filter_last((4, 3, 3, 2)) == (1, 4, 24, 12)
    assert strides["x"] == channels_last((2, 3, 7, 5)) and strides["y"][1] == 1
