"""A path on every device: recorded at its full size, each distinct call counted once, added up by group."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from multiprocessing import get_context

from uol.codegen.cost import Time, middle
from uol.compilation.request import resolve_target
from uol.conformance.gap.assignment import assigned
from uol.conformance.gap.attained import attained_of, reference_of
from uol.conformance.gap.groups import Group, groups_of
from uol.conformance.gap.model import CallForm, CountedCall, CountedKernel, Known, counted, counted_together, form_of, is_known
from uol.conformance.gap.record import CaseGap, Cell, GroupOnTarget, Kernel
from uol.conformance.paths.full_size import calls_of, full_size_of
from uol.ir.syntax.surface import Op
from uol.pytorch.bridge import defined, generated

FEW = 20
"""Calls that are counted sooner than a process has started."""
Progress = Callable[[int, int], None]
Counts = Mapping[tuple[CallForm, str], CountedCall]


@dataclass(frozen=True, slots=True)
class Devices:
    """Targets that a gap is taken over, and those beside them."""

    compared: tuple[str, ...]
    beside: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.compared, *self.beside)


@dataclass(frozen=True, slots=True)
class RecordedCase:
    """A path's step at one size and type: its groups, and how often each distinct call comes in each."""

    path: str
    case: str
    dtype: str
    groups: tuple[Group, ...]
    forms: Mapping[str, Mapping[CallForm, int]]


def devices() -> Devices:
    """Those that devices.toml names."""
    table = tomllib.loads(files("uol.conformance.gap").joinpath("devices.toml").read_text(encoding="utf-8"))
    return Devices(tuple(table["compared"]), tuple(table["beside"]))


def recorded_cases(path: str, dtypes: Sequence[str]) -> list[RecordedCase]:
    """Every size of a path in every type."""
    cases = full_size_of(path).cases
    return [recorded_case(path, case, dims, dtype) for case, dims in cases.items() for dtype in dtypes]


def recorded_case(path: str, case: str, dims: Mapping[str, int], dtype: str) -> RecordedCase:
    """The calls of a step by group. Raises UolError where they are not the groups' (see `assigned`)."""
    groups = groups_of(path, dims, dtype)
    calls = calls_of(path, case, dtype)
    forms: dict[str, Counter[CallForm]] = {group.name: Counter() for group in groups}
    for call, name in zip(calls, assigned(calls, groups), strict=True):
        forms[name][form_of(call)] += 1
    return RecordedCase(path, case, dtype, groups, forms)


def count_all(cases: Sequence[RecordedCase], targets: Sequence[str], jobs: int, progress: Progress) -> Counts:
    """Every distinct call on every target, in up to `jobs` processes, this one among them, where many are not known yet."""
    forms = list(dict.fromkeys(form for case in cases for of_group in case.forms.values() for form in of_group))
    missing = _missing(forms, targets)
    ops = tuple(defined()[name].op for name in {form.op: None for form in forms})
    for number, _ in enumerate(_counted_by(jobs if len(missing) > FEW else 1, ops, missing, targets), 1):
        progress(number, len(missing))
    return {(form, target): counted(form, resolve_target(target)) for form in forms for target in targets}


def _counted_by(
    jobs: int, ops: Sequence[Op], missing: Sequence[tuple[CallForm, ...]], targets: Sequence[str]
) -> Iterator[None]:
    """Counts calls that are alike, once after another. Other processes begin with the first, this one with the last."""
    if jobs == 1:
        for forms in missing:
            _count(forms, targets)
            yield
        return
    with ProcessPoolExecutor(jobs - 1, get_context("spawn"), _define, (ops,)) as pool:
        futures = [pool.submit(_count, forms, targets) for forms in missing]
        for forms, future in zip(reversed(missing), reversed(futures), strict=True):
            if future.cancel():
                _count(forms, targets)
            else:
                future.result()
            yield


def _define(ops: Sequence[Op]) -> None:
    """A gradient for some of its operator's inputs is an operator once autograd has asked for it: where a step was recorded."""
    for op in ops:
        generated(op)


def _missing(forms: Sequence[CallForm], targets: Sequence[str]) -> list[tuple[CallForm, ...]]:
    """The calls that are not known yet, those that are alike together."""
    alike: dict[CallForm, list[CallForm]] = {}
    for form in forms:
        if not all(is_known(form, resolve_target(name)) for name in targets):
            alike.setdefault(form.alike, []).append(form)
    return [tuple(group) for group in alike.values()]


def _count(forms: Sequence[CallForm], targets: Sequence[str]) -> None:
    """Of calls that are alike."""
    known: Known = {}
    for form in forms:
        counted_together(form, [resolve_target(target) for target in targets], known)


def gap_of_case(case: RecordedCase, counts: Counts, chosen: Devices) -> CaseGap:
    """The figures of a case."""
    targets = {name: resolve_target(name) for name in chosen.all}
    attained = {name: attained_of(target.device, case.dtype) for name, target in targets.items()}
    cells = {
        group.name: {
            name: Cell(reference_of(group, attained[name]), group_on_target(case, group, counts, name)) for name in targets
        }
        for group in case.groups
    }
    says = full_size_of(case.path).says
    return CaseGap(case.path, case.case, case.dtype, says, case.groups, attained, chosen.compared, cells)


def group_on_target(case: RecordedCase, group: Group, counts: Counts, target: str) -> GroupOnTarget:
    """The kernels of a group's calls."""
    kernels: list[Kernel] = []
    refused: dict[str, str] = {}
    launch = 0.0
    for form, calls in case.forms[group.name].items():
        found = counts[form, target]
        if found.refused:
            refused[form.op] = found.refused
        for kernel, time in zip(found.kernels, found.times(resolve_target(target)), strict=True):
            kernels.append(_kernel(form.op, calls, kernel, time))
            launch += calls * time.parts.get("launch", 0.0)
    return GroupOnTarget(tuple(kernels), launch, refused)


def _kernel(op: str, calls: int, kernel: CountedKernel, time: Time) -> Kernel:
    issued = kernel.issued
    operations = {kind: middle(count) for kind, count in issued.operations.items()}
    return Kernel(
        op,
        kernel.name,
        kernel.kind,
        kernel.schedule,
        calls,
        issued.launches,
        issued.memory_bytes,
        operations,
        time.seconds,
        time.bound,
    )
