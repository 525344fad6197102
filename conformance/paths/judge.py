"""How near a path's results and gradients are to float64 on the CPU, beside PyTorch's in the same type.

    python -m uol.conformance.paths.judge cmap [--size check] [--dtype f32,f16,bf16] [--draws 5]

The dual benchmark of every value, at the path's level: the typical one of several draws. It is what `uol conform --path` asks
first, value by value. The geometric mean over all values, which chance in one of them does not rule, says whether either side
is nearer as a whole. Exit status 1 where a value is beyond its limits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import get_args

import numpy as np

from uol.conformance.accuracy.dual import Dual
from uol.conformance.command import run_command
from uol.conformance.paths import drawn
from uol.conformance.paths.draw import Size, typical_errors

DTYPES = ("f32", "f16", "bf16")


def shown(dtype: str, name: str, dual: Dual) -> str:
    """A value's line."""
    return f"{dtype:5}{'ok' if dual.ok else 'FAILED':7}{name:34}{dual.detail}"


def summary(dtype: str, duals: Sequence[Dual]) -> str:
    """How many values are within their limits, and the geometric means of the ratios of all of them."""
    every = np.array([(d.max_ratio, d.mean_ratio, d.rms_ratio) for d in duals])
    largest, mean, rms = np.exp(np.log(np.maximum(every, np.finfo(float).tiny)).mean(axis=0))
    within = f"{sum(d.ok for d in duals)} of {len(duals)} values within their limits"
    return f"{dtype:5}{within}; geometric means of the ratios: max {largest:.2f}, mean {mean:.2f}, rms {rms:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.paths.judge", description=__doc__)
    parser.add_argument("path", help="moe, cmap or resnet50")
    parser.add_argument("--size", choices=get_args(Size), default="check")
    parser.add_argument("--dtype", default=",".join(DTYPES), help="types, by commas")
    parser.add_argument("--draws", type=int, help="how many; the path's own number else")
    chosen = parser.parse_args(arguments)
    path = drawn(chosen.path)
    is_fine = True
    for dtype in chosen.dtype.split(","):
        draws = (path.draw(chosen.size, dtype, seed) for seed in range(chosen.draws or path.DRAWS[dtype]))  # they are large
        duals = typical_errors(draws, dtype, path.LEVEL, path.alike)
        is_fine &= all(dual.ok for dual in duals.values())
        for name, dual in duals.items():
            print(shown(dtype, name, dual))
        print(summary(dtype, list(duals.values())), flush=True)
    return 0 if is_fine else 1


if __name__ == "__main__":
    run_command(main)
