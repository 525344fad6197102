"""Reports as pages: HTML that needs nothing else."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING

from uol.conformance.cases.agreement import Pair, by_operator
from uol.conformance.cases.matrix import Cell
from uol.conformance.paths.record import LayerResult, PathReport
from uol.conformance.report.operators import OperatorReport

if TYPE_CHECKING:
    from jinja2 import Environment


def page_of(report: PathReport | OperatorReport) -> str:
    """The page as text."""
    if isinstance(report, OperatorReport):
        page = environment().get_template("operators.html.j2")
        return page.render(report=report, rows=_matrix(report), worst=_between(report), states=_states(report))
    slowest = max((max(r.time_us, r.pytorch_us) for r in report.layers), default=1.0) or 1.0
    return environment().get_template("path.html.j2").render(report=report, rows=_layers(report), slowest=slowest)


def _matrix(report: OperatorReport) -> dict[tuple[str, str], dict[str, Cell]]:
    """The cells of each operator and type, by target."""
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in report.cells:
        rows.setdefault((cell.op, cell.dtype), {})[cell.target] = cell
    return rows


def _between(report: OperatorReport) -> dict[tuple[str, str], list[Pair]]:
    """How the targets agree on each operator and type."""
    rows: dict[tuple[str, str], list[Pair]] = {}
    for each in by_operator(report.agreements):
        rows.setdefault((each.ratio.op, each.ratio.types), []).append(each)
    return rows


def _states(report: OperatorReport) -> dict[str, Counter[str]]:
    """How many cases of each target are in each state."""
    return {target: Counter(v.state for v in report.verdicts if v.case.target == target) for target in report.targets}


def _layers(report: PathReport) -> list[tuple[LayerResult, dict[str, LayerResult]]]:
    """One row for each distinct layer: one of its results for names and shapes, and all of them by target."""
    rows: dict[tuple[str, ...], dict[str, LayerResult]] = {}
    for result in report.layers:
        rows.setdefault(result.layers, {})[result.target] = result
    return [(next(iter(found.values())), found) for found in rows.values()]


def environment() -> Environment:
    """What renders the templates of this folder."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

    def load(name: str) -> str:
        return files("uol.conformance.report").joinpath(name).read_text(encoding="utf-8")

    made = Environment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html", "j2"), default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["arrows"] = lambda shape: shape.replace("->", "\N{RIGHTWARDS ARROW}")  # "->" may break after the dash
    made.filters["short"] = lambda x: f"{x:.2g}"
    made.filters["time"] = lambda us: f"{us / 1e3:.2f}" if us >= 1000 else f"{us / 1e3:.3f}"
    return made
