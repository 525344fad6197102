"""A path on every device: recorded at its full size, each distinct call counted once, added up by row."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from multiprocessing import get_context

from uol.codegen.backend import Device
from uol.codegen.cost import Time, middle
from uol.compilation.request import resolve_target
from uol.conformance.gap.assignment import assigned
from uol.conformance.gap.attained import attained_of
from uol.conformance.gap.calls import entries_of
from uol.conformance.gap.control import best_known, vendors_gap
from uol.conformance.gap.lists import Form, count_on, counts_known, listed, on_target
from uol.conformance.gap.model import CountedCall, CountedKernel, Known, form_of, routed
from uol.conformance.gap.record import CaseGap, Cell, Kernel, RowOnTarget, RowReference
from uol.conformance.gap.reference.graph import Phase
from uol.conformance.gap.reference.timed import TimedGroup, reference_of
from uol.conformance.gap.routing import SAYS, Routing
from uol.conformance.gap.rows import Row, rows_of
from uol.conformance.paths.full_size import calls_of, full_size_of
from uol.ir.errors import UolError
from uol.ir.syntax.surface import Op
from uol.pytorch.bridge import defined, generated

FEW = 20
"""Calls that are counted sooner than a process has started."""
Progress = Callable[[int, int], None]
Missing = Mapping[Form, tuple[str, ...]]
"""Calls that are alike and not known yet, each with its targets."""
Counts = Mapping[tuple[Form, str], CountedCall]


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
    """A path's step at one size and type: its rows, and how often each distinct call comes in each. `size` is the case's name
    in the path's module, `case` that with the routing where data routes. A step over lists is one call."""

    path: str
    case: str
    size: str
    dtype: str
    says: str
    rows: tuple[Row, ...]
    forms: Mapping[str, Mapping[Form, int]]

    def on(self, row: str, target: str) -> Mapping[Form, int]:
        """How often each distinct call of a row comes on a target."""
        return on_target(self.forms[row], resolve_target(target))


def devices() -> Devices:
    """Those that devices.toml names."""
    table = tomllib.loads(files("uol.conformance.gap").joinpath("devices.toml").read_text(encoding="utf-8"))
    return Devices(tuple(table["compared"]), tuple(table["beside"]))


def recorded_cases(path: str, dtypes: Sequence[str]) -> list[RecordedCase]:
    """Every size of a path in every type and, where data routes, for every kind of routing."""
    return [
        case
        for size in full_size_of(path).cases
        for by_type in zip(*(recorded_sizes(path, size, dtype) for dtype in dtypes), strict=True)
        for case in by_type
    ]


def recorded_sizes(path: str, size: str, dtype: str) -> list[RecordedCase]:
    """The calls of a step by row: one case, or one for each kind of routing, of which the first is even. Raises UolError where
    calls, calls.toml and the reference do not agree (see `assigned` and `rows_of`)."""
    full = full_size_of(path)
    entries = entries_of(path, full.cases[size])
    by_row = rows_of(reference_rows(path, size), entries)
    row_of = {id(entry): row.name for row, found in by_row.items() for entry in found}
    calls = calls_of(path, size, dtype)
    places = [(entry, form_of(call)) for call, entry in zip(calls, assigned(calls, entries), strict=True)]
    lists = {id(each): listed(form for entry, form in places if entry is each) for each in entries if each.together}

    def case(name: str, says: str, routing: Routing) -> RecordedCase:
        forms: dict[str, Counter[Form]] = {row.name: Counter() for row in by_row}
        for entry, form in places:
            if not entry.together:
                forms[row_of[id(entry)]][routed(form, routing)] += 1
        for number, own in lists.items():
            forms[row_of[number]].update(own)
        return RecordedCase(path, name, size, dtype, says, tuple(by_row), forms)

    if not full.is_routed:
        return [case(size, full.says, "balanced")]
    return [
        case(size if routing == "balanced" else f"{size}, {routing}", f"{full.says}: {says}", routing)
        for routing, says in SAYS.items()
    ]


def reference_rows(path: str, size: str) -> dict[str, Phase]:
    """The rows of a path's reference, each with its phase. They are the same on every device and in every type, of those too
    whose products nobody has timed."""
    attained = attained_of(resolve_target(devices().compared[0]).device, "f16")
    return {group.row: group.phase for group in reference_of(path, size, "f16", attained)}


def count_all(cases: Sequence[RecordedCase], targets: Sequence[str], jobs: int, progress: Progress) -> Counts:
    """Every distinct call on every target, in up to `jobs` processes, this one among them, where many are not known yet."""
    pairs = dict.fromkeys((form, t) for case in cases for row in case.forms for t in targets for form in case.on(row, t))
    missing = _missing(pairs)
    ops = tuple(defined()[name].op for name in {form.op: None for form, _ in pairs})
    for number, _ in enumerate(_counted_by(jobs if len(missing) > FEW else 1, ops, missing), 1):
        progress(number, len(missing))
    return {(form, target): count_on(form, [resolve_target(target)])[0] for form, target in pairs}


