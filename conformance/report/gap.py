"""Gaps as a page: paths by devices, the rows of each by what is lost, rooflines. HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from uol.conformance.gap.control import by_likeness, judged, stand_ins, vendors_gap
from uol.conformance.gap.ratios import LEAST_SHARE
from uol.conformance.gap.record import MODELLED, CaseGap, percent
from uol.conformance.gap.rows import Row
from uol.conformance.report import plots
from uol.conformance.report.page import environment

ACROSS = (1e-2, 1e4)
"""Operations a byte that rooflines show."""
DECADES_UP = (9, 15)
"""Operations a second, as powers of ten, at least: down to the slowest row."""
CONTROL_SAYS = "best of the sizes where several are published, and none where nothing was found"


@dataclass(frozen=True, slots=True)
class Roofline:
    """What a device attains by operations a byte, with the rows below it, as SVG; empty where there is nothing that plots.
    `says`: the rates, and where they are from."""

    device: str
    plot: str
    says: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A row of the table of what is lost on a device, as text; `share` of all that is lost there. `number` is its point's."""

    number: int
    name: str
    phase: str
    lost: str
    share: float
    time: str
    bound: str
    best: str
    best_bound: str
    eff: str


def gap_page(found: Sequence[CaseGap]) -> str:
    """The page as text."""
    page = environment().get_template("gap.html.j2")
    cases = [(case, rooflines_of(case), {device: lost_of(case, device) for device in case.devices}) for case in found]
    devices = tuple(dict.fromkeys(device for case in found for device in case.devices))
    compared = tuple(dict.fromkeys(device for case in found for device in case.compared))
    control = [(what, effs, vendors_gap(effs, compared)) for what, effs in by_likeness().items()]
    return page.render(
        cases=cases,
        devices=devices,
        control=control,
        control_says=f"{CONTROL_SAYS}; {stand_ins()}",
        every_published=judged(),
        percent=percent,
        published=lambda value: "none published" if value is None else percent(value),
        kind=MODELLED,
        least_share=LEAST_SHARE,
        missing=plots.MISSING,
    )


def rooflines_of(case: CaseGap) -> list[Roofline]:
    """One for each device, of the rows that it has and that have products; with the same axes, so that they compare."""
    found = []
    low = _lowest(case)
    for device, attained in case.attained.items():
        points = [p for row in case.rows if (p := point_of(case, row, device)) is not None]
        memory, matrix = attained.rates["memory"].si, attained.rates["matrix"].si
        limits = (*ACROSS, low, 10.0 ** DECADES_UP[1])
        plot = plots.roofline(memory, matrix, points, limits) if plots.has_library() else ""
        rates = ", ".join(f"{what} {rate.value:g} {rate.unit} ({rate.grade})" for what, rate in attained.rates.items())
        found.append(Roofline(device, plot, rates))
    return found


def _lowest(case: CaseGap) -> float:
    """The power of ten below the slowest row."""
    points = [point_of(case, row, device) for row in case.rows for device in case.devices]
    return 10.0 ** min([DECADES_UP[0], *(floor(log10(min(p.ours, p.best))) for p in points if p is not None)])


def lost_of(case: CaseGap, device: str) -> list[Lost]:
    """The rows by what is lost on a device, those that it refuses first."""
    total = sum(max(case.cells[row.name][device].pair.lost or 0.0, 0.0) for row in case.rows) or 1.0
    return [_lost(case, row, device, total) for row in case.by_lost(device)]


def _lost(case: CaseGap, row: Row, device: str, total: float) -> Lost:
    cell = case.cells[row.name][device]
    head = case.rows.index(row) + 1, row.name, row.phase
    best = (_us(cell.reference.seconds), cell.reference.bound) if cell.reference.seconds else ("none", "")
    if cell.seconds is None or cell.pair.lost is None:
        return Lost(*head, "refused", 1.0, "", "", *best, percent(0.0))
    eff = "" if cell.pair.eff is None else percent(cell.pair.eff)
    share = min(max(cell.pair.lost, 0.0) / total, 1.0)
    return Lost(*head, _us(cell.pair.lost), share, _us(cell.seconds), cell.on.bound, *best, eff)


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}"


def point_of(case: CaseGap, row: Row, device: str) -> plots.Point | None:
    """A row on a device; None where it has no products, or the device has no kernels."""
    cell = case.cells[row.name][device]
    reference = cell.reference
    if not reference.operations or not cell.seconds:
        return None
    done = reference.operations
    return plots.Point(case.rows.index(row) + 1, done / reference.bytes, done / cell.seconds, done / reference.seconds)
