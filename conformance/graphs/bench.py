"""Whole models under `torch.compile(model, backend="uol")`, beside eager PyTorch and Inductor.

    python -m uol.conformance.graphs.bench                    # all, inference and training step
    python -m uol.conformance.graphs.bench gelu llama --seconds 4 --train
    python -m uol.conformance.graphs.bench --small --no-inductor

One row each: the error beside the model in float64, as a multiple of eager's own; which part of the computing nodes, and of
the time, is in kernels of uol; milliseconds in turns (who begins changes from turn to turn: who comes after eager pays for
the pages that eager gave back), by the median, and ratios. The share of time is from calls with a clock at each line of the
programs. Exit status 1 where an error is more than four times that of eager, or a graph breaks.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from uol.conformance.command import run_command
from uol.conformance.graphs.models import SUBJECTS, Subject
from uol.pytorch import graph
from uol.pytorch.graph.profile import share_of_time

MOST = 4.0
"""The largest error that is admitted, as a multiple of eager's own. A part of the values would not do: gradients that are zero
in exact arithmetic are noise in either (a bias before a normalisation), and those of a deep network with `relu` differ by a
tenth where one sign does."""
LEAST = 2**-22
"""An error of eager that is smaller counts as this part of the value's norm: two roundings of f32."""
LEAST_TURNS = 7

Run = Callable[[], list[Tensor]]


@dataclass(frozen=True)
class Row:
    """One model, forward or with its gradients. `error` is the largest of a value, in units of eager's own. Times are medians
    in ms; Inductor's is 0 where it did not run."""

    name: str
    mode: str
    error: float
    nodes: int
    share: float
    share_of_time: float
    ms: Mapping[str, float]
    compile_s: float

    @property
    def holds(self) -> bool:
        """Is the error what roundings make of this model?"""
        return self.error <= MOST

    def __str__(self) -> str:
        ours = self.ms["uol"]
        beside = "  ".join(f"{name}/uol {ms / ours:5.2f}" for name, ms in self.ms.items() if name != "uol")
        return (
            f"{self.name:14} {self.mode:8} error {self.error:5.2f}{'' if self.holds else ': EXCEEDED'}  nodes {self.nodes:5}"
            f"  taken {self.share:6.1%}  of time {self.share_of_time:6.1%}  uol {ours:9.3f} ms  {beside}"
            f"  compiled in {self.compile_s:.1f} s"
        )


def measure(subject: Subject, is_training: bool, seconds: float, with_inductor: bool) -> Row:
    """One row."""
    torch._dynamo.reset()
    graph.reset()
    torch.manual_seed(0)
    model, inputs = subject.make()
    if isinstance(model, nn.Module):
        model.train(is_training)
    leaves = leaves_of(model, inputs)
    with torch.no_grad():
        cotangent = torch.randn_like(model(*inputs))
    contenders = {"eager": model, "uol": torch.compile(model, backend="uol", fullgraph=True, dynamic=False)}
    if with_inductor:
        contenders["inductor"] = torch.compile(model, dynamic=False)
    runs = {name: run_of(each, inputs, leaves, cotangent, is_training) for name, each in contenders.items()}
    start = time.perf_counter()
    found = runs["uol"]()
    compile_s = time.perf_counter() - start
    wide, given, of, by = _in_float64(model, inputs, leaves, cotangent)
    exact = run_of(wide, given, of, by, is_training)()
    errors = [_error(x, y, z) for x, y, z in zip(found, runs["eager"](), exact, strict=True)]
    error = math.nan if any(map(math.isnan, errors)) else max(errors)  # of which NaN is no number to compare with
    del exact, wide, given, of
    ms = _in_turns(runs, seconds)
    said = graph.report()
    mode = "training" if is_training else "forward"
    return Row(subject.name, mode, error, said.computing, said.share, share_of_time(runs["uol"]), ms, compile_s)


def leaves_of(model: Callable[..., Tensor], inputs: tuple[Any, ...]) -> list[Tensor]:
    """What is differentiated: inputs that ask for it, and parameters."""
    own = list(model.parameters()) if isinstance(model, nn.Module) else []
    return [x for x in inputs if isinstance(x, Tensor) and x.requires_grad] + own


def run_of(model: Callable[..., Tensor], inputs: tuple[Any, ...], leaves: list[Tensor], dy: Tensor, is_training: bool) -> Run:
    """A call that gives the result; in training, the gradients, too."""

    def forward() -> list[Tensor]:
        with torch.no_grad():
            return [model(*inputs)]

    def step() -> list[Tensor]:
        y = model(*inputs)
        return [y.detach(), *torch.autograd.grad(y, leaves, dy)]

    return step if is_training else forward


def _in_float64(model: Any, inputs: tuple[Any, ...], leaves: list[Tensor], dy: Tensor) -> tuple[Any, ...]:
    """A model with its inputs, what is differentiated and the cotangent, in float64."""
    wide = {id(x): x.detach().double().requires_grad_(x.requires_grad) for x in inputs if _is_number(x)}
    copied = deepcopy(model).double() if isinstance(model, nn.Module) else model
    own = list(copied.parameters()) if isinstance(copied, nn.Module) else []
    given = tuple(wide.get(id(x), x) for x in inputs)
    return copied, given, [wide[id(x)] for x in leaves[: len(leaves) - len(own)]] + own, dy.double()


def _is_number(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def _error(found: Tensor, eager: Tensor, exact: Tensor) -> float:
    """The norm of a value's error, in units of that of eager. NaN where one of them has a NaN."""
    least = LEAST * exact.norm()
    return float((found - exact).norm() / torch.maximum((eager - exact).norm(), least.clamp_min(1e-30)))


def _in_turns(runs: Mapping[str, Run], seconds: float) -> dict[str, float]:
    """Medians in ms; short calls are repeated within a turn."""
    repeats = {}
    for name, run in runs.items():
        run()
        run()
        start = time.perf_counter()
        run()
        repeats[name] = max(1, int(0.004 / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    names, turn, end = list(runs), 0, time.perf_counter() + seconds
    while turn < LEAST_TURNS or time.perf_counter() < end:
        for k in range(len(names)):
            name = names[(k + turn) % len(names)] if turn % 2 else names[(turn - k) % len(names)]
            start = time.perf_counter()
            for _ in range(repeats[name]):
                runs[name]()
            times[name].append((time.perf_counter() - start) / repeats[name] * 1e3)
        turn += 1
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.graphs.bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="which models; all, where none is named")
    parser.add_argument("--small", action="store_true", help="the chains of operators alone")
    parser.add_argument("--train", action="store_true", help="training steps alone")
    parser.add_argument("--forward", action="store_true", help="inference alone")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row's turns")
    parser.add_argument("--no-inductor", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true", help="who was left, and why")
    given = parser.parse_args()
    known = [s.name for s in SUBJECTS]
    if unknown := [name for name in given.names if name not in known]:
        parser.error(f"no model {unknown[0]}: there are {', '.join(known)}")
    taken = [s for s in SUBJECTS if s.name in (given.names or known) and (s.is_small or not given.small)]
    modes = [False] * (not given.train or given.forward) + [True] * (not given.forward or given.train)
    holds = True
    for subject in taken:
        for is_training in modes:
            row = measure(subject, is_training, given.seconds, not given.no_inductor)
            print(row, flush=True)
            if given.verbose:
                print(graph.report(), flush=True)
            holds = holds and row.holds
    return 0 if holds else 1


if __name__ == "__main__":
    run_command(main)
