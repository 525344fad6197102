"""`uol conform --op`: operators, printed as a row each and written as a report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from uol.cli.arguments import file_of, listed, read_operators
from uol.cli.output import counted, print_json, print_table, print_text
from uol.conformance.cases.machine import machine_facts
from uol.conformance.cases.merged import merged
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.selection import QUICK, Plan, Selection, plan
from uol.conformance.cases.verdict import Verdict
from uol.conformance.cases.workers import Evidence, gather
from uol.conformance.packs.record import CardRecord
from uol.conformance.report.again import Repeat
from uol.conformance.report.files import require_writable, write_report
from uol.conformance.report.operators import OperatorReport
from uol.conformance.runs.baseline import Baseline, Compared
from uol.conformance.runs.provenance import provenance
from uol.conformance.runs.resume import journal_of
from uol.conformance.runs.shards import WHOLE, Shard
from uol.ir.errors import UolError
from uol.operators.sources import OperatorSources, operators_of_file, registered_names
from uol.ops.texts import names as library_names

SHOWN = 20
"""Failures that are printed whole; a report has all."""


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """Which kernels are checked: of what sizes, whether they add in one order, whether they may shorten factors to TF32."""

    sizes: Sizes
    deterministic: bool
    tf32: bool


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """What `uol conform` was asked for operators; `imported` are those that the modules register.

    case     the setting of the one case that is wanted; empty for all
    resume   the journal that is gone on with
    merge    journals of which the cases are taken, where none is run
    """

    op: str
    targets: tuple[str, ...]
    dtypes: tuple[str, ...]
    first: bool
    quick: bool
    gradients: bool
    kernels: KernelOptions
    seed: int
    jobs: int
    modules: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()
    case: str = ""
    shard: Shard = WHOLE
    resume: Path | None = None
    merge: tuple[Path, ...] = ()


def sizes_of(any_size: bool) -> Sizes:
    """What kernels are made for."""
    return "open" if any_size else "fixed"


def conform_operators(
    options: OperatorOptions,
    folder: Path | None,
    as_json: bool,
    measured: tuple[CardRecord, ...] = (),
    baseline: Baseline | None = None,
) -> bool:
    """Checks, prints, and writes a report where there is a folder for one, `measured` in it. Was nothing wrong, or, beside a
    baseline, worse than there?"""
    started = time.perf_counter()
    if folder is not None:
        require_writable(folder)
    ops, files = _chosen(options)
    first = options.first or options.quick
    kernels = options.kernels
    how = (first, options.gradients, options.seed, kernels.sizes, kernels.deterministic, kernels.tf32)
    planned = plan(Selection(ops, options.targets, options.dtypes, *how))
    planned = (planned.only(options.case) if options.case else planned).of(options.shard)
    facts = {"selection": _selection(options, planned), **machine_facts()}
    evidence = _evidence(options, planned, OperatorSources(options.modules, files))
    if evidence.said:
        facts = {"selection": facts["selection"], "cases": evidence.said, **facts}
    seconds = time.perf_counter() - started
    found = OperatorReport(
        options.targets,
        evidence.verdicts,
        evidence.agreements,
        planned.left_out,
        facts,
        seconds,
        measured,
        provenance(),
        repeat=_repeat(options, files),
    )
    if baseline is not None:
        found = replace(found, compared=baseline.compared(found.record(), options.shard))
    written = None if folder is None else write_report(found, folder)
    if as_json:
        print_json(found.record())
    else:
        _print(found, evidence.said)
        if written is not None:
            print_text(f"report: {written.page}")
    return found.ok


def _evidence(options: OperatorOptions, planned: Plan, sources: OperatorSources) -> Evidence:
    """The verdicts of the cases: run, or taken over."""
    if options.merge:
        return merged(planned.groups, options.merge, sources)
    journal = journal_of(options.resume)
    with counted("checking", len(planned.cases)) as progress:
        state = {"failed": 0, "refused": 0, "done": 0}

        def report(verdicts: Sequence[Verdict]) -> None:
            state["done"] += len(verdicts)
            for name in ("failed", "refused"):
                state[name] += sum(v.state == name for v in verdicts)
            progress(state["done"], len(planned.cases), f"{state['failed']} failed, {state['refused']} refused")

        try:
            return gather(planned.groups, sources, options.jobs, report, journal)
        finally:
            if journal is not None:
                journal.close()


def _chosen(options: OperatorOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The operators by name, and the files that they are read from. Without --op those of the modules are taken."""
    text = options.op.strip()
    if not text and options.modules and not options.imported:
        raise UolError(f"{', '.join(options.modules)}: no operator is registered there", hint="name operators with --op, too")
    if not text:
        return options.imported or QUICK, ()
    if text == "all":
        return tuple(dict.fromkeys((*(QUICK if options.quick else library_names()), *registered_names()))), ()
    return named_operators(text)


