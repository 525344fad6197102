"""`uol bench`: kernels of this machine beside PyTorch eager, and beside an earlier run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from uol.cli.arguments import listed
from uol.cli.output import print_table, print_text, track
from uol.conformance.bench.measurement import FULL, QUICK, Key, Timing, geometric_means, keys, measure, same_threads
from uol.conformance.bench.model_row import ModelRow
from uol.conformance.bench.peak_memory import Memory, peak_memory
from uol.conformance.bench.peaks import measured_peaks
from uol.conformance.bench.processes import middle, outcomes_of_process
from uol.conformance.bench.record import (
    LEAST,
    Record,
    Settings,
    Verdict,
    disturbed,
    of_record,
    read_record,
    record_of,
    require_comparable,
    require_writable,
    slower,
    verdict_of,
    write_record,
)
from uol.conformance.bench.rows import Row
from uol.conformance.bench.suite import Suite, load_suite
from uol.conformance.bench.turns import Turns
from uol.conformance.bench.work import Work
from uol.ir.errors import UolError

SuiteOption = Annotated[str, typer.Option("--suite", help="The fixed workloads: cpu.")]
FamilyOption = Annotated[str, typer.Option("--family", help="Families of the suite: scans,norms; all where nothing is said.")]
RowsOption = Annotated[str, typer.Option("--rows", help="Rows whose names begin so: softmax,matmul M=512.")]
ListOption = Annotated[bool, typer.Option("--list", help="Print the rows, and measure nothing.")]
TurnsOption = Annotated[int, typer.Option("--turns", min=1, help="Turns of each side; more of them on a busy machine.")]
ProcessesOption = Annotated[int, typer.Option("--processes", min=1, help="Processes in turn, of which the median counts.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="Small sizes, few calls: whether the rows run, not how fast.")]
FileOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write a record of the run.")]
CompileOption = Annotated[bool, typer.Option("--compile", help="Beside torch.compile, too: it compiles each row for long.")]
MemoryOption = Annotated[bool, typer.Option("--memory", help="The models' peak resident memory, too.")]
RecordOption = Annotated[Path | None, typer.Option("--against", metavar="RECORD", help="Compare with a record.")]


def bench(
    suite: SuiteOption = "cpu",
    family: FamilyOption = "",
    rows: RowsOption = "",
    list_rows: ListOption = False,
    turns: TurnsOption = FULL.count,
    processes: ProcessesOption = 1,
    quick: QuickOption = False,
    file: FileOption = None,
    against: RecordOption = None,
    compiled: CompileOption = False,
    memory: MemoryOption = False,
) -> None:
    """Measure operators beside PyTorch eager, which take turns in one process: A B A B.

    The ratio is PyTorch's time / uol's, the median over the turns, with its quartiles; above 1 is faster than PyTorch. Both
    run on all cores, or on UOL_NUM_THREADS; of one thread, CPU time is measured.

    --processes 3 measures all rows in three processes, one after another, and gives of each pass the one that has the median
    ratio: memory lies otherwise in each, and the machine may be in another state.

    --compile adds PyTorch by torch.compile in its default mode, and that time / uol's, in turns of their own; what it cannot
    compile says why, and fails nothing. --memory adds the peak of what building a model and calling it twice takes above a
    process that has imported torch and uol, the median of three processes a side; models come in the format that is faster
    for the side.

    What other processes took of the cores while a row was measured, and how far the times of each side spread, tells whether
    the machine was quiet. A row is not judged where it was not, here or in the record; the output names what tells so.

    Exit status: 0 done, 1 a judged row is under 0.95 of its ratio in the record, or one could not be measured, 2 bad input.
    """
    chosen = _chosen(suite, family, rows, quick=quick)
    if list_rows:
        print_table(("family", "row", "pass"), [(key.family, key.row, key.passed) for key, _ in keys(chosen)])
        return
    if memory and not any(isinstance(row, ModelRow) for _, row in keys(chosen)):
        raise UolError("--memory measures models, and none is chosen", hint="`uol bench --family models --memory`")
    settings = Settings.of(suite, quick=quick)
    before = None if against is None else _comparable(against, settings, chosen)
    if file is not None:
        require_writable(file)
    plan = QUICK if quick else replace(FULL, count=turns)
    runs = [_arguments(suite, family, rows, turns, quick=quick)] * processes if processes > 1 else []
    record = _measured(settings, chosen, plan, runs, compiled=compiled, memory=memory)
    verdict = verdict_of(record, before)
    if file is not None:
        write_record(file, record, plan, verdict)
    _print_all(record, before, verdict)
    if record.failed or verdict == "slower" or any(isinstance(found, str) for found in record.memory.values()):
        raise typer.Exit(1)


def _print_all(record: Record, before: Record | None, verdict: Verdict) -> None:
    compared = {} if before is None else of_record(record, before)
    _print(record, compared)
    if before is not None:
        _print_comparison(record, before, compared)
    _print_verdict(record, before, verdict)


def _chosen(suite: str, family: str, rows: str, *, quick: bool) -> Suite:
    """The rows of the command's arguments."""
    texts = tuple(listed(rows, "row", "softmax,matmul M=512")) if rows else ()
    families = tuple(listed(family, "family", "scans,norms")) if family else ()
    return load_suite(suite).select(families, texts, quick=quick)


