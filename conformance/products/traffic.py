"""What products move, and whether lanes meet in the banks of shared memory: by the twin's counts.

    python -m uol.conformance.products.traffic [--target cuda,hip] [--form "tails,rows in segments"]

For every form of product in f16 (operands that lie either way, batched, with tails, in segments, of few rows, in parts of the
terms) the schedules that its kernels have at a size of models compute a few tiles in the twin:

    sectors     bytes of global memory that the kernels load and store, by sectors of 32 bytes that a warp touches in a
                statement, beside what their tiles must move (`tiling.py`)
    conflicts   transactions of shared memory that lanes which are served at once take beyond one, in loops over tiles of k:
                what as many tiles again add

Exit status 1 where more than 1.1 times as much is moved, a loop has a conflict, or the twin finds a fault; 2 for bad input.
*emulated*: nothing runs on a card.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uol.backends import registry
from uol.backends.twin import Job, TwinRun, execute_many
from uol.codegen.backend import HasBlocks, Module
from uol.codegen.specs.nodes import Contract
from uol.conformance.command import run_command
from uol.conformance.products.forms import FORMS, Form, Sizes, inputs_of, keys_for, modules_of
from uol.conformance.products.tiling import must_move, runs_of
from uol.ir.errors import UolError

TARGETS = tuple(name for name in registry.names() if isinstance(registry.get(name), HasBlocks))
MOST = 1.1
SECTOR_BYTES = 32
KEYS = "expert"
"""The tensor that says of which segment rows are."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Of a form on a target: bytes that its tiles must move, and that its kernels do; conflicts of its loops; what is wrong."""

    form: str
    target: str
    schedules: tuple[str, ...]
    must: int
    moved: int
    conflicts: int
    findings: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        return self.moved / self.must

    @property
    def is_good(self) -> bool:
        return self.ratio <= MOST and not self.conflicts and not self.findings

    def __str__(self) -> str:
        counts = f"{self.ratio:.3f} of what tiles must move, {self.conflicts} bank conflicts in loops"
        wrong = "".join(f"\n  {finding}" for finding in self.findings)
        return f"{self.target:5} {self.form:29} {counts}; {'; '.join(self.schedules)}{wrong}"


def moved(form: Form, target: str) -> Moved:
    """A form, computed at both of its sizes."""
    few, more = modules_of(form, target)
    first, second = execute_many([_job(few, form.few), _job(more, form.more)])
    keys = {KEYS: keys_for(form.more)}
    must = sum(must_move(kernel, runs_of(kernel.spec, keys)) for kernel in more.kernels)
    products = (kernel.schedule for kernel in more.kernels if isinstance(kernel.spec, Contract))
    schedules = tuple(dict.fromkeys(schedule.describe() for schedule in products))
    found = tuple(str(finding) for run in (first, second) for finding in run.findings)
    in_loops = _conflicts(second) - _conflicts(first)
    return Moved(form.name, target, schedules, must, _sectors(second) * SECTOR_BYTES, in_loops, found)


def _job(module: Module, sizes: Sizes) -> Job:
    return Job(module, inputs_of(module, keys_for(sizes)), counted=True)


def _sectors(run: TwinRun) -> int:
    return run.counts["global_load_sectors"] + run.counts["global_store_sectors"]


def _conflicts(run: TwinRun) -> int:
    return run.counts["shared_load_conflicts"] + run.counts["shared_store_conflicts"]


def all_moved(targets: Sequence[str], forms: Sequence[Form]) -> Iterator[Moved]:
    """Every form on every target."""
    for target in targets:
        yield from (moved(form, target) for form in forms)


def forms_named(names: str) -> list[Form]:
    """Those that are named, by commas; all where none is."""
    known = {form.name: form for form in FORMS}
    wanted = [each.strip() for each in names.split(",")] if names else list(known)
    if strangers := [each for each in wanted if each not in known]:
        raise UolError(f"no form of product is called {', '.join(strangers)}", hint=f"the forms are {', '.join(known)}")
    return [known[each] for each in wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.products.traffic", description=__doc__)
    parser.add_argument("--target", default=",".join(TARGETS), help="targets, by commas")
    parser.add_argument("--form", default="", help="forms of products, by commas; all else")
    options = parser.parse_args(arguments)
    targets = options.target.split(",")
    if strangers := [t for t in targets if t.partition(":")[0] not in TARGETS]:
        raise UolError(f"no sectors are counted on {', '.join(strangers)}", hint=f"the targets are {', '.join(TARGETS)}")
    good = True
    for each in all_moved(targets, forms_named(options.form)):
        print(each if each.is_good else f"{each}  MISSED", flush=True)
        good &= each.is_good
    return 0 if good else 1


if __name__ == "__main__":
    run_command(main)
