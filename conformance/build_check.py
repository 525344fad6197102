"""Do the vendors' compilers take what is emitted? Every operator and its gradient, at its representative workload; or every
distinct kernel of the training steps of model paths, with the path's channels.

    python -m uol.conformance.build_check [--target cuda,hip] [--op ...] [--dtype f32]
    python -m uol.conformance.build_check --path moe,cmap,resnet50 --dtype f16,bf16
    python -m uol.conformance.build_check --launchers [--target cpu,cuda,hip] [--op ...]
    python -m uol.conformance.build_check --resources [--target cuda:a100,cuda:h100,hip:mi250x] [--op ...]
    python -m uol.conformance.build_check --accesses [--target hip] [--dtype f16] [--op ...]
    python -m uol.conformance.build_check --any-size [--resources] [--target cuda:a100,hip:mi250x] [--op ...]

With --any-size operators have the kernels that take their dims as arguments. With --launchers the launcher of each goes to the
system's C++ compiler, too, whose warnings count as errors. With --resources the binaries are asked what their kernels take of a
thread: none may need memory for what registers do not hold, and none more than 256 registers. With --accesses their machine
code is asked how it reads and writes memory: no access of 16 bytes may be made in pieces of other widths. Prints what is
refused by the pre-flight, what a compiler rejects, and such kernels; exit status 1 for the latter two, 2 where a compiler is
missing.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.backends.toolchain.running import folder_of, run_tool
from uol.codegen.backend import Artifact, Backend, Module
from uol.codegen.extensions import Accesses, DisassembledBackend, HostBackend, MeteredBackend
from uol.compilation.pipeline import generate
from uol.compilation.request import Request, resolve_target
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.contents import content_of_request
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.runs.keys import content_of_refusal, together
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import MissingToolError, ResourceError, ToolchainError, UolError
from uol.ops.texts import names
from uol.ops.workloads import workloads_of

STRICT = ("-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror")
Outcome = Literal["built", "refused", "rejected", "spills", "splits", "no compiler"]
WHOLE_BYTES = 16
"""The most that an instruction moves for a lane."""
MOST_REGISTERS = 256
"""Of a thread: with more, a core of any machine has at most one warp for each of its schedulers."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A text that is to be built: its name, and what asks for it."""

    name: str
    request: Callable[[], Request]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a text beside its build: of its launcher, of what its kernels take, and of how they access memory."""

    launchers: bool = False
    resources: bool = False
    accesses: bool = False


BUILD_ALONE = Asked()


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a text, how many kernels it has, and how many of these move 16 bytes with an instruction."""

    name: str
    outcome: Outcome
    reason: str = ""
    kernels: int = 0
    whole: int = 0


def of_library(target: str, dtypes: Sequence[str], ops: Sequence[str], sizes: Sizes = "fixed") -> Iterator[Subject]:
    """The operators and their gradients, each in the types that it admits, by kernels for their sizes or for any."""
    for name in (*ops, *differentiable(ops)):
        for types in types_of(name, dtypes):
            case = Case(name, target, types, workloads_of(name)[0], sizes=sizes)
            yield Subject(f"{name} {types}", partial(request_of, case))


def of_paths(target: str, dtypes: Sequence[str], paths: Sequence[str]) -> Iterator[Subject]:
    """The distinct calls of a training step of each path, with its update."""
    from uol.conformance.paths import drawn
    from uol.conformance.paths.step_checks import kernels_of

    for name in paths:
        for dtype in dtypes:
            for case in kernels_of(drawn(name), dtype):
                place = f"{name} {dtype} {case.places[0]}, {case.call.op}"
                yield Subject(place, partial(case.request, resolve_target(target)))


def _content(asked: Asked, subject: Subject) -> str:
    """Hash of the emitted text, of the compiler that reads it, and of what is asked."""
    try:
        request = subject.request()
    except UolError as error:
        return content_of_refusal(error.message)
    return together([content_of_request(request), repr((asked, sorted(request.target.backend.build_tools().items())))])


def _built(asked: Asked, subjects: Sequence[Subject]) -> list[Built]:
    return [build_one(subject, asked) for subject in subjects]


def steps(asked: Asked, target: str, sizes: Sizes) -> Steps[Subject, Built]:
    """The texts of a target. One whose compiler is missing is tried again."""
    backend = target.partition(":")[0]
    return Steps(
        f"build_check {target} {sizes} {asked}",
        Records(Built),
        lambda subject: subject.name,
        partial(_built, asked),
        partial(_content, asked),
        ("uol/conformance/build_check.py", *(f"uol/backends/{part}/" for part in ("abi", "toolchain", "simt", backend))),
        lambda found: found.outcome == "no compiler",
    )