def _comparable(record: Path, settings: Settings, chosen: Suite) -> Record:
    """What a run of these rows is compared with."""
    before = read_record(record)
    require_comparable(settings, [key for key, _ in keys(chosen)], before)
    return before


def _arguments(suite: str, family: str, rows: str, turns: int, *, quick: bool) -> list[str]:
    """Of a process that measures the same rows."""
    chosen = {"--suite": suite, "--family": family, "--rows": rows, "--turns": str(turns)}
    return [*(part for option, value in chosen.items() if value for part in (option, value)), *["--quick"] * quick]


def _measured(
    settings: Settings, chosen: Suite, turns: Turns, runs: Sequence[Sequence[str]], *, compiled: bool, memory: bool
) -> Record:
    """`runs`: the arguments of each process, where this one is not to measure the rows itself."""
    with same_threads(turns) as timed:
        rows = list(keys(chosen))
        works = {key: work for key, row in rows if (work := _work(key, row)) is not None}
        peaks = measured_peaks(settings.threads) if works and not settings.quick else None
        if runs:
            outcomes = middle([outcomes_of_process(arguments) for arguments in runs])
        else:
            outcomes = {key: measure(key, row, timed) for key, row in track(rows, "measuring")}
        record = replace(record_of(settings, outcomes, works, peaks), processes=max(1, len(runs)))
        rows = [(key, row) for key, row in rows if key in record.timings]
        if compiled:
            beside = track(rows, "beside torch.compile")
            record = replace(record, compiled={key: measure(key, row, timed, compiled=True) for key, row in beside})
        if memory:
            models = [(key, row) for key, row in rows if isinstance(row, ModelRow)]
            record = replace(record, memory={key: peak_memory(row) for key, row in track(models, "memory")})
        return record


def _work(key: Key, row: Row) -> Work | None:
    """None for a row that needs what is not installed: measuring it says so, and goes on."""
    try:
        return row.work(key.passed)
    except UolError:
        return None


