"""Layers, optimisers and traces on an accelerator's tensors, beside PyTorch on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

import uol
from testcard import backend
from testcard.backend import ForeachCardBackend, Launched
from testcard.device import NAME, counts
from uol.pytorch import foreach

CARD = f"{NAME}:1"
F64 = torch.float64


def beside(module: nn.Module) -> tuple[nn.Module, nn.Module]:
    """A module with uol's operators on the card, and the same as it is on the CPU."""
    own = copy.deepcopy(module).to(CARD)
    assert not uol.replace(own).left
    return own, module


def require_alike(own: nn.Module, plain: nn.Module, x: torch.Tensor) -> None:
    """Output, gradients of parameters and of the input, and buffers, in f64."""
    given, expected_of = x.to(CARD).requires_grad_(), x.clone().requires_grad_()
    found, expected = own(given), plain(expected_of)
    torch.testing.assert_close(found.cpu(), expected)
    found.square().mean().backward()
    expected.square().mean().backward()
    assert given.grad is not None
    torch.testing.assert_close(given.grad.cpu(), expected_of.grad)
    for (name, ours), theirs in zip(own.named_parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None and ours.grad.device == torch.device(CARD), name
        torch.testing.assert_close(ours.grad.cpu(), theirs.grad, msg=lambda text, name=name: f"{name}: {text}")
    for ours, theirs in zip(own.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours.cpu(), theirs)


def bottleneck() -> nn.Module:
    """A block of ResNet-50's, with a stride and a projection, below what a network ends with."""
    torch.manual_seed(0)
    projection = nn.Sequential(nn.Conv2d(8, 16, 1, stride=2, bias=False), nn.BatchNorm2d(16))
    block = torchvision.models.resnet.Bottleneck(8, 4, stride=2, downsample=projection)
    return nn.Sequential(nn.MaxPool2d(3, 2, 1), block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)).to(F64)


def test_a_block_of_resnet50_forward_and_backward(launches: list[Launched]) -> None:
    own, plain = beside(bottleneck())
    require_alike(own, plain, torch.randn(3, 8, 12, 12, dtype=F64))
    assert {each.op for each in launches} >= {"conv2d", "conv2d_grad", "batch_norm_train", "relu", "max_pool2d", "linear_grad"}
    assert {each.card for each in launches} == {1}


@pytest.mark.soak
def test_resnet50_forward_and_backward(launches: list[Launched]) -> None:
    """Half a minute of a core, of which the kernels' compiler takes all but a second."""
    torch.manual_seed(0)
    own, plain = beside(torchvision.models.resnet50(num_classes=10).to(F64))
    require_alike(own, plain, torch.randn(2, 3, 64, 64, dtype=F64))
    assert len(launches) > 300


def test_a_frozen_block(launches: list[Launched]) -> None:
    plain = bottleneck().eval().requires_grad_(False)
    frozen = uol.freeze(copy.deepcopy(plain).to(CARD))
    x = torch.randn(3, 8, 12, 12, dtype=F64)
    torch.testing.assert_close(frozen(x.to(CARD)).cpu(), plain(x))
    assert "conv2d_bn_add_relu" in {each.op for each in launches}


OPTIMISERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sgd": (uol.SGD, torch.optim.SGD),
    "momentum": (
        lambda p: uol.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    ),
    "adamw": (uol.AdamW, torch.optim.AdamW),
}


@pytest.fixture
def foreach_card() -> Iterator[None]:
    """A card that takes many tensors in one launch."""
    foreach._kernel.cache_clear()
    backend.register(ForeachCardBackend)
    yield
    backend.register()
    foreach._kernel.cache_clear()


