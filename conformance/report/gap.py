"""Gaps as a page: a roofline and the eff of each group for every device. HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from uol.conformance.gap.attained import Attained
from uol.conformance.gap.groups import Group
from uol.conformance.gap.record import MODELLED, CaseGap, percent
from uol.conformance.report.page import environment

WIDTH, HEIGHT = 440.0, 260.0
"""Of a roofline, in its own units."""
DECADES_ACROSS = (-2, 4)
"""Operations a byte, as powers of ten."""
DECADES_UP = (9, 15)
"""Operations a second, as powers of ten, at least: down to the slowest group."""
PREFIXES = {6: "M", 9: "G", 12: "T"}
"""Of marks, by powers of ten."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the plot, or up, and what stands at its end."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What the rooflines of a case show, `low` and `high` being powers of ten of operations a second."""

    low: int
    high: int = DECADES_UP[1]

    def across(self, operations_a_byte: float) -> float:
        low, high = DECADES_ACROSS
        return WIDTH * (log10(operations_a_byte) - low) / (high - low)

    def up(self, operations_a_second: float) -> float:
        return HEIGHT * (1 - (log10(operations_a_second) - self.low) / (self.high - self.low))

    @property
    def ticks_across(self) -> list[Tick]:
        return [Tick(self.across(10.0**power), f"{10.0**power:g}") for power in range(DECADES_ACROSS[0] + 1, DECADES_ACROSS[1])]

    @property
    def ticks_up(self) -> list[Tick]:
        return [
            Tick(self.up(10.0**power), f"1 {name}FLOP/s") for power, name in PREFIXES.items() if self.low < power < self.high
        ]


@dataclass(frozen=True, slots=True)
class Point:
    """A group, by its number in the table: where its operations a byte meet the rate that its T gives, and the one that T_ref
    gives."""

    number: int
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
    """The eff of a group on a device, as a share of the greatest that is drawn (1), and the times that it is of."""

    text: str
    share: float
    times: str


def gap_page(found: Sequence[CaseGap]) -> str:
    """The page as text."""
    page = environment().get_template("gap.html.j2")
    plots = []
    for case in found:
        frame = frame_of(case)
        plots.append((case, frame, rooflines_of(case, frame), bars_of(case)))
    return page.render(plots=plots, percent=percent, kind=MODELLED, width=WIDTH, height=HEIGHT)


def frame_of(case: CaseGap) -> Frame:
    """One for all devices, so that they compare."""
    cells = [(_operations(group), case.cells[group.name][device]) for group in case.groups for device in case.devices]
    rates = [operations / cell.seconds for operations, cell in cells if operations and cell.seconds is not None]
    return Frame(min([DECADES_UP[0], *(floor(log10(rate)) for rate in rates)]))


def rooflines_of(case: CaseGap, frame: Frame) -> list[Roofline]:
    """One for each device, of the groups that it has and that compute."""
    found = []
    for device, attained in case.attained.items():
        points = [p for number in range(len(case.groups)) if (p := _point(case, number, device, frame)) is not None]
        rates = ", ".join(f"{what} {rate.value:g} {rate.unit} ({rate.grade})" for what, rate in attained.rates.items())
        found.append(Roofline(device, _roof(attained, frame), tuple(points), rates))
    return found


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


def _point(case: CaseGap, number: int, device: str, frame: Frame) -> Point | None:
    """None where nothing is computed, or the device has no kernels."""
    group = case.groups[number]
    operations, cell = _operations(group), case.cells[group.name][device]
    if not operations or cell.seconds is None:
        return None
    ours, best = operations / cell.seconds, operations / cell.reference.seconds
    title = f"{group.name}: eff {percent(cell.pair.eff)}, bound by {cell.on.bound}; {ours / 1e12:.3g} TFLOP/s"
    return Point(number + 1, frame.across(operations / group.bytes), frame.up(ours), frame.up(best), title)


def _roof(attained: Attained, frame: Frame) -> str:
    """Up along the bandwidth, then level at the rate of products of matrices."""
    memory, matrix = attained.rates["memory"].si, attained.rates["matrix"].si
    low, high = (10.0**exponent for exponent in DECADES_ACROSS)
    corners = [(low, low * memory), (matrix / memory, matrix), (high, matrix)]
    return " ".join(f"{frame.across(x):.1f},{frame.up(y):.1f}" for x, y in corners)
