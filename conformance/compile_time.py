"""How long does the library take to compile? Every operator for the CPU, in f32, forward and gradient, at its representative
workload, cold.

    python -m uol.conformance.compile_time [--op ...] [--processes 2]

Prints the slowest, and the time of all. The cache is an empty folder of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from uol.compilation.pipeline import artifact_of, module_of
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.ir.errors import UolError
from uol.ops.texts import names
from uol.ops.workloads import workloads_of

SLOWEST = 8
"""How many operators are named."""


@dataclass(frozen=True, slots=True)
class Timed:
    """An operator and the seconds that its text, and its machine code, took; what was said where there is none."""

    op: str
    seconds: float
    error: str = ""


def compile_one(name: str) -> Timed:
    """From the operator's text to a shared library, for this machine's CPU."""
    start = time.perf_counter()
    try:
        request = request_of(Case(name, "cpu", types_of(name, ("f32",))[0], workloads_of(name)[0]))
        artifact_of(request, module_of(request))
    except UolError as error:
        return Timed(name, time.perf_counter() - start, error.message)
    return Timed(name, time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit status 1 where an operator does not compile."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.compile_time", description=__doc__)
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    forward = options.op.split(",")
    chosen = [*forward, *differentiable(forward)]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UOL_CACHE_DIR"] = folder
        with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
            timed = list(pool.map(compile_one, chosen, chunksize=4))
    whole = time.perf_counter() - start
    for each in sorted(timed, key=lambda t: -t.seconds)[:SLOWEST]:
        print(f"{each.op:32} {each.seconds:6.2f} s")
    failed = [t for t in timed if t.error]
    for each in failed:
        print(f"{each.op}: {each.error}")
    load = os.getloadavg()[0]
    print(f"{len(timed)} operators on {options.processes} processes: {whole:.0f} s (load of the machine {load:.1f})")
    return 1 if failed else 0


if __name__ == "__main__":
    run_command(main)
