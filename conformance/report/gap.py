"""Gaps as a page: a roofline and the eff of each group for every device. HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from uol.conformance.gap.attained import Attained
from uol.conformance.gap.groups import Group
from uol.conformance.gap.record import MODELLED, CaseGap, percent
from uol.conformance.report.page import environment

WIDTH, HEIGHT = 440.0, 260.0
"""Of a roofline, in its own units."""
DECADES_ACROSS = (-2.0, 4.0)
"""Operations a byte, as powers of ten."""
DECADES_UP = (9.0, 15.0)
"""Operations a second, as powers of ten."""


@dataclass(frozen=True, slots=True)
class Point:
    """A group: where its operations a byte meet the rate that its T gives, and the one that T_ref gives."""

    x: float
    y: float
    best_y: float
    title: str


@dataclass(frozen=True, slots=True)
class Roofline:
    """What a device attains by operations a byte, as the points of an SVG polyline, with the groups below it."""

    device: str
    roof: str
    points: tuple[Point, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The eff of a group on a device, as a share of the greatest that is drawn (1)."""

    group: str
    text: str
    share: float


def gap_page(found: Sequence[CaseGap]) -> str:
    """The page as text."""
    page = environment().get_template("gap.html.j2")
    plots = [(case, rooflines_of(case), bars_of(case)) for case in found]
    return page.render(plots=plots, percent=percent, kind=MODELLED, width=WIDTH, height=HEIGHT)


def rooflines_of(case: CaseGap) -> list[Roofline]:
    """One for each device, of the groups that it has and that compute."""
    found = []
    for device, attained in case.attained.items():
        points = [p for group in case.groups if (p := _point(case, group, device)) is not None]
        rates = ", ".join(f"{what} {rate.value:g} {rate.unit} ({rate.grade})" for what, rate in attained.rates.items())
        found.append(Roofline(device, _roof(attained), tuple(points), rates))
    return found


def bars_of(case: CaseGap) -> dict[str, list[Bar]]:
    """The groups' eff by device."""
    return {device: [_bar(case, group, device) for group in case.groups] for device in case.devices}


def _bar(case: CaseGap, group: Group, device: str) -> Bar:
    eff = case.cells[group.name][device].pair.eff
    return Bar(group.name, "refused" if eff is None else percent(eff), min(eff or 0.0, 1.0))


def _point(case: CaseGap, group: Group, device: str) -> Point | None:
    cell = case.cells[group.name][device]
    operations = group.operations("matrix") + group.operations("vector")
    if not operations or cell.seconds is None:
        return None
    ours, best = operations / cell.seconds, operations / cell.reference.seconds
    title = f"{group.name}: eff {percent(cell.pair.eff)}, bound by {cell.on.bound}; {ours / 1e12:.3g} TFLOP/s"
    return Point(_across(operations / group.bytes), _up(ours), _up(best), title)


def _roof(attained: Attained) -> str:
    """Up along the bandwidth, then level at the rate of products of matrices."""
    memory, matrix = attained.rates["memory"].si, attained.rates["matrix"].si
    low, high = (10**exponent for exponent in DECADES_ACROSS)
    corners = [(low, low * memory), (matrix / memory, matrix), (high, matrix)]
    return " ".join(f"{_across(x):.1f},{_up(y):.1f}" for x, y in corners)


def _across(operations_a_byte: float) -> float:
    low, high = DECADES_ACROSS
    return WIDTH * (log10(operations_a_byte) - low) / (high - low)


def _up(operations_a_second: float) -> float:
    low, high = DECADES_UP
    return HEIGHT * (1 - (log10(operations_a_second) - low) / (high - low))
