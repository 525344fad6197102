"""Whole models in eager mode under `uol.enabled(check=True)`, forward and training step.

    python -m uol.conformance.graphs.check                    # LLaMA-like, Mamba-like, mixer, ResNet-50, ViT-B/16
    python -m uol.conformance.graphs.check llama vit_b_16 --train

Of each: what was held to its bound (kernels to the contracts of their operators, results and gradients to PyTorch's function in
float64), and which part of the calls that compute was taken, and of the time that they take in PyTorch, by themselves, with
their gradients in a training step. Exit status 1 where something is beyond its bound, or where a part is less than `--least`.
A training step of ResNet-50 takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

import uol
from uol.conformance.command import run_command
from uol.conformance.graphs.models import SUBJECTS, Subject
from uol.ir.errors import ContractError
from uol.pytorch.eager.mode import computes, watched_by
from uol.pytorch.eager.report import Report
from uol.pytorch.eager.watching import Asked, Compute

REPETITIONS = 3
"""How often a call is timed; the shortest time counts."""


class Clock:
    """The watch that times PyTorch's function of each call that computes, taken or left."""

    def __init__(self) -> None:
        self.taken_s = 0.0
        self.left_s: dict[str, float] = defaultdict(float)

    def taken(self, asked: Asked, compute: Compute) -> Any:
        """The call by `uol`; its time is PyTorch's."""
        seconds = _seconds(asked)
        found = compute(asked.args, asked.named)
        self.taken_s += seconds
        return found

    def left(self, asked: Asked) -> Any:
        """The call by PyTorch, timed where it computes."""
        found = asked.by_pytorch()
        if computes(asked.name, asked.args, asked.named, found):
            self.left_s[asked.name] += _seconds(asked)
        return found

    @property
    def share(self) -> float:
        """The part of the time that is in calls which were taken."""
        whole = self.taken_s + sum(self.left_s.values())
        return self.taken_s / whole if whole else 1.0


def _seconds(asked: Asked) -> float:
    """What PyTorch takes for a call, by itself, with its gradient where one is recorded."""
    shortest = float("inf")
    for _ in range(REPETITIONS):
        leaves: list[Tensor] = []

        def own(x: Any, leaves: list[Tensor] = leaves) -> Any:
            if not isinstance(x, Tensor):
                return x
            copied = x.detach().clone()
            if not (x.requires_grad and torch.is_grad_enabled()):
                return copied
            leaves.append(copied.requires_grad_())
            return copied * 1 if asked.writes else copied

        args, named = tree_map(own, (tuple(asked.args), dict(asked.named)))
        start = time.perf_counter()
        found = asked.function(*args, **named)
        results = [y for y in tree_leaves(found) if isinstance(y, Tensor) and y.requires_grad]
        if results and leaves:
            torch.autograd.grad(results, leaves, [torch.ones_like(y) for y in results], allow_unused=True)
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def made(subject: Subject, is_training: bool) -> Callable[[], Report]:
    """The model forward, or a training step of it, in a block of its own; the block around that decides what is watched."""
    torch.manual_seed(0)
    model, inputs = subject.make()
    if isinstance(model, nn.Module):
        model.train(is_training)

    def run() -> Report:
        with uol.enabled() as report, torch.set_grad_enabled(is_training):
            y = model(*inputs)
            if is_training:
                y.backward(torch.linspace(-1, 1, y.numel()).reshape(y.shape))
        return report

    return run


def check(subject: Subject, is_training: bool, least: float) -> bool:
    """Prints what was found of a model; is all of it right?"""
    run = made(subject, is_training)
    head = f"{subject.name:10} {'training' if is_training else 'forward':8}"
    start = time.perf_counter()
    try:
        with uol.enabled(check=True) as report:
            run()
    except ContractError as error:
        print(f"{head} EXCEEDED\n{error}", flush=True)
        return False
    took, clock = time.perf_counter() - start, Clock()
    with watched_by(clock):
        run()
    right = ", ".join(f"{times} {what}" for what, times in report.checks.most_common())
    share = f"taken {report.share:6.1%} of {report.calls} calls, {clock.share:6.1%} of eager's time"
    print(f"{head} right: {right}; {share}; checked in {took:.0f} s", flush=True)
    for (name, why), times in (*report.left.most_common(), *report.unchecked.most_common()):
        print(f"    {times} x {name}: {why}", flush=True)
    return min(report.share, clock.share) >= least


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.graphs.check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="which models; all whole ones, where none is named")
    parser.add_argument("--train", action="store_true", help="training steps alone")
    parser.add_argument("--forward", action="store_true", help="inference alone")
    parser.add_argument("--least", type=float, default=0.95, help="the least part of calls and of time that must be taken")
    given = parser.parse_args()
    known = {s.name: s for s in SUBJECTS}
    if unknown := [name for name in given.names if name not in known]:
        parser.error(f"no model {unknown[0]}: there are {', '.join(known)}")
    chosen = [known[name] for name in given.names] or [s for s in SUBJECTS if not s.is_small]
    modes = [False] * (not given.train or given.forward) + [True] * (not given.forward or given.train)
    return 0 if all([check(each, is_training, given.least) for each in chosen for is_training in modes]) else 1


if __name__ == "__main__":
    run_command(main)
