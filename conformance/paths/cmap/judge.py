"""The path beside its twin, from the same parameters on the same inputs: the errors of both against float64, and their times.

    python -m uol.conformance.paths.cmap.judge --size check
    python -m uol.conformance.paths.cmap.judge --size check --times

Exit status 1 where an error is beyond the dual benchmark's limits of level L1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import torch
from torch import nn

from uol.conformance.accuracy.dual import Dual
from uol.conformance.bench.measurement import Timing
from uol.conformance.bench.turns import Turns, alternate
from uol.conformance.paths.cmap.draw import LEVEL, SIZES, Inputs, draw
from uol.conformance.paths.draw import Size, typical_errors


def errors(size: Size, dtype: str, seeds: Sequence[int]) -> dict[str, Dual]:
    """The dual benchmark of the result and of each parameter's gradient: the typical one of draws from these seeds."""
    return typical_errors([draw(size, dtype, seed) for seed in seeds], dtype, LEVEL)


def forward(network: nn.Module, inputs: Inputs) -> Callable[[], object]:
    """A forward pass without a gradient."""

    def run() -> object:
        with torch.inference_mode():
            return network(*inputs)

    return run


def times(size: Size, dtype: str, turns: Turns) -> dict[str, Timing]:
    """Ours beside the twin's by PyTorch eager, in turns: of a forward pass and of one with all gradients."""
    drawn = draw(size, dtype, 0)
    passes: dict[str, dict[str, Callable[[], object]]] = {
        "forward": {"uol": forward(drawn.module, drawn.inputs), "PyTorch": forward(drawn.twin, drawn.inputs)},
        "step": {"uol": drawn.ours, "PyTorch": drawn.theirs},
    }
    measured = {name: alternate(runs, turns) for name, runs in passes.items()}
    return {name: Timing.of(each["uol"], each["PyTorch"]) for name, each in measured.items()}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="check")
    parser.add_argument("--dtype", default="f32,f16,bf16", help="types, by commas")
    parser.add_argument("--seeds", type=int, default=5, help="how many draws there are")
    parser.add_argument("--times", action="store_true", help="times in place of errors")
    options = parser.parse_args()
    dtypes = options.dtype.split(",")
    if options.times:
        for dtype in dtypes:
            for name, timing in times(options.size, dtype, Turns()).items():
                print(f"{dtype:5}{name:9}{timing}")
        return
    failed = False
    for dtype in dtypes:
        for name, dual in errors(options.size, dtype, range(options.seeds)).items():
            failed |= not dual.ok
            print(f"{dtype:5}{'ok' if dual.ok else 'FAILED':7}{name:20}{dual.detail}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
