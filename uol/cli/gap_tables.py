"""The tables of `uol gap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uol.cli.output import print_table, print_text
from uol.conformance.gap.record import MODELLED, percent

if TYPE_CHECKING:
    from uol.conformance.gap.groups import Group
    from uol.conformance.gap.record import CaseGap, Cell


def print_gap(found: CaseGap) -> None:
    """A table for each device, one of them beside each other, the figures, what was refused, and the verdict."""
    print_text(f"{found.path}, {found.case}, {found.dtype}: a training step ({found.says}). Times in us are {MODELLED}.\n")
    for device in found.devices:
        beside = "" if device in found.compared else " (beside)"
        columns = (f"on {device}{beside}", "pass", "T_ref", "bound by", "T modelled", "bound by", "eff")
        print_table(columns, [(*_names(group), *_cells(found.cells[group.name][device])) for group in found.groups])
        print_text("")
    effs = [f"eff {_short(device)}" for device in found.devices]
    print_table(("group, modelled", "pass", *effs, "gap"), [_compared(found, group) for group in found.groups])
    print_text("")
    print_table(("figure", f"over {', '.join(found.compared)}; {MODELLED}"), _figures(found))
    for device in found.devices:
        for op, reason in found.refused(device).items():
            print_text(f"refused  {device} {op}: {reason}")
    print_text(f"{found.path}, {found.case}, {found.dtype}: gap not established: {'; '.join(found.why_not_established)}\n")


def _figures(found: CaseGap) -> list[tuple[str, str]]:
    figures = found.figures
    return [
        ("time-weighted eff", ", ".join(f"{_short(device)} {percent(found.eff(device))}" for device in found.devices)),
        ("gap", percent(figures.gap)),
        ("gap without launches", percent(figures.without_launches)),
        ("gap of sums", percent(figures.gap_of_sums)),
        ("worst group", "none" if figures.worst is None else f"{figures.worst[0]}, {percent(figures.worst[1])}"),
        ("least eff", percent(figures.floor)),
        ("Pennycook's PP", f"{figures.portability:.3f}"),
        ("faster than attained", ", ".join(f"{_short(device)} {percent(found.flagged(device))}" for device in found.devices)),
        ("interval", "none: the model's error is not known"),
    ]


def _names(group: Group) -> tuple[str, str]:
    return group.name, group.phase


def _cells(cell: Cell) -> tuple[str, ...]:
    reference = (f"{cell.reference.seconds * 1e6:,.1f}", cell.reference.bound)
    if cell.seconds is None:
        return (*reference, "refused", "", "")
    return (*reference, f"{cell.seconds * 1e6:,.1f}", cell.on.bound, percent(cell.pair.eff))


def _compared(found: CaseGap, group: Group) -> tuple[str, ...]:
    effs = (percent(found.cells[group.name][device].pair.eff) for device in found.devices)
    return (*_names(group), *effs, percent(found.gap(group.name)))


def _short(device: str) -> str:
    return device.rpartition(":")[2]
