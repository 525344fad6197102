"""Options by which PyTorch chooses what are operators of their own here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional
from turns import by_turns

import uol

X = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4).sin()
T = torch.linspace(0.1, 0.9, 12, dtype=torch.float64).reshape(3, 4)


def both(ours: Callable[..., Any], theirs: Callable[..., Any], *inputs: torch.Tensor, **options: Any) -> None:
    """The results, and the gradients of the first input, are PyTorch's."""
    runs = []
    for function in (ours, theirs):
        x = inputs[0].clone().requires_grad_()
        y = function(x, *inputs[1:], **options)
        runs.append((y.detach(), *torch.autograd.grad(y, x, torch.ones_like(y).cos() + y.detach())))
    torch.testing.assert_close(runs[0], runs[1])


REDUCTIONS = ("mean", "sum", "none")


LOSSES = ("mse_loss", "huber_loss", "kl_div", "binary_cross_entropy_with_logits", "poisson_nll_loss")


@pytest.mark.parametrize(("name", "reduction"), by_turns(2, LOSSES, REDUCTIONS))
def test_a_loss_is_reduced_as_pytorchs(name: str, reduction: str) -> None:
    both(getattr(uol.ops.text, name), getattr(functional, name), X, T, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_loss_of_classes_is_reduced_as_pytorchs(reduction: str) -> None:
    at = torch.tensor([1, -100, 3])
    both(uol.ops.text.cross_entropy, functional.cross_entropy, X, at, reduction=reduction, label_smoothing=0.2)
    both(uol.ops.soft_cross_entropy, functional.cross_entropy, X, T, reduction=reduction)


def test_a_mean_over_a_batch() -> None:
    both(uol.ops.text.kl_div, functional.kl_div, X, T, reduction="batchmean")


def test_a_sum_over_nothing_is_0() -> None:
    assert uol.ops.text.mse_loss(X[:0], T[:0], reduction="sum") == 0
    assert uol.ops.text.mse_loss(X[:0], T[:0], reduction="none").shape == (0, 4)


def test_a_reduction_is_traced() -> None:
    def f(x: torch.Tensor) -> torch.Tensor:
        return uol.ops.text.mse_loss(x, T, reduction="sum") * 2

    torch.testing.assert_close(torch.compile(f, backend="aot_eager", fullgraph=True)(X), f(X))


@pytest.mark.parametrize("reduction", ["median", 3, None, "batchmean"])
def test_a_reduction_that_there_is_not(reduction: object) -> None:
    with pytest.raises(uol.UolError, match=r"mse_loss: the reduction is") as caught:
        uol.ops.text.mse_loss(X, T, reduction=reduction)
    assert "'mean', 'sum', 'none'" in str(caught.value.hint)


IMAGE = torch.linspace(-3, 3, 2 * 3 * 8 * 7, dtype=torch.float64).reshape(2, 3, 8, 7).sin()


OPTIONS = ({}, {"ceil_mode": True}, {"stride": (3, 1)}, {"padding": (1, 0), "ceil_mode": True})


@pytest.mark.parametrize(("kernel", "options"), by_turns(2, [3, (2, 3)], OPTIONS))
def test_a_pool_takes_pytorchs_options(kernel: object, options: dict[str, Any]) -> None:
    both(uol.ops.text.max_pool2d, functional.max_pool2d, IMAGE, kernel_size=kernel, dilation=(1, 2), **options)
    for includes in (True, False):
        given = {"kernel_size": kernel, "count_include_pad": includes, **options}
        both(uol.ops.text.avg_pool2d, functional.avg_pool2d, IMAGE, **given)


@pytest.mark.parametrize(("window", "first"), by_turns(2, [(2, 3, 1), (3, 2, 1), (2, 5, 0), (4, 3, 2)], [3, 4]))
def test_a_last_window_begins_within_the_input_or_the_padding_before_it(window: tuple[int, int, int], first: int) -> None:
    kernel, stride, padding = window
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": True}
    for size in range(first, 12, 2):
        both(uol.ops.text.avg_pool1d, functional.avg_pool1d, IMAGE.reshape(2, -1)[:, None, :size], **options)


def test_a_convolution_takes_a_number_for_each_axis() -> None:
    w = torch.linspace(-1, 1, 4 * 3 * 3 * 2, dtype=torch.float64).reshape(4, 3, 3, 2)
    options: dict[str, Any] = {"stride": (2, 1), "padding": [1, 2], "dilation": (1, 3)}
    both(uol.ops.text.conv2d, functional.conv2d, IMAGE, w, **options)
    back = {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)}
    both(uol.ops.text.conv_transpose2d, functional.conv_transpose2d, IMAGE, w.transpose(0, 1).contiguous(), **back)
    torch.testing.assert_close(uol.ops.text.conv2d(IMAGE, w, stride=2, pad=1), functional.conv2d(IMAGE, w, stride=2, padding=1))


