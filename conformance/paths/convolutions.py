"""Are the convolutions of a path right at the sizes that they have there? Every distinct one of a training step, forward and
both gradients, as the path's tensors lie, by the kernels that are chosen for the sizes, whole, in the checked twins.

    python -m uol.conformance.paths.convolutions [--path resnet50] [--batch 1] [--dtype f16] [--target cuda,hip] [--at 3,7]
                                                 [--inputs random] [--most-seconds 360] [--shard I/N] [--resume FILE]

A line for each result of each convolution on each target: its sizes, which of the results it is, whether the products are on
matrix units or by threads, how many products (one for each residue of a stride) and how many kernels it takes with copies and
sums of parts; the worst error against PyTorch's convolution in float64, or its autograd, as a share of what the contract admits
there (1 is the bound: often two numbers of the type admit one each beside the value); the RMS of the errors as a share of what
sums have as a rule, on random and wide inputs; the number of findings; and the seconds of the twin's process, which both
gradients of a convolution share. Every element of every result is judged. A convolution of which the path wants no gradient by
its pictures (the first) has it here.

Exit status 1 where an error is beyond its contract, a twin has a finding, a target refuses, or all of it took more than
`--most-seconds`; 2 for bad input. *emulated*: nothing runs on a card.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.backends.twin import Job, TwinRun, ensure_room, execute_many
from uol.codegen.backend import HasBlocks, Kernel, Module
from uol.codegen.specs.nodes import Contract, Read, Store
from uol.codegen.specs.traverse import accesses
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.conformance.accuracy.comparison import Comparison, compare, held_to_typical
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.memory_order import all_laid_out
from uol.conformance.cases.truth import DRAWN
from uol.conformance.cases.twin_check import Prepared
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.paths.convolution_bounds import Sums, admitted, sums_of
from uol.conformance.paths.full_size import calls_of, full_size_of
from uol.conformance.paths.kernels import attributes_given, distinct_calls
from uol.conformance.paths.recorded import Call
from uol.conformance.runs.keys import content_of, content_of_refusal
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import RefusalError, UolError
from uol.ir.library import GRADIENT
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Program
from uol.ops.inputs import Kind, make_inputs
from uol.ops.workloads import Workload

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
KINDS: tuple[Kind, ...] = ("exact", "random", "wide")
TARGETS = tuple(name for name in registry.names() if isinstance(registry.get(name), HasBlocks))
NOTHING = {"stride": "1", "dilation": "1", "pad": "0", "groups": "1"}
"""Options as they are where none is given."""
PASSES = {"y": "forward"}
"""What a result of an operator is of a convolution, where that is not its name."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A call of a convolution, or of its gradient, on a target, and the kind of its inputs. `number`: that of the distinct
    convolution, from 1."""

    number: int
    call: Call
    target: str
    inputs: Kind

    def __str__(self) -> str:
        return f"{self.call.op} {sizes_of(self.call)} {self.call.inputs[0].dtype} {self.inputs} on {self.target}"


@dataclass(frozen=True, slots=True)
class Judged:
    """One result of a convolution on a target.

    form      "matrix units" or "threads"; of several products (residues of a stride) both, where they differ
    products, kernels   how many kernels have products of it, and how many it takes
    share     its worst error as a share of what the contract admits around PyTorch's value, rounded outward to the type
    rms       of all its errors, as a share of what is typical; 0 of inputs that are not drawn
    reason    what is wrong with it; empty where nothing is
    seconds   of the twin's process, which the results of one operator share
    """

    number: int
    sizes: str
    result: str
    target: str
    form: str
    products: int
    kernels: int
    share: float
    rms: float
    findings: tuple[str, ...]
    reason: str
    seconds: float

    @property
    def is_good(self) -> bool:
        return not self.reason and not self.findings

    def __str__(self) -> str:
        products = f"{self.form}, {_counted(self.products, 'product')}, {_counted(self.kernels, 'kernel')}"
        error = f"{self.share:.3f} of the bound, RMS {self.rms:.2f} of typical"
        named = f"{self.number:2} {self.sizes:50} {PASSES.get(self.result, self.result):7} {self.target:11}"
        wrong = "".join(f"\n   {each}" for each in (*self.findings, self.reason) if each)
        return f"{named} {products:37} {error}, {len(self.findings)} findings, {self.seconds:5.1f} s{wrong}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Results:
    """All of a subject's, in the order of its operator."""

    of: tuple[Judged, ...]


def convolutions_of(path: str, batch: int, dtype: str) -> tuple[tuple[Call, Call], ...]:
    """The distinct convolutions of a path's training step, each with its gradient by all its inputs: calls on tensors without
    values that lie as the path's do, of `batch` pictures of a larger batch. Raises UolError for a path without any."""
    calls = calls_of(path, next(iter(full_size_of(path).cases)), dtype)
    own = [_of_batch(call, batch) for call in calls if call.op.partition("_")[0] in CONVOLUTIONS]
    distinct = [case.call for case in distinct_calls(own)]
    forwards = [call for call in distinct if call.op in CONVOLUTIONS]
    gradients = [replace(call, op=_whole_gradient(call.op)) for call in distinct if call.op not in CONVOLUTIONS]
    if not forwards:
        raise UolError(f"the path {path} has no convolution", hint="resnet50 and cmap have")
    return tuple((each, next(g for g in gradients if _belongs(g, each))) for each in forwards)


