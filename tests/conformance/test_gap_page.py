"""The page of a gap: a cell for each column, every point within its plot, what a device refuses said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from uol.compilation.request import resolve_target
from uol.conformance.gap.attained import attained_of, reference_of
from uol.conformance.gap.groups import Group, Launch
from uol.conformance.gap.record import CaseGap, Cell, GroupOnTarget, Kernel
from uol.conformance.report.gap import gap_page

SVG = "{http://www.w3.org/2000/svg}"
DEVICES = ("cuda:a100", "ascendc:910b2")
GROUPS = (
    Group("product", "forward", (), 1, (Launch(1, 3 << 21, {"matrix": 2 << 30}),)),
    Group("copy", "backward", (), 1, (Launch(2, 1 << 20, {}),)),
)


def on_device(seconds: float, refused: dict[str, str]) -> GroupOnTarget:
    kernel = Kernel("matmul", "matmul", "Contract", "tile", 1, 1, 1, {}, seconds, "f32-vector")
    return GroupOnTarget(() if refused else (kernel,), 0.0, refused)


def case() -> CaseGap:
    """A product that takes an hour on one device, far below what other plots show, and has no kernel on the other."""
    attained = {name: attained_of(resolve_target(name).device, "f16") for name in DEVICES}
    rows = {"product": [on_device(3600.0, {}), on_device(0.0, {"matmul": "it has <none>"})], "copy": [on_device(1e-3, {})] * 2}
    cells = {
        group.name: {
            name: Cell(reference_of(group, attained[name]), found)
            for name, found in zip(DEVICES, rows[group.name], strict=True)
        }
        for group in GROUPS
    }
    return CaseGap("moe", "one token", "f16", "routing is data", GROUPS, attained, DEVICES, cells)


def page() -> ET.Element:
    """Read as XML, but for what HTML has besides."""
    text = gap_page([case()]).removeprefix("<!DOCTYPE html>").replace("&minus;", "-")
    head, _, body = text.partition("<body>")
    assert "<script" not in text and "http" not in head
    return ET.fromstring(f"<body>{body.removesuffix('</html>').rstrip().removesuffix('</html>')}")


def test_every_row_has_a_cell_for_every_column() -> None:
    (table,) = page().iter("table")
    head, *rows = table.iter("tr")
    assert len(rows) == len(GROUPS)
    for row in rows:
        assert len(row) == len(head) == 6
        assert {cell.get("class") for cell in row} <= {"number", None}
    assert [cell.text for cell in rows[0]][:3] == ["1", "product", "forward"]
    assert "refused" in "".join(rows[0].itertext())
    assert "of 1,000.0 us, by f32-vector" in "".join(rows[1].itertext())


def test_every_point_lies_within_its_plot() -> None:
    pytest.importorskip("matplotlib", reason="it draws the plots")
    first, second = (plot for plot in page().iter(f"{SVG}svg"))
    _, _, width, height = map(float, first.get("viewBox", "").split())
    for kind in ("ours", "best"):
        (marks,) = (g for g in first.iter(f"{SVG}g") if g.get("id") == kind)
        (point,) = marks.iter(f"{SVG}use")
        assert 0 < float(point.get("x", "nan")) < width
        assert 0 < float(point.get("y", "nan")) < height
        (none,) = (g for g in second.iter(f"{SVG}g") if g.get("id") == kind)
        assert not [*none.iter(f"{SVG}use")], "it is refused there"


def test_axes_have_numbers_down_to_the_slowest_group() -> None:
    """The product makes 2^31 operations in an hour: 6e5 a second."""
    pytest.importorskip("matplotlib", reason="it draws the plots")
    for plot in page().iter(f"{SVG}svg"):
        text = [" ".join("".join(each.itertext()).split()) for each in plot.iter(f"{SVG}text")]
        assert {"operations a second", "operations a byte"} <= set(text)
        marks = (re.fullmatch(r"10(-?\d+)", each.replace("\N{MINUS SIGN}", "-").replace(" ", "")) for each in text)
        powers = {int(mark[1]) for mark in marks if mark}
        assert {-2, 4, 5, 15} <= powers, "the ends of both axes"


def test_what_is_refused_is_said() -> None:
    assert any("ascendc:910b2 matmul: it has <none>" in (p.text or "") for p in page().iter("p"))
