"""How far training in f32 drifts from training in float64: ours, and PyTorch's, from the same parameters on the same batches.

    python -m uol.conformance.paths.resnet50.drift [--seeds 3] [--steps 20]

Exit status 1 where our distance is more than twice PyTorch's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from uol.conformance.paths.resnet50.task import TASK
from uol.conformance.paths.task import Side
from uol.conformance.paths.training.training import Training

LIMIT = 2.0


@dataclass(frozen=True, slots=True)
class Drift:
    """Relative L2 distances of all parameters from those of the float64 run, the median over steps and seeds."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def ok(self) -> bool:
        """A distance that is not a number is none within the limit."""
        return self.ratio <= LIMIT


def drift(seeds: int = 3, steps: int = 20) -> Drift:
    """Training of the task with the recipe, whose optimiser takes a step on every batch; float64 is the twin's by PyTorch."""
    found: dict[Side, list[float]] = {"uol": [], "pytorch": []}
    for seed in range(seeds):
        exact = list(_parameters("pytorch", "f64", seed, steps))
        for side, distances in found.items():
            distances += [_distance(p, q) for p, q in zip(_parameters(side, "f32", seed, steps), exact, strict=True)]
    return Drift(*(statistics.median(distances) for distances in found.values()))


def _parameters(side: Side, dtype: str, seed: int, steps: int) -> Iterator[Tensor]:
    """All parameters after each step, as one vector in float64."""
    training = Training(TASK, TASK.build(seed, side), side, replace(TASK.recipe, dtype=dtype, accumulate=1))
    for step in range(steps):
        training.step(TASK.batch(seed, step))
        yield torch.cat([p.detach().double().flatten() for p in training.module.parameters()])


def _distance(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    found = drift(options.seeds, options.steps)
    print(f"uol {found.ours:.3g}, PyTorch {found.theirs:.3g}: ratio {found.ratio:.2f}, limit {LIMIT:g}")
    sys.exit(not found.ok)


if __name__ == "__main__":
    main()