def _of_batch(call: Call, batch: int) -> Call:
    """The call on the first pictures alone; a filter, which has no batch, stays as it is."""
    op = call.operator.op
    pictures = next(p.dims[0] for p in op.params if p.name == "x")
    fewer = (x[:batch] if p.dims[0] == pictures else x for p, x in zip(op.params, call.inputs, strict=True))
    return replace(call, inputs=tuple(fewer), results=())


def _whole_gradient(op: str) -> str:
    """The gradient by all inputs, of which `op` gives some."""
    return op.partition(GRADIENT)[0] + GRADIENT


def _belongs(gradient: Call, forward: Call) -> bool:
    """Is a call the gradient of another? By the sizes of what both read, and their options."""
    same = all(a.shape == b.shape for a, b in zip(gradient.inputs, forward.inputs, strict=False))
    return same and gradient.op == forward.op + GRADIENT and _given(gradient) == _given(forward)


def _given(call: Call) -> Mapping[str, object]:
    return {name: value for name, value in call.options.items() if value is not None}


def sizes_of(call: Call) -> str:
    """`1x64x56x56 * 64x64x3x3, stride 2, pad 1`, of a convolution or its gradient; strides by dims where they differ."""
    x, w = ("x".join(map(str, tensor.shape)) for tensor in call.inputs[:2])
    given: dict[str, list[str]] = {}
    for name, value in _given(call).items():
        given.setdefault(name.partition("_")[0], []).append(str(value))
    said = {name: values[0] if len(set(values)) == 1 else "x".join(values) for name, values in given.items()}
    return f"{x} * {w}" + "".join(f", {name} {value}" for name, value in said.items() if NOTHING.get(name) != value)


def prepare(subject: Subject) -> Prepared:
    """Kernels, and inputs drawn from a seed, as the call's tensors lie. Raises what the compiler raises."""
    target = resolve_target(subject.target)
    request = subject.call.operator.request(subject.call.inputs, subject.call.options, target)
    instance = request.instance
    program = program_of(Request(instance, target))
    compiled = Compiled(request, module_of(request))
    scalars = {s.name: instance.attrs[s.name] for s in program.scalars}
    ensure_room(compiled.module, scalars)
    values = _values(program, subject.inputs)
    encoded = {t.name: encode(values[t.name], t.dtype) for t in program.by_role("in")}
    types = ",".join(f"{name}={dtype}" for name, dtype in instance.types.items())
    workload = Workload(subject.call.op, dict(instance.flat_dims), attributes_given(subject.call))
    case = Case(subject.call.op, subject.target, types, workload, subject.inputs)
    return Prepared(case, compiled, program, values, all_laid_out(encoded, request.layouts), scalars)


def _values(program: Program, kind: Kind) -> dict[str, Array]:
    """Inputs of a kind. Wide cotangents are multiplied with signs, so that their sums are exact."""
    drawn = make_inputs(program, kind)
    if kind != "wide" or not program.name.endswith(GRADIENT):
        return drawn
    signs = make_inputs(program, "signs", seed=1)
    return {name: value if name == "dy" else signs[name] for name, value in drawn.items()}


def judged(subjects: Sequence[Subject]) -> list[Results]:
    """The results of some calls, whose kernels are compiled and run together. What is true of a call is computed once for all
    targets."""
    attempts = [_attempt(each) for each in subjects]
    ready = [each for each in attempts if isinstance(each, Prepared)]
    runs = iter(execute_many([Job(p.compiled.module, p.buffers, p.scalars) for p in ready]))
    known: dict[str, Sums] = {}
    found = []
    for subject, attempt in zip(subjects, attempts, strict=True):
        if isinstance(attempt, RefusalError):
            found.append(Results((_refused(subject, attempt),)))
            continue
        name = f"{subject.call.op} {subject.number}"
        known[name] = known.get(name) or sums_of(attempt.case, attempt.program, attempt.values)
        found.append(Results(tuple(_results(subject, attempt, next(runs), known[name]))))
    return found


def _attempt(subject: Subject) -> Prepared | RefusalError:
    try:
        return prepare(subject)
    except RefusalError as error:
        return error


def _refused(subject: Subject, error: RefusalError) -> Judged:
    sizes, op = sizes_of(subject.call), subject.call.op
    return Judged(subject.number, sizes, op, subject.target, "none", 0, 0, 0.0, 0.0, (), error.message, 0.0)


