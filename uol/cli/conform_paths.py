"""`uol conform --path`: whole models, printed as a row a layer and written as report.json and report.html."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.cli.conform_operators import print_compared, print_measured
from uol.cli.output import print_json, print_table, print_text, staged
from uol.conformance.packs.record import CardRecord
from uol.conformance.paths import conform, require_path
from uol.conformance.paths.record import LayerResult, PathOptions, PathReport, together
from uol.conformance.report.files import require_writable, write_report
from uol.conformance.runs.baseline import Baseline
from uol.conformance.runs.keys import hash_of_bytes, machine_of, sources_of_commands
from uol.conformance.runs.provenance import provenance
from uol.conformance.runs.resume import Resumed, journal_of

REPORTS = Records(PathReport)


def conform_paths(
    names: Sequence[str],
    options: PathOptions,
    folder: Path,
    as_json: bool,
    measured: tuple[CardRecord, ...] = (),
    baseline: Baseline | None = None,
    resume: Path | None = None,
) -> bool:
    """Runs each path, prints its report and writes the one of all into `folder`, `measured` with the first; a path that the
    journal `resume` has is taken over where no source has changed. Did all pass, or is nothing worse than in the baseline?"""
    started = time.perf_counter()
    for name in names:
        require_path(name)
    require_writable(folder)
    reports: list[PathReport] = []
    origin = provenance()
    resumed = _resumed(resume)
    for report in _resumed_reports(names, options, resumed):
        reports.append(replace(report, provenance=origin, measured=() if reports else measured))
        whole = together(reports, time.perf_counter() - started)
        if baseline is not None and len(reports) == len(names):
            whole = replace(whole, compared=baseline.compared(whole.record()))
        written = write_report(whole, folder)  # after each path: what ends the next one takes nothing away
        if not as_json:
            _print(reports[-1])
            print_text(f"report: {written.page}")
    if as_json:
        print_json([r.record() for r in reports])
    elif resumed.said:
        print_text(resumed.said.replace("cases", "paths", 1))
    if not as_json and whole.compared is not None:
        print_compared(whole.compared)
    return whole.ok


def _resumed(path: Path | None) -> Resumed[PathReport]:
    journal = journal_of(path)
    if journal is None:
        return Resumed("conform --path", REPORTS)
    return Resumed("conform --path", REPORTS, journal, sources_of_commands())


def _resumed_reports(names: Sequence[str], options: PathOptions, resumed: Resumed[PathReport]) -> Iterator[PathReport]:
    """The reports in the order of the names: of the journal, or fresh ones, which go into it."""
    machine = machine_of(tuple(registry.names())) if resumed.journal is not None else ""
    known = {n: report for n in names if (report := resumed.known(_asked(n, options), machine)) is not None}
    resumed.taken = len(known)
    fresh = _reports([name for name in names if name not in known], options)
    try:
        for name in names:
            if name not in known:
                report = next(fresh)
                resumed.ran += 1
                resumed.put(_asked(name, options), machine, "", report, failed=not report.ok)
                known[name] = report
            yield known[name]
    finally:
        resumed.close()


def _asked(name: str, options: PathOptions) -> str:
    """A path and what is asked of it; weights and picture by what their files hold."""
    files = [hash_of_bytes(p.read_bytes()) if p is not None and p.is_file() else "" for p in (options.weights, options.image)]
    return f"{name} {replace(options, weights=None, image=None, jobs=0)} {files}"


def _reports(names: Sequence[str], options: PathOptions) -> Iterator[PathReport]:
    """One after the other; at narrow sizes, where most of the time is one process that compiles, side by side: one more than
    `jobs`, for each waits for its twins' compilers."""
    if len(names) == 1 or options.jobs == 1 or not options.quick:
        for name in names:
            with staged() as progress:
                report = conform(name, options, progress)
            yield report
        return
    with staged() as progress, ProcessPoolExecutor(min(options.jobs + 1, len(names)), get_context("spawn")) as pool:
        what = f"paths {', '.join(names)}"
        progress(what, 0, len(names))
        for done, report in enumerate(pool.map(partial(_alone, options=options), names), 1):
            progress(what, done, len(names))
            yield report


def _alone(name: str, options: PathOptions) -> PathReport:
    return conform(name, options, lambda what, done, of: None)


def _print(report: PathReport) -> None:
    for place in report.places:
        print_text(str(place))
    print_text("\nFor each target: kernels, and the worst error as a share of what the contract admits.\n")
    columns = ("operator", "shape", "layers", *report.targets, "ms", "PyTorch's ms")
    rows = [_row(layer, report) for layer in _distinct(report)]
    print_table(columns, [*rows, _total(report)] if report.total_us else rows)
    print_text("")
    for result in report.layers:
        if not result.ok:
            print_text(f"{result.target} {result.op} {result.shape}\n  {result.status}: {result.reason}")
    for pair in report.pairs:
        print_text(str(pair))
    for name, value in report.facts.items():
        print_text(f"{name}: {value}")
    for check in report.checks:
        print_text(f"{'passed' if check.ok else 'FAILED'}: {check.name}: {check.detail}")
    print_measured(report.measured)
    print_text(f"{report.path}: {'passed' if report.ok else 'FAILED'} in {report.seconds:.0f} s")


def _distinct(report: PathReport) -> list[LayerResult]:
    """One result for each distinct layer, in the order of the network."""
    return list({result.layers: result for result in reversed(report.layers)}.values())[::-1]


def _total(report: PathReport) -> tuple[str, ...]:
    layers = {layer.layers for layer in report.layers}
    times = (f"{us / 1e3:.2f}" for us in (report.total_us, report.pytorch_total_us))
    return ("all", "", str(sum(map(len, layers))), *("" for _ in report.targets), *times)


def _row(layer: LayerResult, report: PathReport) -> tuple[str, ...]:
    found = {r.target: r for r in report.layers if r.layers == layer.layers}
    timed = next((r for r in found.values() if r.time_us), None)
    times = (f"{timed.time_us / 1e3:.2f}", f"{timed.pytorch_us / 1e3:.2f}") if timed is not None else ("", "")
    return (layer.op, layer.shape, str(len(layer.layers)), *(_cell(found.get(t)) for t in report.targets), *times)


def _cell(result: LayerResult | None) -> str:
    """`"1: 2.3%"`, or why not."""
    if result is None:
        return ""
    if not result.ok:
        return result.status.upper()
    compared = [c for c in (result.golden, result.pytorch) if c is not None]
    worst = max(compared, key=lambda c: (c.share, c.max_ulp), default=None)
    return f"{result.kernels}: {worst.nearness if worst is not None else ''}"
