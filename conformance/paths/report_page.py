"""A path's report as files: report.json, and report.html, one page that needs nothing else."""

from __future__ import annotations

import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from uol.conformance.paths.record import LayerResult, PathReport
from uol.ir.errors import ResourceError
from uol.json_text import json_text

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE = "report.html.j2"


def write_report(report: PathReport, folder: Path) -> tuple[Path, Path]:
    """Writes report.json and report.html into `folder`, each whole or not at all. Raises ResourceError where it cannot."""
    page, data = folder / "report.html", folder / "report.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(data, json_text(report.record(), indent=1) + "\n")
        _write(page, page_of(report))
    except OSError as error:
        message = f"the report cannot be written to {folder}: {error.strerror}"
        raise ResourceError(message, hint="choose another folder") from error
    return page, data


def page_of(report: PathReport) -> str:
    """The page as text."""
    slowest = max((max(r.time_us, r.pytorch_us) for r in report.layers), default=1.0) or 1.0
    return _environment().get_template(TEMPLATE).render(report=report, rows=_rows(report), slowest=slowest)


def _rows(report: PathReport) -> list[tuple[LayerResult, dict[str, LayerResult]]]:
    """One row for each distinct layer: one of its results for names and shapes, and all of them by target."""
    rows: dict[tuple[str, ...], dict[str, LayerResult]] = {}
    for result in report.layers:
        rows.setdefault(result.layers, {})[result.target] = result
    return [(next(iter(found.values())), found) for found in rows.values()]


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

    def load(name: str) -> str:
        return files("uol.conformance.paths").joinpath(name).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html", "j2"), default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["arrows"] = lambda shape: shape.replace("->", "\N{RIGHTWARDS ARROW}")  # "->" may break after the dash
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    environment.filters["short"] = lambda x: f"{x:.2g}"
    environment.filters["time"] = lambda us: f"{us / 1e3:.2f}" if us >= 1000 else f"{us / 1e3:.3f}"
    return environment


def _write(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(name, 0o644)
    os.replace(name, path)