def _results(subject: Subject, prepared: Prepared, run: TwinRun, sums: Sums) -> Iterator[Judged]:
    """Each result of a run. The findings of a run are of all its results."""
    module, findings = prepared.compiled.module, tuple(map(str, run.findings))
    compared = compared_of(prepared, run.outputs, sums)
    for name, each in compared.items():
        own = kernels_for(module, name)
        products = [kernel for kernel in own if isinstance(kernel.spec, Contract)]
        forms = sorted({"matrix units" if on_matrix_units(module, kernel) else "threads" for kernel in products})
        form, sizes, count = " and ".join(forms), sizes_of(subject.call), len(products)
        made = (form, count, len(own), each.share, each.rms, findings, each.reason, run.seconds)
        yield Judged(subject.number, sizes, name, subject.target, *made)


def compared_of(prepared: Prepared, outputs: Mapping[str, Array], sums: Sums) -> dict[str, Comparison]:
    """Each result against PyTorch's value, within what the contract admits there; and against what errors of sums are as a
    rule, where inputs are drawn."""
    of = (prepared.case, prepared.program, prepared.values, sums)
    owed = contract(prepared.case.target.partition(":")[0], prepared.case.op)
    own, typical = admitted(*of, owed), admitted(*of, owed.as_a_rule())
    found = {}
    for tensor in prepared.program.by_role("out"):
        actual, dtype = outputs[tensor.name], tensor.dtype
        compared = compare(actual, own[tensor.name], dtype, "reference")
        is_drawn = compared.ok and prepared.case.inputs in DRAWN
        found[tensor.name] = held_to_typical(compared, actual, typical[tensor.name], dtype) if is_drawn else compared
    return found


def kernels_for(module: Module, result: str) -> list[Kernel]:
    """The kernels that a result takes: those that write it, and those that write what they read."""
    wanted, found = {result}, []
    for kernel in reversed(module.kernels):
        met = list(accesses(kernel.spec))
        if any(isinstance(each, Store) and each.tensor in wanted for each in met):
            wanted |= {each.tensor for each in met if isinstance(each, Read)}
            found.append(kernel)
    return found[::-1]


def on_matrix_units(module: Module, kernel: Kernel) -> bool:
    """Does a kernel multiply there, by what its backend says that it issues?"""
    backend = registry.get(module.backend)
    issued = backend.issued(kernel.spec, kernel.schedule, backend.devices[module.device_name])
    return any(unit.endswith("-matrix") and count.high != 0 for unit, count in issued.operations.items())


def _content(subject: Subject) -> str:
    attempt = _attempt(subject)
    return content_of(attempt) if isinstance(attempt, Prepared) else content_of_refusal(attempt.message)


JUDGE = (
    *("uol/conformance/paths/convolutions.py", "uol/conformance/paths/convolution_bounds.py", "uol/conformance/cases/"),
    *("uol/conformance/accuracy/", "uol/conformance/contracts.toml", "uol/ops/"),
)
STEPS: Steps[Subject, Results] = Steps("paths.convolutions", Records(Results), str, judged, _content, JUDGE, together=8)


def subjects_of(options: argparse.Namespace) -> list[Subject]:
    """What is asked for: forward and gradient of each convolution on each target."""
    pairs = list(enumerate(convolutions_of(options.path, options.batch, options.dtype), 1))
    chosen = [int(each) for each in options.at.split(",") if each.isdigit()] if options.at else [n for n, _ in pairs]
    subject = partial(Subject, inputs=options.inputs)
    found = [subject(n, c, t) for n, pair in pairs if n in chosen for c in pair for t in options.target.split(",")]
    if not found or not set(chosen) <= {number for number, _ in pairs}:
        raise UolError(f"there is no convolution {options.at}", hint=f"{options.path} has 1 to {len(pairs)}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.paths.convolutions", description=__doc__)
    parser.add_argument("--path", default="resnet50", help="a model path that has convolutions")
    parser.add_argument("--batch", type=int, default=1, help="how many pictures, or clips")
    parser.add_argument("--dtype", default="f16", help="type of activations")
    parser.add_argument("--target", default=",".join(TARGETS), help="targets, by commas")
    parser.add_argument("--at", default="", help="numbers of convolutions, by commas; all else")
    parser.add_argument("--inputs", default="random", choices=KINDS, help="kind of inputs")
    parser.add_argument("--most-seconds", type=float, help="of all of it, at the most")
    add_run_options(parser)
    options, started = parser.parse_args(arguments), time.perf_counter()
    if strangers := [t for t in options.target.split(",") if t.partition(":")[0] not in TARGETS]:
        raise UolError(f"no twin has threads of {', '.join(strangers)}", hint=f"the targets are {', '.join(TARGETS)}")
    torch.set_num_threads(1)  # of references: the twins have the other processors
    good, judgements, twin_s = True, 0, 0.0
    for results in results_of(STEPS, subjects_of(options), options):
        for each in results.of:
            print(each if each.is_good else f"{each}\n   WRONG", flush=True)
            good, judgements = good and each.is_good, judgements + 1
        twin_s += results.of[0].seconds
    took = time.perf_counter() - started
    print(f"{judgements} results, {twin_s:.0f} s of twins' processes; {took:.0f} s in all")
    return 0 if good and (options.most_seconds is None or took <= options.most_seconds) else 1


if __name__ == "__main__":
    run_command(main)
