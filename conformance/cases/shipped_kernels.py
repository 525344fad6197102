"""The kernels that a bundle ships, against the operator's meaning: those that were edited, or that another version wrote.

The emitted text runs in its twin, on every kind of inputs that the operator is checked on. On a target that runs here the
shipped text is built and runs in a process of its own, which it may take down:

    python -m uol.conformance.cases.shipped_kernels build/softmax-cpu-host [--device]
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from uol.backends.twin import Job, execute_many
from uol.binding.instance import Instance
from uol.binding.sample_sizes import samples_for_every_kernel
from uol.bundle.held import any_failed
from uol.bundle.hold import Bundle, hold
from uol.codegen.backend import Module
from uol.compilation.pipeline import program_of
from uol.compiler import Compiled
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.guard_pages import run_fenced
from uol.conformance.cases.twin_check import compare_result, has_twin
from uol.ir.errors import MissingToolError, ToolchainError, UolError
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Program
from uol.ops.inputs import kinds, make_inputs

SAMPLES = 3
"""Choices of sizes on which a kernel with open dims is run, beside those for kernels that are launched at none of them."""
TIMEOUT_S = 600


class Shipped(Compiled):
    """A request with the module of a bundle in the place of its own."""

    @cached_property
    def loaded(self) -> Any:
        backend = self.request.target.backend
        return backend.load(backend.build(self.module))


class Trial:
    """The inputs of one run and what is admitted of its results."""

    def __init__(self, shipped: Shipped, instance: Instance, kind: Any) -> None:
        request = replace(shipped.request, instance=instance)
        self.program: Program = program_of(request)
        self.values = make_inputs(self.program, kind)
        self.buffers = {t.name: encode(self.values[t.name], t.dtype) for t in self.program.by_role("in")}
        self.scalars = dict(zip((s.name for s in shipped.module.graph.scalars), shipped.scalars({}), strict=True))
        seen = shipped.request.instance.seen_by_kernels(instance).flat_dims
        self.sizes = {name: seen[name] for name in shipped.module.graph.dims}
        sizes = ", ".join(f"{name} = {size}" for name, size in instance.flat_dims.items())
        is_open = bool(shipped.request.instance.open_dims)
        self.where = f"on {kind} inputs" + (f", at {sizes}" if is_open else "")

    def admitted(self, backend: str) -> Enclosed:
        return enclose(self.program, self.values, self.scalars, contract(backend))

    def failures(self, outputs: Mapping[str, Array], findings: Sequence[str], backend: str) -> Iterator[str]:
        if findings:
            yield from (f"{finding}, {self.where}" for finding in findings)
            return
        admitted = self.admitted(backend)
        for tensor in self.program.by_role("out"):
            comparison = compare_result(tensor, outputs.get(tensor.name), admitted)
            if not comparison.ok:
                yield f"{tensor.name}: {comparison.reason}, {self.where}"


def shipped_failures(bundle: Bundle, *, on_device: bool = False) -> tuple[str, ...]:
    """What is wrong with the kernels of a bundle whose hashes hold; nothing where they compute what the operator means.

    Raises ToolchainError where a tool that the run needs is missing.
    """
    assert bundle.anew is not None and bundle.shipped is not None
    if has_twin(bundle.anew.compiled.request.target.name) and not on_device:
        return tuple(_in_twin(_shipped(bundle.anew.compiled, bundle.shipped)))
    return _in_a_process(bundle.found.folder, on_device)


def kinds_of(bundle: Bundle) -> tuple[str, ...]:
    """The kinds of inputs that shipped kernels are run on."""
    assert bundle.anew is not None
    return kinds(bundle.anew.compiled.request.instance.op.name)


def _shipped(compiled: Compiled, module: Module) -> Shipped:
    return Shipped(compiled.request, module)


def _trials(shipped: Shipped) -> list[Trial]:
    sizes = list(samples_for_every_kernel(shipped, SAMPLES))
    return [Trial(shipped, at, kind) for kind in kinds(shipped.request.instance.op.name) for at in sizes]


def _in_twin(shipped: Shipped) -> Iterator[str]:
    trials = _trials(shipped)
    runs = execute_many([Job(shipped.module, trial.buffers, {**trial.scalars, **trial.sizes}) for trial in trials])
    for trial, run in zip(trials, runs, strict=True):
        yield from trial.failures(run.outputs, tuple(map(str, run.findings)), shipped.module.backend)


def _here(shipped: Shipped) -> Iterator[str]:
    for trial in _trials(shipped):
        outputs, findings = run_fenced(shipped, trial.buffers)
        yield from trial.failures(outputs, findings, shipped.module.backend)


def _in_a_process(folder: Path, on_device: bool) -> tuple[str, ...]:
    command = [sys.executable, "-P", "-m", __name__, str(folder.resolve()), *(["--device"] if on_device else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return (f"the process that ran them did not end in {TIMEOUT_S} s",)
    if done.returncode < 0:
        return (f"the process that ran them died ({signal.Signals(-done.returncode).name})",)
    if done.returncode:
        last = done.stderr.strip().splitlines()
        raise ToolchainError(last[-1] if last else f"exit status {done.returncode}")
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the kernels of a bundle whose hashes hold, here or on the device, and prints what is wrong as a JSON list."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.cases.shipped_kernels", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--device", action="store_true")
    options = parser.parse_args(arguments)
    with hold(options.bundle, edited=True) as bundle:
        if any_failed(bundle.held) or bundle.anew is None or bundle.shipped is None:
            print("its files do not hold", file=sys.stderr)
            return 1
        try:
            wrong = list(_here(_shipped(bundle.anew.compiled, bundle.shipped)))
        except MissingToolError as error:
            print(error.message, file=sys.stderr)
            return 1
        except UolError as error:
            wrong = [error.message]
    print(json.dumps(wrong))
    return 0


if __name__ == "__main__":
    sys.exit(main())
