"""`uol.SGD` and `uol.AdamW` beside torch.optim's, alone and with PyTorch's schedulers and its scaler."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import uol
from uol.ir.errors import UolError

Make = Callable[[Any], torch.optim.Optimizer]
PAIRS: dict[str, tuple[Make, Make]] = {
    "sgd": (lambda p: uol.SGD(p, lr=0.1, weight_decay=0.01), lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.01)),
    "momentum": (
        lambda p: uol.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    ),
    "nesterov": (
        lambda p: uol.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
    ),
    "adamw": (
        lambda p: uol.AdamW(p, lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
    ),
}


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 3))


def losses(net: nn.Module, optimiser: torch.optim.Optimizer, first: int, steps: int) -> list[float]:
    """Steps on seeded inputs; every third leaves the last bias without a gradient."""
    found = []
    for step in range(first, first + steps):
        x = torch.randn(4, 7, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        if step % 3 == 2:
            list(net.parameters())[-1].grad = None
        optimiser.step()
        found.append(loss.item())
    return found


def same(ours: nn.Module, theirs: nn.Module) -> None:
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_it_steps_as_pytorchs_does(name: str) -> None:
    (ours, theirs), own, other = PAIRS[name], module(), module()
    start = copy.deepcopy(own)
    losses(own, ours(own.parameters()), 0, 7)
    losses(other, theirs(other.parameters()), 0, 7)
    same(own, other)
    assert max((p - q).abs().max() for p, q in zip(own.parameters(), start.parameters(), strict=True)) > 1e-2


@pytest.mark.parametrize("name", PAIRS)
def test_each_goes_on_from_the_state_of_the_other(name: str) -> None:
    (ours, theirs), own, other = PAIRS[name], module(), module()
    made, known = ours(own.parameters()), theirs(other.parameters())
    losses(own, made, 0, 4)
    losses(other, known, 0, 4)
    crossed, back = copy.deepcopy(own), copy.deepcopy(other)
    to_theirs, to_ours = theirs(crossed.parameters()), ours(back.parameters())
    mine, others = (copy.deepcopy(each.state_dict()) for each in (made, known))
    to_theirs.load_state_dict({**others, "state": mine["state"]})
    to_ours.load_state_dict({**mine, "state": others["state"]})
    for net, optimiser in ((own, made), (other, known), (crossed, to_theirs), (back, to_ours)):
        losses(net, optimiser, 4, 3)
    same(own, other)
    same(crossed, other)
    same(back, other)


def test_groups_have_rates_of_their_own_and_a_scheduler_moves_them() -> None:
    nets = [module(), module()]
    found = []
    for net, kind in zip(nets, (uol.SGD, torch.optim.SGD), strict=True):
        first, last = net[0].parameters(), net[2].parameters()  # type: ignore[index]
        optimiser = kind([{"params": list(first)}, {"params": list(last), "lr": 0.01}], lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=2, T_mult=2)
        rates = []
        for step in range(5):
            losses(net, optimiser, step, 1)
            schedule.step()
            rates.append([group["lr"] for group in optimiser.param_groups])
        found.append(rates)
    same(*nets)
    assert found[0] == found[1] and found[0][0] != found[0][1]


def test_the_scaler_skips_a_step_whose_gradients_overflow() -> None:
    net = module()
    optimiser, scaler = uol.SGD(net.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=4.0)
    other = module()
    plain = torch.optim.SGD(other.parameters(), lr=0.1)
    for step, worst in enumerate((1.0, float("inf"), 1.0)):
        x = torch.randn(4, 7, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        scaler.scale((net(x) * worst).square().mean()).backward()
        scaler.step(optimiser)
        scaler.update()
        if worst == 1:
            plain.zero_grad()
            other(x).square().mean().backward()
            plain.step()
    assert scaler.get_scale() == 2.0
    same(net, other)


def test_a_closure_makes_the_gradients_and_its_result_comes_back() -> None:
    p = nn.Parameter(torch.ones(3))

    def closure() -> torch.Tensor:
        loss = p.square().sum()
        p.grad = torch.autograd.grad(loss, p)[0]
        return loss

    optimiser = uol.SGD([p], lr=0.25)
    assert optimiser.step(closure) == 3
    torch.testing.assert_close(p.detach(), torch.full((3,), 0.5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: uol.SGD(p, lr=-1.0), "SGD: lr is -1.0"),
        (lambda p: uol.SGD(p, momentum=float("nan")), "SGD: momentum is nan"),
        (lambda p: uol.SGD(p, nesterov=True), "nesterov needs momentum"),
        (lambda p: uol.AdamW(p, betas=(0.9, 1.0)), "AdamW: betas is"),
        (lambda p: uol.AdamW(p, eps=-1e-8), "AdamW: eps is"),
    ],
)
def test_what_is_no_rate_is_refused(make: Make, message: str) -> None:
    with pytest.raises(UolError, match=message):
        make([nn.Parameter(torch.ones(2))])