def require_same_steps(name: str) -> None:
    """Three steps of each, from the same parameters, on the same gradients; the card's are not waited for."""
    hosts = [torch.randn(size, generator=torch.Generator().manual_seed(1)) for size in ((40, 33), (7,), (3, 5, 2))]
    ours, theirs = ([nn.Parameter(x.to(where)) for x in hosts] for where in (CARD, "cpu"))
    own, plain = OPTIMISERS[name][0](ours), OPTIMISERS[name][1](theirs)
    for step in range(3):
        for p, q in zip(ours, theirs, strict=True):
            q.grad = torch.full_like(q, 0.1 * (step + 1))
            p.grad = q.grad.to(CARD)
        before = counts(1)
        own.step()
        after = counts(1)
        assert (after.copies_to_host, after.waits) == (before.copies_to_host, before.waits)
        plain.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p.detach().cpu(), q.detach())


@pytest.mark.parametrize("name", list(OPTIMISERS))
def test_an_optimiser_steps_on_the_card(name: str, launches: list[Launched]) -> None:
    require_same_steps(name)
    assert len(launches) == 9 and {each.card for each in launches} == {1}


@pytest.mark.usefixtures("foreach_card")
def test_an_optimiser_steps_in_one_launch_where_the_backend_has_such(launches: list[Launched]) -> None:
    stream = torch.Stream(device=CARD)
    with stream:
        require_same_steps("adamw")
    assert [each.op for each in launches] == ["adamw, 3 at once"] * 3
    assert {(each.card, each.current, each.stream) for each in launches} == {(1, 1, stream.stream_id)}


@pytest.mark.usefixtures("foreach_card")
def test_narrow_copies_are_written_by_the_launch_of_the_step(launches: list[Launched]) -> None:
    copies = uol.NarrowCopies(torch.float16)
    ours = [nn.Parameter(torch.full(size, 2.0, device=CARD)) for size in ((4, 3), (7,), (5,))]
    own = uol.SGD(ours, lr=0.5, momentum=0.9, copies=copies)
    for p in ours[:2]:
        copies(p)
    for p in ours:
        p.grad = torch.ones_like(p)
    before = counts(1)
    own.step()
    after = counts(1)
    assert (after.copies_to_host, after.waits) == (before.copies_to_host, before.waits)
    steps = [each.op for each in launches if "at once" in each.op]
    assert steps == ["sgd_momentum, 1 at once", "sgd_momentum_mixed, 2 at once"]
    number = len(launches)
    assert [copies(p).cpu().unique().tolist() for p in ours[:2]] == [[1.5], [1.5]] and len(launches) == number, "none was cast"


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_gradients_are_clipped_without_waiting(max_norm: float) -> None:
    hosts = [torch.randn(40, 3), torch.randn(5), torch.randn(2).half()]
    own, plain = ([x.to(where) for x in hosts] for where in (CARD, "cpu"))
    foreach.clip_(own, max_norm=max_norm)
    own = [x.to(CARD) for x in hosts]
    before = counts(1)
    norm = foreach.clip_(own, max_norm=max_norm)
    after = counts(1)
    assert (after.copies_to_host, after.waits) == (before.copies_to_host, before.waits)
    expected = foreach.clip_(plain, max_norm=max_norm)
    torch.testing.assert_close(norm.cpu(), expected)
    for ours, theirs in zip(own, plain, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs)


def test_gradients_with_a_nan_become_nan() -> None:
    own = [torch.tensor([1.0, float("nan")], device=CARD), torch.ones(3, device=CARD)]
    foreach.clip_(own, max_norm=1.0)
    assert all(x.isnan().all() for x in own)


def test_a_compiled_function_and_its_gradient(launches: list[Launched]) -> None:
    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return uol.ops.text.softmax(uol.ops.text.matmul(x, w) * 2).square().sum()

    x, w = torch.randn(4, 6), torch.randn(6, 5)
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    ours = [t.to(CARD).requires_grad_() for t in (x, w)]
    theirs = [t.clone().requires_grad_() for t in (x, w)]
    found = compiled(*ours)
    expected = torch.softmax(theirs[0] @ theirs[1] * 2, -1).square().sum()
    torch.testing.assert_close(found.cpu(), expected)
    found.backward()
    expected.backward()
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad is not None
        torch.testing.assert_close(a.grad.cpu(), b.grad)
    assert {each.op for each in launches} >= {"matmul", "softmax", "softmax_grad", "matmul_grad"}
