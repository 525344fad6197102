"""Figures of all paths as `uol gap` recorded them, and changes to them.

gap_figures.json has of every row, on every device that is compared, T_ref and T and the launches within both, in seconds. It is
made again by

    uol gap --dtype f16 --json gap.json && python tests/conformance/gap_figures.py gap.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from uol.conformance.gap.ratios import Pair
from uol.conformance.gap.record import CaseGap, Cell, Kernel, RowOnTarget, RowReference
from uol.conformance.gap.rows import Row

FILE = Path(__file__).with_name("gap_figures.json")
NUMBERS = ("reference_s", "modelled_s", "reference_launch_s", "launch_s")


def recorded() -> list[CaseGap]:
    """The cases of the file."""
    return [_case(fields) for fields in json.loads(FILE.read_text(encoding="utf-8"))]


def changed(case: CaseGap, by: Callable[[Row, str, Pair], Pair]) -> CaseGap:
    """The case with every row on every device as a function has it."""
    cells = {
        row.name: {device: cell_of(by(row, device, cell.pair)) for device, cell in case.cells[row.name].items()}
        for row in case.rows
    }
    return replace(case, cells=cells)


def with_row(case: CaseGap, row: Row, pair: Pair) -> CaseGap:
    """The case with one more row, the same on every device."""
    cells = {**case.cells, row.name: {device: cell_of(pair) for device in case.compared}}
    return replace(case, rows=(*case.rows, row), cells=cells)


def cell_of(pair: Pair) -> Cell:
    """A row on a device whose figures are these; by one kernel, or refused."""
    kernel = Kernel("op", "kernel", "Map", "", 1, 1, 0, {}, pair.time or 0.0, "memory")
    on = RowOnTarget((kernel,), pair.launch, {}) if pair.time is not None else RowOnTarget((), 0.0, {"op": "it has none"})
    return Cell(RowReference(pair.reference, pair.reference_launch, 0, 0, "memory"), on)


def _case(fields: dict[str, Any]) -> CaseGap:
    rows = tuple(Row(name, each["phase"], (name,)) for name, each in fields["rows"].items())
    cells = {name: {d: cell_of(Pair(*numbers)) for d, numbers in each["on"].items()} for name, each in fields["rows"].items()}
    devices = tuple(fields["devices"])
    known = fields["best_known"], fields["vendors_gap"]
    attained = dict.fromkeys(devices)  # a recorded case has figures alone
    return CaseGap(fields["path"], fields["case"], "f16", "", rows, attained, devices, cells, *known)  # type: ignore[arg-type]  # figures of JSON


def _compact(found: dict[str, Any]) -> dict[str, Any]:
    devices = found["figures"]["devices"]
    rows = {
        row["name"]: {"phase": row["phase"], "on": {d: [row["on"][d][name] for name in NUMBERS] for d in devices}}
        for row in found["rows"]
    }
    known = {d: best for d in devices if (best := found["devices"][d]["best_known"]) is not None}
    ours = {name: found[name] for name in ("path", "case")} | {"devices": devices, "best_known": known}
    return ours | {"vendors_gap": found["figures"]["vendors_gap"], "rows": rows}


def main() -> None:
    """Writes the file from one that `uol gap --json` wrote."""
    found = [_compact(each) for each in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")) if each["dtype"] == "f16"]
    FILE.write_text("[\n" + ",\n".join(json.dumps(each) for each in found) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
