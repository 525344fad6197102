"""`uol.ops` on an accelerator's tensors: results, gradients, PyTorch's own checks."""

from __future__ import annotations

import gc

import pytest
import torch

import uol
from testcard import device
from testcard.backend import Launched
from uol.conformance import opcheck, opinfo

CARD = "testcard:1"
"""Not the current one."""


def on_card(*size: int, dtype: torch.dtype = torch.float32, grad: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers on the card, and on the CPU for PyTorch."""
    host = torch.randn(size, generator=torch.Generator().manual_seed(sum(size)), dtype=dtype)
    return host.to(CARD).requires_grad_(grad), host.requires_grad_(grad)


def test_an_operator_and_its_gradient(launches: list[Launched]) -> None:
    x, host = on_card(4, 7, grad=True)
    y, expected = uol.ops.text.softmax(x), torch.softmax(host, -1)
    assert y.device == x.device
    torch.testing.assert_close(y.cpu(), expected)
    weights = torch.arange(28.0).reshape(4, 7)
    y.backward(weights.to(CARD))
    expected.backward(weights)
    assert x.grad is not None and x.grad.device == x.device
    torch.testing.assert_close(x.grad.cpu(), host.grad)
    assert [(each.op, each.card, each.current) for each in launches] == [("softmax", 1, 1), ("softmax_grad", 1, 1)]


SAMPLED = ["exp", "add", "where", "sum", "softmax", "nn.functional.layer_norm", "nn.functional.conv2d", "gather"]


@pytest.mark.parametrize("name", SAMPLED)
def test_the_first_samples_of_opinfo_pass(name: str, launches: list[Launched]) -> None:
    entry = next(e for e in opinfo.entries() if e.opinfo == name)
    for dtype, most in ((torch.float64, 2), (torch.bfloat16, 1)):
        tally = opinfo.check(entry, dtype, most=most, device=CARD)
        assert tally.passed and not tally.failed, tally.failed
    assert {each.card for each in launches} == {1}


@pytest.mark.parametrize("name", ["softmax", "cast"])
def test_an_operator_passes_pytorchs_check(name: str, launches: list[Launched]) -> None:
    assert opcheck.check(name, CARD) == ()
    assert name in {each.op for each in launches}


def test_gradients_agree_with_differences(launches: list[Launched]) -> None:
    x, _ = on_card(3, 5, dtype=torch.float64, grad=True)
    w, _ = on_card(5, 4, dtype=torch.float64, grad=True)
    assert torch.autograd.gradcheck(uol.ops.text.matmul, (x, w))
    assert torch.autograd.gradcheck(uol.ops.text.softmax, (x,))
    assert torch.autograd.gradgradcheck(uol.ops.tanh, (x,))
    assert {each.op for each in launches} >= {"matmul", "matmul_grad", "softmax_grad", "tanh_grad", "tanh_grad_grad"}


def test_nothing_is_copied_to_the_host_or_waited_for() -> None:
    x, _ = on_card(4, 7, grad=True)
    w, _ = on_card(7)
    b, _ = on_card(7)

    def step() -> torch.Tensor:
        y = uol.ops.text.layer_norm(uol.ops.mul(x, 0.5), w, b)
        (dx,) = torch.autograd.grad(y, x, torch.ones_like(y))
        return uol.ops.sub(dx, 1)

    step()
    gc.collect()  # what earlier tests left in circles is not freed in between
    before = device.counts(1)
    for _ in range(16):
        step()
    after = device.counts(1)
    assert (after.copies_to_host, after.waits) == (before.copies_to_host, before.waits)
    # PyTorch's thread for the card answers before it lets go of the last step's tensors. Steps that kept one would keep 16.
    assert abs(after.bytes_in_use - before.bytes_in_use) < 16 * device.GRAIN


def test_tensors_of_any_layout_and_out(launches: list[Launched]) -> None:
    x, host = on_card(6, 8)
    torch.testing.assert_close(uol.ops.exp(x.t()[1:, ::2]).cpu(), host.t()[1:, ::2].exp())
    out = torch.empty(6, 8, device=CARD)
    assert uol.ops.tanh(x, out=out) is out
    torch.testing.assert_close(out.cpu(), host.tanh())
    gaps = torch.empty(6, 16, device=CARD)[:, ::2]
    uol.ops.tanh(x, out=gaps)
    torch.testing.assert_close(gaps.cpu(), host.tanh())
    assert uol.ops.exp(torch.empty(0, 3, device=CARD)).shape == (0, 3)
    assert {each.op for each in launches} == {"exp", "tanh"}


def test_a_number_is_written_on_the_card() -> None:
    x, host = on_card(5)
    before = device.counts(1)
    y = uol.ops.mul(x, 3)
    assert device.counts(1).waits == before.waits
    torch.testing.assert_close(y.cpu(), host * 3)


def test_autocast_and_transforms() -> None:
    x, host = on_card(4, 5)
    with torch.autocast("testcard", torch.bfloat16):
        assert uol.ops.text.linear(x, x, x.new_zeros(4)).dtype is torch.bfloat16
    found = torch.func.grad(lambda x: uol.ops.exp(x).sum())(x)
    torch.testing.assert_close(found.cpu(), host.exp())
    each = torch.func.vmap(uol.ops.tanh)(x)
    torch.testing.assert_close(each.cpu(), host.tanh())


def test_tensors_without_data_are_computed_without_a_kernel(launches: list[Launched]) -> None:
    with torch._subclasses.FakeTensorMode():
        fake = uol.ops.text.softmax(torch.empty(2, 3, device=CARD))
    assert (fake.device, fake.shape) == (torch.device(CARD), (2, 3))
    assert not launches
