"""What the benchmarks of single kernels take on their command line."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """`filters` name the cases that are wanted, all where there are none; `clock` gives seconds."""

    filters: tuple[str, ...]
    clock: Callable[[], float]


def bench_options(description: str, filters: str) -> BenchOptions:
    """The options, with threads set as they say: for kernels and for PyTorch, before either has started any."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*", help=filters)
    parser.add_argument("--one-core", action="store_true", help="CPU time of one thread")
    options = parser.parse_args()
    if options.one_core:
        os.environ["UOL_NUM_THREADS"] = "1"
        import torch

        torch.set_num_threads(1)
    return BenchOptions(tuple(options.filters), time.process_time if options.one_core else time.perf_counter)