@pytest.mark.parametrize("aligned", [True, False])
def test_corners(aligned: bool) -> None:
    def ours(x: torch.Tensor) -> torch.Tensor:
        return uol.ops.upsample_bilinear2d(x, out_h=11, out_w=3, align_corners=aligned)

    def theirs(x: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(x, (11, 3), mode="bilinear", align_corners=aligned)

    both(ours, theirs, IMAGE)


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), 2])
def test_a_probability(p: float) -> None:
    with pytest.raises(uol.UolError, match="dropout: p is") as caught:
        uol.ops.text.dropout(X, seed=1, p=p)
    assert "from 0 to 1" in str(caught.value.hint)
    assert uol.ops.text.dropout(X, seed=1, p=0).equal(X) and not uol.ops.text.dropout(X, seed=1, p=1).any()


def test_windows_are_traced() -> None:
    def f(x: torch.Tensor) -> torch.Tensor:
        return uol.ops.text.avg_pool2d(x, kernel_size=(3, 2), stride=2, ceil_mode=True, count_include_pad=False) * 2

    torch.testing.assert_close(torch.compile(f, backend="aot_eager", fullgraph=True)(IMAGE), f(IMAGE))


def test_as_many_numbers_as_axes() -> None:
    with pytest.raises(uol.UolError, match=r"max_pool2d: kernel is \(1, 2, 3\)") as caught:
        uol.ops.text.max_pool2d(IMAGE, kernel_size=(1, 2, 3))
    assert "one number, or 2" in str(caught.value.hint)
    with pytest.raises(uol.UolError, match="conv2d has no attribute 'ceil_mode'"):
        uol.ops.text.conv2d(IMAGE, torch.ones(1, 3, 1, 1).double(), ceil_mode=True)


def test_a_number_for_one_axis_goes_before_one_for_all() -> None:
    x = IMAGE[..., :7, :]
    found = uol.ops.text.max_pool2d(x, kernel_size=(3, 3), stride_h=1, stride_w=2)
    torch.testing.assert_close(found, functional.max_pool2d(x, 3, (1, 2)))
    found = uol.ops.text.max_pool2d(x, stride_w=3, padding=(1, 1), pad_left=0, pad_right=1, kernel_size=[3, 3], ceil_mode=True)
    wanted = functional.max_pool2d(functional.pad(x, (0, 1, 1, 1), value=float("-inf")), 3, 3, ceil_mode=True)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("options", [{"kernel_size": 3, "kernel": 2}, {"kernel_size": 3, "padding": 1, "pad": 0}])
def test_an_option_under_both_of_its_names(options: dict[str, Any]) -> None:
    with pytest.raises(uol.ShapeError, match="(kernel_size and kernel|padding and pad) are one option, and both are given"):
        uol.ops.text.max_pool2d(IMAGE, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 2, "stride": 0}, "needs stride_h > 0"),
        ({"kernel_size": 0}, "needs kernel_h > 0"),
        ({"kernel_size": "2"}, "kernel is int, not '2'"),
        ({"kernel_size": 2, "padding": (1, "1")}, "pad_left is int, not '1'"),
        ({"kernel_size": 2, "padding": (1, None)}, r"pad is \(1, None\)"),
    ],
)
def test_what_is_no_window_is_refused_however_it_is_rounded(options: dict[str, Any], message: str) -> None:
    for more in ({}, {"ceil_mode": True}, {"ceil_mode": True, "count_include_pad": False}):
        with pytest.raises(uol.ShapeError, match=message):
            uol.ops.text.avg_pool2d(IMAGE, **options, **more)


def test_the_mean_over_rows_of_a_divergence_fills_what_it_is_given() -> None:
    x, t, out = torch.randn(4, 5).log_softmax(-1), torch.rand(4, 5), torch.empty(())
    expected = functional.kl_div(x, t, reduction="batchmean")
    torch.testing.assert_close(uol.ops.text.kl_div(x, t, reduction="batchmean", out=out), expected)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("targets", [(-100, -100), (-100, 1)])
@pytest.mark.parametrize("weights", [(), ((1.0, 2.0, 0.5),)])
def test_rows_that_are_ignored_change_nothing(targets: tuple[int, ...], weights: tuple[Any, ...], smoothing: float) -> None:
    """Not even where they hold an infinity, or where no row is left."""
    t, w = torch.tensor(targets), [torch.tensor(each) for each in weights]
    x = torch.tensor([[0.5, torch.inf, 1.0], [0.25, -1.0, 2.0]])
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    loss = uol.ops.weighted_cross_entropy if w else uol.ops.text.cross_entropy
    found = loss(ours, t, *w, label_smoothing=smoothing)
    expected = functional.cross_entropy(theirs, t, *w, label_smoothing=smoothing)
    found.backward()
    expected.backward()
    torch.testing.assert_close(found, expected, equal_nan=True)
    torch.testing.assert_close(ours.grad, theirs.grad, equal_nan=True)
