"""The page of a gap: a cell for each column, every point within its plot, what a device refuses said."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from uol.compilation.request import resolve_target
from uol.conformance.gap.attained import attained_of, reference_of
from uol.conformance.gap.groups import Group, Launch
from uol.conformance.gap.record import CaseGap, Cell, GroupOnTarget, Kernel
from uol.conformance.report.gap import HEIGHT, WIDTH, gap_page

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
    plots = [*page().iter("svg")]
    assert len(plots) == len(DEVICES)
    circles = [circle for plot in plots for circle in plot.iter("circle")]
    assert len(circles) == 2  # the product's two on the device that has it
    for circle in circles:
        assert 0 <= float(circle.get("cx", "nan")) <= WIDTH
        assert 0 <= float(circle.get("cy", "nan")) <= HEIGHT
    labels = [text.text for text in plots[0].iter("text")]
    assert "1 TFLOP/s" in labels and "1 MFLOP/s" in labels and labels[-1] == "1"


def test_what_is_refused_is_said() -> None:
    assert any("ascendc:910b2 matmul: it has <none>" in (p.text or "") for p in page().iter("p"))
