"""A report's files: report.html, report.json, junit.xml. The JSON is of the form that `report.schema.json` describes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast

from uol.conformance.paths.record import PathReport
from uol.conformance.report.junit import junit_of
from uol.conformance.report.operators import OperatorReport
from uol.conformance.report.page import page_of
from uol.ir.errors import ResourceError
from uol.json_text import json_text
from uol.whole_file import replacing

if TYPE_CHECKING:
    from uol.conformance.gap.record import CaseGap
    from uol.conformance.paths.training.record import TrainingRecord


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report's files are."""

    page: Path
    data: Path
    junit: Path


def write_report(report: PathReport | OperatorReport, folder: Path) -> Written:
    """Writes the three files into `folder`, each whole or not at all. Raises ResourceError where it cannot."""
    written = Written(folder / "report.html", folder / "report.json", folder / "junit.xml")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(written.data, json_text(report.record(), indent=1) + "\n")
        _write(written.junit, junit_of(report))
        _write(written.page, page_of(report))
    except OSError as error:
        raise _unwritable(folder, error) from error
    return written


def write_training(record: TrainingRecord, folder: Path) -> Path:
    """Writes training.json and training.html, each whole or not at all; where the page is. Raises ResourceError where it
    cannot."""
    from uol.conformance.report.training import training_page

    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "training.json", json_text(record.record(), indent=1) + "\n")
        _write(folder / "training.html", training_page(record))
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder / "training.html"


def require_writable(folder: Path) -> None:
    """Before minutes of work, not after. Raises ResourceError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_gap(found: Sequence[CaseGap], page: Path | None, data: Path | None) -> None:
    """Writes the page and the figures of gaps, each whole or not at all. Raises ResourceError where it cannot."""
    from uol.conformance.report.gap import gap_page

    if page is not None:
        _place(page, gap_page(found))
    if data is not None:
        _place(data, json_text([each.record() for each in found], indent=1) + "\n")


def schema() -> dict[str, object]:
    """The JSON schema (draft 2020-12) of report.json."""
    text = files("uol.conformance.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    return cast(dict[str, object], json.loads(text))


def _place(path: Path, text: str) -> None:
    try:
        _write(path, text)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(folder: Path, error: OSError) -> ResourceError:
    message = f"the report cannot be written to {str(folder)!r}: {error.strerror or error}"
    return ResourceError(message, hint="choose another folder")


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())
