"""Gaps as a page: a roofline and the eff of each group for every device. HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from uol.conformance.gap.groups import Group
from uol.conformance.gap.record import MODELLED, CaseGap, percent
from uol.conformance.report import plots
from uol.conformance.report.page import environment

ACROSS = (1e-2, 1e4)
"""Operations a byte that rooflines show."""
DECADES_UP = (9, 15)
"""Operations a second, as powers of ten, at least: down to the slowest group."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """What a device attains by operations a byte, with the groups below it, as SVG; empty where there is nothing that plots.
    `says`: the rates, and where they are from."""

    device: str
    plot: str
    says: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The eff of a group on a device, as a share of the greatest that is drawn (1), and the times that it is of."""

    text: str
    share: float
    times: str


def gap_page(found: Sequence[CaseGap]) -> str:
    """The page as text."""
    page = environment().get_template("gap.html.j2")
    cases = [(case, rooflines_of(case), bars_of(case)) for case in found]
    return page.render(cases=cases, percent=percent, kind=MODELLED, missing=plots.MISSING)


def rooflines_of(case: CaseGap) -> list[Roofline]:
    """One for each device, of the groups that it has and that compute; with the same axes, so that they compare."""
    found = []
    low = _lowest(case)
    for device, attained in case.attained.items():
        points = [p for number in range(len(case.groups)) if (p := point_of(case, number, device)) is not None]
        memory, matrix = attained.rates["memory"].si, attained.rates["matrix"].si
        limits = (*ACROSS, low, 10.0 ** DECADES_UP[1])
        plot = plots.roofline(memory, matrix, points, limits) if plots.has_library() else ""
        rates = ", ".join(f"{what} {rate.value:g} {rate.unit} ({rate.grade})" for what, rate in attained.rates.items())
        found.append(Roofline(device, plot, rates))
    return found


def _lowest(case: CaseGap) -> float:
    """The power of ten below the slowest group."""
    points = [point_of(case, number, device) for number in range(len(case.groups)) for device in case.devices]
    return 10.0 ** min([DECADES_UP[0], *(floor(log10(min(p.ours, p.best))) for p in points if p is not None)])


def bars_of(case: CaseGap) -> dict[str, list[Bar]]:
    """The groups' eff by device."""
    return {device: [_bar(case, group, device) for group in case.groups] for device in case.devices}


def _bar(case: CaseGap, group: Group, device: str) -> Bar:
    cell = case.cells[group.name][device]
    if cell.seconds is None or cell.pair.eff is None:
        return Bar("refused", 0.0, "")
    times = f"{cell.reference.seconds * 1e6:,.1f} of {cell.seconds * 1e6:,.1f} us, by {cell.on.bound}"
    return Bar(percent(cell.pair.eff), min(cell.pair.eff, 1.0), times)


def _operations(group: Group) -> int:
    return group.operations("matrix") + group.operations("vector")


def point_of(case: CaseGap, number: int, device: str) -> plots.Point | None:
    """A group on a device; None where nothing is computed, or the device has no kernels."""
    group = case.groups[number]
    operations, cell = _operations(group), case.cells[group.name][device]
    if not operations or cell.seconds is None:
        return None
    return plots.Point(number + 1, operations / group.bytes, operations / cell.seconds, operations / cell.reference.seconds)
