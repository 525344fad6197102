"""Strides: which kernel a tensor gets, and how results lie."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import uol
from uol.binding.layouts import (
    Sizes,
    canonical,
    channels_last,
    is_channels_last,
    is_dense,
    is_sequence_first,
    result_strides,
    row_major,
    sequence_first,
)


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
    inputs = {"x": (image, came), "w": (filters, row_major(filters))}
    assert result_strides("y", (2, 4, 3, 3), inputs) == channels_last((2, 4, 3, 3))
    assert result_strides("y", (2, 4, 3, 3), {"x": (image, row_major(image))}) == row_major((2, 4, 3, 3))
    assert result_strides("y", (2, 4), {"x": (image, came)}) == (4, 1)


def test_a_gradient_lies_as_what_it_is_of() -> None:
    image, filters, result = (2, 8, 5, 5), (4, 8, 3, 3), (2, 4, 3, 3)
    forms = {"x": (image, row_major(image)), "w": (filters, channels_last(filters)), "dy": (result, channels_last(result))}
    assert result_strides("dx", image, forms) == row_major(image)
    assert result_strides("dw", filters, forms) == channels_last(filters)
    assert result_strides("dx", image, {"dy": forms["dy"]}) == channels_last(image)
    y = (result, row_major(result))
    assert result_strides("dx", result, {"y": y, "dy": forms["dy"]}) == row_major(result)


def test_gradients_of_a_row_major_model_stay_row_major() -> None:
    """Behind it, tokens are the pixels: the cotangent that comes back is channels-last."""
    x, w = torch.randn(2, 3, 8, 8, requires_grad=True), torch.nn.Parameter(torch.randn(5, 3, 3, 3))
    found: list[tuple[int, ...]] = []
    w.register_hook(lambda dw: found.append(dw.stride()))
    x.register_hook(lambda dx: found.append(dx.stride()))
    tokens = uol.ops.relu(uol.ops.text.conv2d(x, w)).flatten(2).transpose(1, 2)
    uol.ops.text.gelu(tokens.contiguous()).backward(torch.randn(2, 36, 5))
    assert sorted(found) == sorted([row_major(x.shape), row_major(w.shape)])


def test_heads_that_lie_within_rows_stay_there() -> None:
    sizes, came = (2, 3, 5, 4), sequence_first((2, 3, 5, 4))
    assert came == torch.empty(2, 5, 3, 4).transpose(1, 2).stride()
    q = (sizes, came)
    assert result_strides("y", sizes, {"q": q}) == came
    assert result_strides("dq", sizes, {"q": q, "dy": (sizes, row_major(sizes))}) == came
    assert result_strides("y", (2, 3, 5, 6), {"q": q}) == row_major((2, 3, 5, 6))  # of another shape
    part = torch.empty(2, 5, 3, 3, 4).permute(2, 0, 3, 1, 4)[1]  # queries, keys and values of one product
    assert result_strides("y", sizes, {"q": (sizes, part.stride())}) == came
    heads_apart, batches_apart = torch.empty(2, 5, 3, 8)[..., :4], torch.empty(2, 6, 3, 4)[:, :5]
    for apart in (heads_apart, batches_apart):
        assert apart.transpose(1, 2).shape == sizes and not is_sequence_first(sizes, apart.transpose(1, 2).stride())
    for one in ((2, 1, 5, 4), (2, 3, 1, 4)):
        assert not is_sequence_first(one, row_major(one)) and not is_sequence_first(one, sequence_first(one))


@pytest.mark.parametrize("name", ["attention", "causal_attention", "gelu"])
def test_such_results_are_right_and_become_rows_without_a_copy(name: str) -> None:
    q, k, v = (torch.randn(2, 7, 3, 4, dtype=torch.float64).transpose(1, 2).requires_grad_() for _ in range(3))
    given = (q,) if name == "gelu" else (q, k, v)
    y = getattr(uol.ops.text, name)(*given)
    causal = name == "causal_attention"
    expected = F.gelu(q) if name == "gelu" else F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    torch.testing.assert_close(y, expected)
    assert y.transpose(1, 2).flatten(2).data_ptr() == y.data_ptr()
    dy = torch.randn(2, 7, 12, dtype=torch.float64).unflatten(2, (3, 4)).transpose(1, 2)
    found, wanted = (torch.autograd.grad(each, given, dy) for each in (y, expected))
    torch.testing.assert_close(found, wanted)
    assert {g.stride() for g in found} == {q.stride()}


def test_a_tensor_that_is_both_counts_as_row_major() -> None:
    assert not is_channels_last((2, 1, 4, 4), row_major((2, 1, 4, 4)))


@pytest.mark.parametrize(
    ("sizes", "strides", "dense"),
    [((2, 3), (3, 1), True), ((2, 3), (1, 2), True), ((2, 3), (4, 1), False), ((2, 3), (0, 1), False), ((0, 3), (9, 9), True)],
)
def test_density(sizes: Sizes, strides: Sizes, dense: bool) -> None:
    assert is_dense(sizes, strides) is dense