def _print(record: Record, compared: Mapping[Key, float]) -> None:
    columns = ["family", "row", "pass", "uol ms", "PyTorch ms", "ratio", "quartiles"]
    columns += ["torch.compile ms", "its ratio"] * bool(record.compiled)
    columns += ["rate", "of peak"] * (record.peaks is not None) + ["of record"] * bool(compared)
    further = {key: (*_compiled(record, key), *_rate(record, key), *_compared(compared, key)) for key in record.timings}
    print_table(columns, [(*cells, *further[key]) for key, cells in _rows(record.timings)])
    if record.processes > 1:
        print_text(f"\neach row is the one of the median ratio, of {record.processes} processes")
    if record.peaks is not None:
        peaks = f"{record.peaks.gflops:.0f} GF/s from registers, {record.peaks.gbytes:.1f} GB/s copying memory"
        print_text(f"\npeaks of this machine, measured on {record.settings.threads} threads: {peaks}")
    for key, reason in record.failed.items():
        print_text(f"FAILED  {key}: {reason}")
    for key, found in record.compiled.items():
        if isinstance(found, str):
            print_text(f"NOT COMPILED  {key}: {found}")
    if record.memory:
        _print_memory(record.memory)
    print_text("\ngeometric means of the ratios, above 1 is faster than PyTorch")
    counts = Counter(key.family for key in record.timings) + Counter({"all": len(record.timings)})
    means = geometric_means(record.timings)
    print_table(("family", "passes", "ratio"), [(name, str(counts[name]), f"{mean:.2f}") for name, mean in means.items()])


def _rows(timings: Mapping[Key, Timing]) -> Iterator[tuple[Key, tuple[str, ...]]]:
    for key, t in timings.items():
        times = (f"{t.uol_ms:.3f}", f"{t.pytorch_ms:.3f}", f"{t.ratio:.2f}", f"{t.low:.2f}-{t.high:.2f}")
        yield key, (key.family, key.row, key.passed, *times)


def _compiled(record: Record, key: Key) -> tuple[str, ...]:
    if not record.compiled:
        return ()
    found = record.compiled[key]
    return (f"{found.pytorch_ms:.3f}", f"{found.ratio:.2f}") if isinstance(found, Timing) else ("", "")


def _print_memory(memory: Mapping[Key, Memory | str]) -> None:
    print_text("\npeak resident memory above the imported process, above 1 is less than PyTorch")
    peaks = {key.row: found for key, found in memory.items() if isinstance(found, Memory)}
    mib = {row: (f"{found.uol_bytes / 2**20:.1f}", f"{found.pytorch_bytes / 2**20:.1f}") for row, found in peaks.items()}
    print_table(("row", "uol MiB", "PyTorch MiB", "ratio"), [(r, *mib[r], f"{found.ratio:.2f}") for r, found in peaks.items()])
    for key, reason in memory.items():
        if isinstance(reason, str):
            print_text(f"FAILED  memory of {key}: {reason}")


def _rate(record: Record, key: Key) -> tuple[str, ...]:
    if record.peaks is None:
        return ()
    rate = record.rate(key)
    return ("", "") if rate is None else (f"{rate.value:.4g} {rate.unit}", f"{rate.share:.0%}")


def _compared(compared: Mapping[Key, float], key: Key) -> tuple[str, ...]:
    return (f"{compared[key]:.2f}" if key in compared else "new",) if compared else ()


def _print_comparison(record: Record, before: Record, compared: Mapping[Key, float]) -> None:
    if before.processor != record.processor:
        print_text(f"\nthe record is of another processor ({before.processor}): its ratios may not be this one's")
    found = slower(compared)
    print_text(f"\n{len(compared)} of {len(record.timings)} passes are in the record; {len(found)} under {LEAST} of its ratio")
    unjudged = disturbed(record, before)
    for key, ratio in found.items():
        said = "NOT JUDGED" if key in unjudged else "SLOWER"
        print_text(f"{said}  {key}: {ratio:.2f} of the record's {before.timings[key].ratio:.2f}")


def _print_verdict(record: Record, before: Record | None, verdict: Verdict) -> None:
    """What tells that the machine was not quiet, row by row, and what follows."""
    unjudged = disturbed(record, before)
    if unjudged:
        loads = [t.disturbance.load for t in record.timings.values() if t.disturbance.load is not None]
        load = f", load average {min(loads):.1f} to {max(loads):.1f}" if loads else ""
        print_text(f"\nthe machine was not quiet for {len(unjudged)} of {len(record.timings)} passes{load}")
    for key, reasons in unjudged.items():
        print_text(f"NOT QUIET  {key}: {', '.join(reasons)}")
    if unjudged or before is not None:
        print_text(f"\nverdict: {verdict}")
