"""`uol explain --path`: the kernels of a model path's training step at its full size, row by row, on each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from uol.backends.cpu.host import usable_cores
from uol.cli.output import counted, print_json, print_table, print_text
from uol.compilation.request import resolve_targets
from uol.ir.errors import TypeCheckError

if TYPE_CHECKING:
    from uol.conformance.gap.measure import RecordedCase
    from uol.conformance.gap.record import RowOnTarget
    from uol.conformance.gap.rows import Row

DTYPES = ("f32", "f16", "bf16")
DTYPE = "f16"
"""Of a path's activations where nothing else is said."""
COLUMNS = ("row", "operator", "kernel", "kind", "calls", "launches", "bytes of a call", "operations of a call", "schedule")


def explain_path(path: str, target: str, dtype: str, as_json: bool) -> None:
    """Prints them: launches, bytes that pass memory and operations by kind, of one call each; on every device that a gap is
    taken over where no target is given. Raises UolError for the name of no path, target or type."""
    from uol.conformance.gap.measure import count_all, devices, recorded_cases, row_on_target
    from uol.conformance.paths import require_path

    require_path(path)
    if dtype not in DTYPES:
        raise TypeCheckError(f"a path is not explained in {dtype!r}", hint=f"--dtype is one of {', '.join(DTYPES)}")
    targets = tuple(t.name for t in resolve_targets(target)) if target else devices().compared
    cases = recorded_cases(path, [dtype])
    with counted("counting kernels", 1) as progress:
        counts = count_all(cases, targets, usable_cores(), lambda done, of: progress(done, of, ""))
    found = [
        (case, target, {row.name: row_on_target(case, row, counts, target) for row in case.rows})
        for case in cases
        for target in targets
    ]
    if as_json:
        print_json([_record(case, target, rows) for case, target, rows in found])
        return
    for case, target, rows in found:
        _print(case, target, rows)


def _print(case: RecordedCase, target: str, rows: Mapping[str, RowOnTarget]) -> None:
    print_text(f"{case.path}, {case.case}, {case.dtype} on {target}: a training step; counts, nothing of it was run")
    print_table(COLUMNS, [line for row in case.rows for line in _lines(row, rows[row.name])])
    launches = sum(each.launches for each in rows.values())
    moved = sum(kernel.calls * kernel.bytes for each in rows.values() for kernel in each.kernels)
    print_text(f"{launches:,} launches, {moved:,} bytes")
    for each in rows.values():
        for op, reason in each.refused.items():
            print_text(f"refused  {op}: {reason}")
    print_text("")


def _lines(row: Row, on: RowOnTarget) -> list[tuple[str, ...]]:
    return [
        (row.name, k.op, k.name, k.kind, str(k.calls), str(k.launches), f"{k.bytes:,}", _operations(k.operations), k.schedule)
        for k in on.kernels
    ]


def _operations(operations: Mapping[str, float]) -> str:
    return ", ".join(f"{number:.3g} {kind}" for kind, number in operations.items() if number) or "none"


def _record(case: RecordedCase, target: str, rows: Mapping[str, RowOnTarget]) -> dict[str, object]:
    found = [
        {"row": name, "refused": dict(on.refused), "kernels": [asdict(k) for k in on.kernels]} for name, on in rows.items()
    ]
    return {"path": case.path, "case": case.case, "dtype": case.dtype, "target": target, "rows": found}
