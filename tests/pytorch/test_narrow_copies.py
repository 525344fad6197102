"""`uol.NarrowCopies`: what a module computes with is what a cast of its parameters would be, and the optimiser writes it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

import uol
from uol.conformance.paths.recorded import recorded

Make = Callable[[Any, uol.NarrowCopies], torch.optim.Optimizer]
OPTIMISERS: dict[str, Make] = {
    "sgd": lambda p, copies: uol.SGD(p, lr=0.1, copies=copies),
    "momentum": lambda p, copies: uol.SGD(p, lr=0.1, momentum=0.9, copies=copies),
    "adamw": lambda p, copies: uol.AdamW(p, lr=0.01, copies=copies),
}


class Net(nn.Module):
    """A linear layer in f16 whose parameters are wide, and a scale that is used as it is."""

    def __init__(self, narrow: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.scale, self.narrow = nn.Linear(7, 5), nn.Parameter(torch.ones(5)), narrow

    def forward(self, x: torch.Tensor) -> Any:
        return uol.ops.linear(x, self.narrow(self.layer.weight), self.narrow(self.layer.bias)).float() * self.scale


def loss(net: Net, step: int = 0) -> torch.Tensor:
    x = torch.randn(4, 7, generator=torch.Generator().manual_seed(step)).half()
    found: torch.Tensor = net(x).square().mean()
    return found


@pytest.mark.parametrize("name", OPTIMISERS)
def test_training_with_copies_is_training_with_casts_bit_for_bit(name: str) -> None:
    copies = uol.NarrowCopies(torch.float16)
    ours, plain = Net(copies), Net(lambda w: uol.ops.cast(w, dtype=torch.float16))
    steps = OPTIMISERS[name](ours.parameters(), copies), OPTIMISERS[name](plain.parameters(), uol.NarrowCopies(torch.float16))
    for number in range(4):
        for net, optimiser in zip((ours, plain), steps, strict=True):
            optimiser.zero_grad()
            loss(net, number).backward()
            optimiser.step()
    assert all(torch.equal(p, q) for p, q in zip(ours.parameters(), plain.parameters(), strict=True))
    assert all(p.grad is not None and p.grad.dtype is torch.float32 for p in ours.parameters())
    assert [each is None for each in copies.of(ours.parameters())] == [True, False, False], "nobody asked for one of the scale"


def test_behind_a_step_nothing_is_cast() -> None:
    copies = uol.NarrowCopies(torch.float16)
    net = Net(copies)
    optimiser = OPTIMISERS["momentum"](net.parameters(), copies)
    casts = []
    for number in range(3):
        run = recorded(partial(loss, net, number))
        casts.append([call.op for call in run.calls].count("cast"))
        loss(net, number).backward()
        optimiser.step()
        (kept,) = copies.of([net.layer.weight])
        assert kept is not None and torch.equal(kept, net.layer.weight.half())
    assert casts == [2, 0, 0]


CHANGES: dict[str, Callable[[Net], object]] = {
    "by hand": lambda net: nn.init.ones_(net.layer.weight),
    "by a state dict": lambda net: net.load_state_dict({**net.state_dict(), "layer.weight": torch.ones(5, 7)}),
    "by other memory": lambda net: setattr(net.layer.weight, "data", torch.ones(5, 7)),
    "by another optimiser": lambda net: torch.optim.SGD(net.parameters(), lr=0.5).step(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_weight_that_was_changed_is_cast_anew(change: str) -> None:
    copies = uol.NarrowCopies(torch.bfloat16)
    net = Net(copies)
    optimiser = OPTIMISERS["sgd"](net.parameters(), copies)
    net.narrow(net.layer.weight).float().sum().backward()
    optimiser.step()
    before = copies(net.layer.weight)
    CHANGES[change](net)
    assert torch.equal(copies(net.layer.weight), net.layer.weight.bfloat16())
    assert not torch.equal(before, copies(net.layer.weight))


def test_a_change_past_autograd_is_seen_when_copies_are_forgotten() -> None:
    copies, weight = uol.NarrowCopies(torch.float16), nn.Parameter(torch.ones(3))
    copies(weight)
    weight.data.mul_(2)
    assert copies(weight).tolist() == [1, 1, 1]
    copies.forget()
    assert copies(weight).tolist() == [2, 2, 2]


def test_a_step_before_its_gradient_is_an_error_as_with_any_weight() -> None:
    copies = uol.NarrowCopies(torch.float16)
    net = Net(copies)
    optimiser = OPTIMISERS["sgd"](net.parameters(), copies)
    loss(net).backward()
    late = loss(net)
    optimiser.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        late.backward()


def test_a_module_is_copied_and_pickled_without_its_copies() -> None:
    net = Net(uol.NarrowCopies(torch.float16))
    loss(net).backward()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert isinstance(other.narrow, uol.NarrowCopies) and other.narrow is not net.narrow
        assert other.narrow.of(other.parameters()) == [None] * 3
        assert torch.equal(loss(other), loss(net))


def test_a_copy_that_was_made_without_gradients_serves_training() -> None:
    copies = uol.NarrowCopies(torch.float16)
    net = Net(copies)
    with torch.inference_mode():
        loss(net)
    loss(net).backward()
    assert net.layer.weight.grad is not None


def test_what_is_narrow_already_is_its_own_copy() -> None:
    copies, weight = uol.NarrowCopies(torch.float16), torch.ones(3).half()
    assert copies(weight) is weight and copies.of([weight]) == [None]
    with pytest.raises(uol.TypeCheckError, match="torch.float32 is not narrow"):
        uol.NarrowCopies(torch.float32)
