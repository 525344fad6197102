"""What a run found: the record as JSON, and what is printed of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import Any

from uol.conformance.packs.runner.contents import BadInputError, Json, Pack
from uol.conformance.packs.runner.seals import sealed
from uol.conformance.packs.runner.supervisor import Found

KIND = "measured"
FORMAT = 2
OF_CASE = ("op", "dtype", "workload", "inputs", "arrangement", "seed", "name")
OF_PACK = ("target", "architecture", "compiler", "made_by", "selection", "part", "seal")


def record_of(pack: Pack, found: Found, seconds: float) -> dict[str, Any]:
    """The record of a run, with its seals."""
    cases = [_case(pack.cases[number], entry) for number, entry in sorted(found.entries.items())]
    return sealed(_finite({
        "kind": KIND,
        "format": FORMAT,
        "ok": not found.failed,
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),  # noqa: UP017 - for Python 3.10
        "seconds": round(seconds, 1),
        "card": dict(found.card),
        "clocks_at_the_end": dict(found.clocks),
        "software": dict(found.software),
        "pack": {name: pack.fields[name] for name in OF_PACK},
        "cases": cases,
    }))


def _case(case: Json, entry: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: case[name] for name in OF_CASE}
    return {**known, "kernels": len(case["kernels"]), **case["roofline"], **case["prediction"], **entry}


def write_record(record: Mapping[str, Any], file: Path) -> None:
    """Whole or not at all. Raises BadInputError where it cannot be written."""
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except OSError as error:
        raise BadInputError(f"{file} cannot be written: {error.strerror}: give another place with -o") from error


def _finite(value: Any) -> Any:
    """JSON has no number for NaN and the infinities: they are texts."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


COLUMNS = (
    *("case", "verdict", "error/bound", "us", "quartiles", "predicted us"),
    *("PyTorch us", "PyTorch/uol", "quartiles", "roofline us"),
)


def lines_of(record: Mapping[str, Any]) -> Iterator[str]:
    """What is printed: a row a case, the failures, and a line that sums up."""
    rows: list[Sequence[str]] = [COLUMNS]
    rows += [_row(case) for case in record["cases"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    failed = [case for case in record["cases"] if case["status"] != "passed"]
    for case in failed:
        yield f"FAILED  {case['name']}: {case['reason']}"
    passed = len(record["cases"]) - len(failed)
    yield f"measured on {record['card']['name']}: {passed} passed, {len(failed)} failed"


def _row(case: Mapping[str, Any]) -> Sequence[str]:
    time, other, ratio = (case.get(name) for name in ("time_us", "pytorch_us", "pytorch_ratio"))
    share = case.get("share")
    return (
        case["name"],
        case["status"],
        "" if share is None else f"{float(share):.3g}",
        "" if time is None else f"{time['median']:.2f}",
        "" if time is None else f"{time['lower']:.2f}-{time['upper']:.2f}",
        f"{case['predicted_us']:.2f}",
        "" if other is None else f"{other['median']:.2f}",
        "" if ratio is None else f"{ratio['median']:.2f}",
        "" if ratio is None else f"{ratio['lower']:.2f}-{ratio['upper']:.2f}",
        "" if case["roofline_us"] is None else f"{case['roofline_us']:.2f}",
    )