def named_operators(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The operators of `"softmax,own.uol:relu"` by name, and the files that they are read from."""
    parts = listed(text, "operator", "softmax,conv2d")
    ops = tuple(dict.fromkeys(op.name for part in parts for op in read_operators(part)))
    return ops, tuple(dict.fromkeys(file for part in parts if (file := file_of(part)[0]) is not None))


def _repeat(options: OperatorOptions, files: Sequence[str]) -> Repeat:
    """How a case of this run is run again."""
    known = {op.name: file for file in files for op in operators_of_file(file)}
    imports = (word for module in options.modules for word in ("--import", module))
    return Repeat(options.gradients, (*(["--first"] * (options.first or options.quick)), *imports), known)


def _selection(options: OperatorOptions, planned: Plan) -> str:
    ops = len({case.op for case in planned.cases})
    quick = options.first or options.quick
    what = "the first case and the adversarial one of each" if quick else "every workload, kind of inputs and memory order"
    kind = "gradients" if options.gradients else "operators"
    what += ", by kernels of any size" if options.kernels.sizes == "open" else ""
    what += ", in one order from run to run" if options.kernels.deterministic else ""
    what += ", in TF32 where it is had" if options.kernels.tf32 else ""
    what += "" if options.shard.is_whole else f"; shard {options.shard}"
    return f"{ops} {kind} in {', '.join(options.dtypes)}: {what}; seed {options.seed}; {len(planned.cases):,} cases"


def _print(report: OperatorReport, taken_over: str) -> None:
    print_table(("operator", "target", "dtype", "passed", "nearest to its bound", ""), _rows(report))
    print_text("")
    for op in report.without_reference:
        print_text(f"{op}: no reference of its own, so it was compared with the golden interpreter alone")
    for op, bounds in report.own_contracts.items():
        print_text(f"{op}: has a contract of its own: {bounds}")
    for (target, reason), verdicts in report.refusals.items():
        print_text(f"refused on {target}: {', '.join(dict.fromkeys(v.case.subject for v in verdicts))}: {reason}")
    for verdict in report.failures[:SHOWN]:
        print_text(f"\n{verdict.case}\n  {verdict.status}: {verdict.reason}\n  again: {report.command(verdict)}")
    if len(report.failures) > SHOWN:
        print_text(f"\nand {len(report.failures) - SHOWN} more: --report DIR writes all")
    for pair in report.pairs:
        print_text(str(pair))
    for place in report.places:
        print_text(str(place))
    print_measured(report.measured)
    if taken_over:
        print_text(taken_over)
    if report.compared is not None:
        print_compared(report.compared)
    print_text(f"{'passed' if report.ok else 'FAILED'} in {report.seconds:.0f} s: {report.summary}")


def print_measured(records: Sequence[CardRecord]) -> None:
    """What ran on cards, and what failed there."""
    for record in records:
        print_text(f"{record.label}: {record.summary}")
        for case in record.failures[:SHOWN]:
            print_text(f"  {case.name}: {case.reason}")


def print_compared(compared: Compared) -> None:
    """What has changed since a baseline."""
    changes = {"new failure": compared.new, "lost": compared.lost, "withdrawn": compared.withdrawn, "fixed": compared.fixed}
    for what, found in changes.items():
        for change in found[:SHOWN]:
            print_text(f"{what}: {change}")
        if len(found) > SHOWN:
            print_text(f"and {len(found) - SHOWN} more")
    print_text(compared.summary)


def _rows(report: OperatorReport) -> Iterator[tuple[str, ...]]:
    for cell in report.cells:
        state = {"supported": "", "wrong": "FAILED", "partly": "partly refused"}.get(cell.state, cell.state)
        yield cell.op, cell.target, cell.dtype, f"{cell.passed}/{cell.cases}", cell.said, state
