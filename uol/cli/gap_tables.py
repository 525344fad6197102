"""The tables of `uol gap`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from uol.cli.output import print_table, print_text
from uol.conformance.gap.record import MODELLED, percent

if TYPE_CHECKING:
    from uol.conformance.gap.record import CaseGap, Cell
    from uol.conformance.gap.rows import Row


def print_summary(found: Sequence[CaseGap]) -> None:
    """Paths by devices: the eff of forward and backward, the gap, and the vendors' own."""
    devices = found[0].devices
    effs = [f"eff {_headed(found[0], device)}" for device in devices]
    print_text(f"Forward and backward of a training step; T and every eff are {MODELLED}.\n")
    print_table(("path", "case", "type", *effs, "gap", "vendors' own"), [_summed(each) for each in found])
    print_text("")


def print_gap(found: CaseGap) -> None:
    """The rows of each device by what is lost there, the devices beside each other, the figures, refusals and the verdict."""
    print_text(f"{found.name}: a training step ({found.says}). Times in us are {MODELLED}.\n")
    for device in found.devices:
        columns = (f"on {_headed(found, device)}", "pass", "lost", "T modelled", "bound by", "T_ref", "bound by", "eff")
        print_table(columns, [(*_names(row), *_cells(found.cells[row.name][device])) for row in found.by_lost(device)])
        print_text("")
    effs = [f"eff {_short(device)}" for device in found.devices]
    print_table(("row, modelled", "pass", *effs, "gap"), [_compared(found, row) for row in found.rows])
    print_text("")
    print_table(("figure", f"over {', '.join(found.compared)}; {MODELLED}"), _figures(found))
    for device in found.devices:
        for op, reason in found.refused(device).items():
            print_text(f"refused  {device} {op}: {reason}")
    print_text(f"{found.name}: gap not established: {'; '.join(found.why_not_established)}\n")


def print_control(devices: Sequence[str], compared: Sequence[str]) -> None:
    """What the vendors' own libraries are published to take, by the same formulas."""
    from uol.conformance.gap.control import by_likeness, stand_ins, vendors_gap

    print_text("The vendors' own libraries by the same formulas, from published times (conformance/gap/published.toml);")
    print_text(f"{stand_ins()}.\n")
    rows = [
        (what, *(_percent(effs.get(device)) for device in devices), _percent(vendors_gap(effs, compared)))
        for what, effs in by_likeness().items()
    ]
    print_table(("published", *(f"eff {_short(device)}" for device in devices), "their own gap"), rows)
    print_text("")


def _summed(found: CaseGap) -> tuple[str, ...]:
    effs = (percent(found.eff(device)) for device in found.devices)
    return (found.path, found.case, found.dtype, *effs, percent(found.figures.gap), _percent(found.vendors_gap))


def _figures(found: CaseGap) -> list[tuple[str, str]]:
    figures = found.figures
    return [
        ("eff, forward and backward", _each(found, {device: percent(found.eff(device)) for device in found.devices})),
        ("gap", percent(figures.gap)),
        ("gap without launches", percent(figures.without_launches)),
        ("vendors' own gap", _percent(found.vendors_gap)),
        ("best known eff", _each(found, {d: percent(found.best_known.get(d)) for d in found.devices})),
        ("ceiling of the model", _each(found, {d: percent(found.ceilings.get(d)) for d in found.devices})),
        ("worst row", "none" if figures.worst is None else f"{figures.worst[0]}, {percent(figures.worst[1])}"),
        ("least eff", percent(figures.least)),
        ("Pennycook's PP", f"{figures.portability:.3f}"),
        ("optimiser alone, eff", _each(found, {d: percent(found.optimiser(d)) for d in found.devices})),
        ("faster than attained", _each(found, {device: percent(found.flagged(device)) for device in found.devices})),
        ("interval", "none: the model's error is not known"),
    ]


def _each(found: CaseGap, values: dict[str, str]) -> str:
    return ", ".join(f"{_short(device)} {values[device]}" for device in found.devices)


def _percent(value: float | None) -> str:
    return "none published" if value is None else percent(value)


def _names(row: Row) -> tuple[str, str]:
    return row.name, row.phase


def _cells(cell: Cell) -> tuple[str, ...]:
    reference = (_us(cell.reference.seconds), cell.reference.bound) if cell.reference.seconds else ("none", "")
    if cell.seconds is None or cell.pair.lost is None:
        return ("", "refused", "", *reference, "0.0%")
    eff = "" if cell.pair.eff is None else percent(cell.pair.eff)
    return (_us(cell.pair.lost), _us(cell.seconds), cell.on.bound, *reference, eff)


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}"


def _compared(found: CaseGap, row: Row) -> tuple[str, ...]:
    effs = (percent(found.cells[row.name][device].pair.eff) for device in found.devices)
    return (*_names(row), *effs, percent(found.gap(row)))


def _headed(found: CaseGap, device: str) -> str:
    return device if device in found.compared else f"{device} (beside)"


def _short(device: str) -> str:
    return device.rpartition(":")[2]