def build_one(subject: Subject, asked: Asked = BUILD_ALONE) -> Built:
    """The text, and what its vendor's compiler says of it; of its launcher, what the system's says; what its kernels take, and
    how they access memory."""
    try:
        request = subject.request()
        module = generate(request)
        backend = request.target.backend
        artifact = backend.build(module)
        if asked.launchers:
            build_launcher(module, artifact)
        if asked.resources and (too_much := beyond_registers(backend, artifact)):
            return Built(subject.name, "spills", too_much, len(module.kernels))
        found = accesses_of(backend, artifact) if asked.accesses else {}
        whole = sum(any(size == WHOLE_BYTES for _, size in each.widths) for each in found.values())
        if split := "; ".join(f"{name}: {what}" for name, each in found.items() for what in each.split):
            return Built(subject.name, "splits", split, len(module.kernels), whole)
    except ResourceError as error:
        return Built(subject.name, "refused", error.message)
    except MissingToolError as error:
        return Built(subject.name, "no compiler", error.message)
    except UolError as error:
        return Built(subject.name, "rejected", str(error))
    return Built(subject.name, "built", kernels=len(module.kernels), whole=whole)


def accesses_of(backend: Backend, artifact: Artifact) -> Mapping[str, Accesses]:
    """The accesses of a binary's kernels, by name. Raises UolError for a target whose machine code nobody reads here."""
    if not isinstance(backend, DisassembledBackend):
        raise UolError(f"nobody reads the machine code of {backend.name} here", hint="without --accesses it is built")
    return backend.accesses(artifact)


def beyond_registers(backend: Backend, artifact: Artifact) -> str:
    """The kernels of a binary that take too much of a thread; empty where none does. Raises ResourceError for a target whose
    binaries do not say."""
    if not isinstance(backend, MeteredBackend):
        raise ResourceError(f"the binaries of {backend.name} do not say what their kernels take")
    found = backend.resources(artifact).items()
    wrong = [(name, r) for name, r in found if r.local_bytes or r.registers > MOST_REGISTERS]
    return "; ".join(f"{name}: {r.registers} registers, {r.local_bytes} bytes of memory" for name, r in wrong)


def build_launcher(module: Module, artifact: Artifact) -> None:
    """Raises ToolchainError for the first thing that a strict C++ compiler says of a module's launcher."""
    launcher = next(file.name for file in module.host if file.name.endswith("_host.cpp"))
    with folder_of(module) as folder:
        for name in module.products:
            (folder / name).write_bytes(artifact.files[name])
        done = run_tool("c++", ["c++", *STRICT, "-c", "-o", "launcher.o", launcher], folder)
    said = (done.stdout + done.stderr).strip()
    if done.returncode or said:
        raise ToolchainError(f"{launcher}: {said.splitlines()[0] if said else 'refused'}")


def has_compiler(target: str) -> bool:
    """Does a target's text go to a vendor's compiler, and is something of that vendor's installed here?"""
    backend = registry.get(target)
    return not isinstance(backend, HostBackend) and any(state.found for state in backend.doctor())


def default_targets(asked: Asked) -> list[str]:
    """The targets that have a compiler here, and say what is asked of their binaries."""
    there = filter(has_compiler, registry.names())
    return [name for name in there if not asked.accesses or isinstance(registry.get(name), DisassembledBackend)]


def _said(target: str, asked: Asked, found: Sequence[Built]) -> Counter[Outcome]:
    """How many texts came to what; those that were not built are printed."""
    for each in found:
        if each.outcome != "built":
            print(f"{target:8} {each.name:32} {each.outcome}: {each.reason[:300]}")
    counted = Counter(b.outcome for b in found)
    outcomes, kernels = ", ".join(f"{n} {what}" for what, n in counted.items()), sum(b.kernels for b in found)
    said = f", {sum(b.whole for b in found)} of which move {WHOLE_BYTES} bytes at once" if asked.accesses else ""
    print(f"{target:8} {len(found)} texts: {outcomes}; {kernels} kernels built{said}", flush=True)
    return counted


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.build_check", description=__doc__)
    parser.add_argument("--target", default="", help="targets, by commas; those whose compiler is here where none is given")
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--path", default="", help="model paths in place of operators: moe,cmap,resnet50")
    parser.add_argument("--dtype", default="f32", help="types, by commas")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="compilers that run at once")
    parser.add_argument("--launchers", action="store_true", help="the launchers of bundles, too")
    parser.add_argument("--resources", action="store_true", help="what kernels take of a thread, too")
    parser.add_argument("--accesses", action="store_true", help="how kernels access memory, too")
    parser.add_argument("--any-size", action="store_true", help="operators by kernels that take dims as arguments")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    if options.path and options.any_size:
        parser.error("--any-size: the kernels of a path are made for its sizes")
    by_operator = partial(of_library, sizes="open" if options.any_size else "fixed")
    subjects, chosen = (of_paths, options.path) if options.path else (by_operator, options.op)
    further = Asked(options.launchers, options.resources, options.accesses)
    outcomes: Counter[Outcome] = Counter()
    with ThreadPoolExecutor(options.processes) as pool:
        for target in options.target.split(",") if options.target else default_targets(further):
            texts = subjects(target, options.dtype.split(","), chosen.split(","))
            each = steps(further, target, "open" if options.any_size else "fixed")
            outcomes += _said(target, further, [*results_of(each, texts, options, pool)])
    is_wrong = any(outcomes[what] for what in ("rejected", "spills", "splits"))
    return 1 if is_wrong else 2 if outcomes["no compiler"] else 0


if __name__ == "__main__":
    run_command(main)
