"""How long is one compilation for a device with a compiler of its own? Of a product, a softmax, a convolution, in f16.

    python -m uol.conformance.latency [--target cuda,hip] [--turns 5]

Medians of a few turns, in a process that has compiled before: from the request to the text, from the text to the binary, and
from the requests of an attention and of its gradient to both texts. Then the CPU seconds of a new process from its start to the
text, with an empty cache and with one that has it; and the CPU seconds, those of compilers that are run among them, in which
the kernels are built that the first call of an operator of any size takes. Beside each stands what it may take
(`conformance/latency.toml`). Exit status 1 where one takes more; on a busy machine it does.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from uol.backends import registry
from uol.codegen.backend import Kernel, Module
from uol.codegen.extensions import OnDemandBackend
from uol.compilation.pipeline import generate
from uol.compilation.request import Request
from uol.compiler import Compiled, compile
from uol.conformance.build_check import has_compiler
from uol.conformance.command import run_command

BOUNDS = tomllib.loads(Path(__file__).with_name("latency.toml").read_text(encoding="utf-8"))
CASES: dict[str, tuple[str, dict[str, int], dict[str, int]]] = {
    "product": ("linear", {"S": 4096, "N": 4096, "K": 4096}, {}),
    "softmax": ("softmax", {"S": 4096, "C": 1024}, {}),
    "convolution": ("conv2d", {"N": 32, "C": 64, "H": 56, "W": 56, "O": 64, "D": 64, "R": 3, "S": 3}, {"pad": 1}),
}
"""Operators with their sizes and attributes."""
WITH_GRADIENT = {"attention": ("causal_attention", {"B": 4, "H": 16, "G": 16, "L": 2048, "M": 2048, "D": 64, "E": 64})}
"""Operators of which the gradient's text is made beside their own."""
PROGRAM = "import uol; uol.compile({op!r}, {target!r}, 'f16', {dims!r}, {attrs!r}).source"


@dataclass(frozen=True, slots=True)
class Latency:
    """What was measured, its median in seconds, and what it may be; 0 where nothing is said of it."""

    what: str
    seconds: float
    bound: float

    @property
    def holds(self) -> bool:
        """Is it within what it may be?"""
        return not self.bound or self.seconds <= self.bound

    def __str__(self) -> str:
        may = f"  at most {self.bound:g}" if self.bound else ""
        return f"{self.what:60} {self.seconds:8.3f} s{may}{'' if self.holds else ': EXCEEDED'}"


def in_process(target: str, turns: int) -> Iterator[Latency]:
    """From request to text, and to the binary. The first turn, which loads what compiles, does not count."""
    for name, (op, dims, attrs) in CASES.items():
        compiled = compile(op, target, "f16", dims, attrs)
        request, module, backend = compiled.request, compiled.module, compiled.request.target.backend
        yield Latency(f"{target} {name}, to the text", _seconds(partial(generate, request), turns), BOUNDS["source"])
        bound = BOUNDS["binary"].get(target, 0.0)
        yield Latency(f"{target} {name}, to the binary", _seconds(partial(backend.build, module), turns), bound)


def with_gradients(target: str, turns: int) -> Iterator[Latency]:
    """From the requests of an operator and its gradient to their texts."""
    for name, (op, dims) in WITH_GRADIENT.items():
        requests = [compile(each, target, "f16", dims).request for each in (op, f"{op}_grad")]
        seconds = _seconds(partial(_texts, requests), turns)
        yield Latency(f"{target} {name} and its gradient, to the texts", seconds, BOUNDS["with_gradient"])


def _texts(requests: Sequence[Request]) -> None:
    for each in requests:
        generate(each)


def new_processes(target: str, turns: int) -> Iterator[Latency]:
    """CPU seconds of processes that compile one operator to its text."""
    for name, (op, dims, attrs) in CASES.items():
        program = PROGRAM.format(op=op, target=target, dims=dims, attrs=attrs)
        found: dict[str, list[float]] = {"cold": [], "cached": []}
        for _ in range(turns):
            with tempfile.TemporaryDirectory() as folder:
                for times in found.values():
                    times.append(_cpu_seconds(program, folder))
        for state, times in found.items():
            yield Latency(f"{target} {name}, a new process, {state}", median(times), BOUNDS[state])


def first_calls(target: str, turns: int) -> Iterator[Latency]:
    """CPU seconds in which the kernels are built that a call takes of operators of any size."""
    backend = registry.get(target)
    if not isinstance(backend, OnDemandBackend):
        return
    for name, (op, dims, attrs) in CASES.items():
        compiled = compile(op, target, "f16", dict.fromkeys(dims), attrs)
        taken = kernels_taken(compiled, dims)
        what = f"{target} {name} of any size, a first call: {len(taken)} of {len(compiled.module.kernels)} kernels"
        build = partial(_build_one_by_one, backend, compiled.module, taken)
        yield Latency(what, _seconds(build, turns, _own_cpu_seconds), BOUNDS["first_call"].get(target, 0.0))


def kernels_taken(compiled: Compiled, dims: Mapping[str, int]) -> tuple[Kernel, ...]:
    """The kernels that a call with these sizes of open dims launches; a pack has as many dims as are open, all of this size."""
    module = compiled.module
    sizes = {name: dims[name.partition("_")[0]] for name in module.graph.dims}
    return tuple(kernel for kernel in module.kernels if 0 not in kernel.launch.blocks(sizes))


def _build_one_by_one(backend: OnDemandBackend, module: Module, kernels: Sequence[Kernel]) -> None:
    for kernel in kernels:
        backend.build(backend.module_of_kernel(module, kernel))


def _own_cpu_seconds() -> float:
    """Of this process and of those that it has run."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _seconds(call: Callable[[], object], turns: int, clock: Callable[[], float] = time.perf_counter) -> float:
    times = []
    for _ in range(turns + 1):
        start = clock()
        call()
        times.append(clock() - start)
    return median(times[1:])


def _cpu_seconds(program: str, cache: str) -> float:
    environment = {**os.environ, "UOL_CACHE_DIR": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-P", "-c", program], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.latency", description=__doc__)
    parser.add_argument("--target", default=",".join(filter(has_compiler, registry.names())), help="targets, by commas")
    parser.add_argument("--turns", type=int, default=5, help="how often each is done")
    options = parser.parse_args(arguments)
    is_fine = True
    for target in options.target.split(","):
        for measure in (in_process, with_gradients, new_processes, first_calls):
            for each in measure(target, options.turns):
                is_fine &= each.holds
                print(each, flush=True)
    return 0 if is_fine else 1


if __name__ == "__main__":
    run_command(main)