def _counted_by(jobs: int, ops: Sequence[Op], missing: Sequence[Missing]) -> Iterator[None]:
    """Counts calls that are alike, once after another. Other processes begin with the first, this one with the last."""
    if jobs == 1:
        for forms in missing:
            _count(forms)
            yield
        return
    with ProcessPoolExecutor(jobs - 1, get_context("spawn"), _define, (ops,)) as pool:
        futures = [pool.submit(_count, forms) for forms in missing]
        for forms, future in zip(reversed(missing), reversed(futures), strict=True):
            if future.cancel():
                _count(forms)
            else:
                future.result()
            yield


def _define(ops: Sequence[Op]) -> None:
    """A gradient for some of its operator's inputs is an operator once autograd has asked for it: where a step was recorded."""
    for op in ops:
        generated(op)


def _missing(pairs: Iterable[tuple[Form, str]]) -> list[Missing]:
    """The calls that are not known yet on all of their targets, those that are alike together."""
    targets: dict[Form, list[str]] = {}
    for form, target in pairs:
        targets.setdefault(form, []).append(target)
    alike: dict[Form, dict[Form, tuple[str, ...]]] = {}
    for form, names in targets.items():
        if not all(counts_known(form, resolve_target(name)) for name in names):
            alike.setdefault(form.alike, {})[form] = tuple(names)
    return list(alike.values())


def _count(forms: Missing) -> None:
    """Of calls that are alike."""
    known: Known = {}
    for form, targets in forms.items():
        count_on(form, [resolve_target(target) for target in targets], known)


def gap_of_case(case: RecordedCase, counts: Counts, chosen: Devices) -> CaseGap:
    """The figures of a case."""
    targets = {name: resolve_target(name) for name in chosen.all}
    attained = {name: attained_of(target.device, case.dtype) for name, target in targets.items()}
    groups = {name: reference_of(case.path, case.size, case.dtype, attained[name]) for name in targets}
    counted_rows = {part for row in case.rows for part in row.parts}
    if lost := {group.row for each in groups.values() for group in each} - counted_rows:
        said = f"no row has {', '.join(sorted(lost))} of the reference"
        raise UolError(said, hint="groups may differ by device, their rows may not")
    cells = {
        row.name: {name: Cell(_reference(row, groups[name]), row_on_target(case, row, counts, name)) for name in targets}
        for row in case.rows
    }
    known = best_known(case.path)
    vendors = vendors_gap(known, chosen.compared)
    says = case.case, case.dtype, case.says
    ceilings = {name: ceiling_of(groups[name], case.dtype, target.device) for name, target in targets.items()}
    return CaseGap(case.path, *says, case.rows, attained, chosen.compared, cells, known, vendors, ceilings)


def ceiling_of(groups: Sequence[TimedGroup], dtype: str, device: Device) -> float:
    """The eff, over forward and backward, that kernels would have by the model if they moved the bytes of the reference once
    and did its products at their peak, and nothing else: what the model's rates alone leave of it."""
    rates = device.rates
    streamed, peak = rates["bandwidth-streamed"].si, (rates.get(f"{dtype}-matrix") or rates["f16-matrix"]).si
    own = [group for group in groups if group.phase != "optimiser"]
    taken = sum(max(group.bytes / streamed, group.operations / peak) + rates["launch"].si for group in own)
    return sum(group.seconds for group in own) / taken


def _reference(row: Row, groups: Sequence[TimedGroup]) -> RowReference:
    """The sums over the groups of a row."""
    own = [group for group in groups if group.row in row.parts]
    by: dict[str, float] = {}
    for group in own:
        by[group.bound] = by.get(group.bound, 0.0) + group.seconds
    return RowReference(
        sum(group.seconds for group in own),
        sum(group.launch for group in own),
        sum(group.bytes for group in own),
        sum(group.operations for group in own),
        max(by, key=lambda name: by[name], default=""),
    )


def row_on_target(case: RecordedCase, row: Row, counts: Counts, target: str) -> RowOnTarget:
    """The kernels of a row's calls."""
    kernels: list[Kernel] = []
    refused: dict[str, str] = {}
    launch = 0.0
    for form, calls in case.on(row.name, target).items():
        found = counts[form, target]
        if found.refused:
            refused[form.op] = found.refused
        for kernel, time in zip(found.kernels, found.times(resolve_target(target)), strict=True):
            kernels.append(_kernel(form.op, calls, kernel, time))
            launch += calls * time.parts.get("launch", 0.0)
    return RowOnTarget(tuple(kernels), launch, refused)


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
