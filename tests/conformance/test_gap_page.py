"""The page of a gap: paths by devices first, a cell for each column, every point within its plot, refusals said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache

import pytest

from uol.compilation.request import resolve_target
from uol.conformance.gap.attained import attained_of, best_of
from uol.conformance.gap.control import judged
from uol.conformance.gap.record import CaseGap, Cell, Kernel, RowOnTarget, RowReference
from uol.conformance.gap.rows import BESIDE, Row
from uol.conformance.report.gap import gap_page

SVG = "{http://www.w3.org/2000/svg}"
DEVICES = ("cuda:a100", "ascendc:910b2")
ROWS = (Row("product", "forward", ("product",)), Row("copy", "backward", ("copy",)), Row(BESIDE["forward"], "forward", ()))
WORK = {"product": (3 << 21, 2 << 30), "copy": (2 << 20, 0)}


def on_device(seconds: float, refused: dict[str, str]) -> RowOnTarget:
    kernel = Kernel("matmul", "matmul", "Contract", "tile", 1, 1, 1, {}, seconds, "f32-vector")
    return RowOnTarget(() if refused else (kernel,), 0.0, refused)


def reference(row: Row, device: str) -> RowReference:
    if row.name not in WORK:
        return RowReference(0.0, 0.0, 0, 0, "")
    best = best_of(*WORK[row.name], attained_of(resolve_target(device).device, "f16"))
    return RowReference(best.seconds, best.launch, *WORK[row.name], best.bound)


def case() -> CaseGap:
    """A product that takes an hour on one device, far below what other plots show, and has no kernel on the other."""
    attained = {name: attained_of(resolve_target(name).device, "f16") for name in DEVICES}
    on = {
        "product": [on_device(3600.0, {}), on_device(0.0, {"matmul": "it has <none>"})],
        "copy": [on_device(1e-3, {})] * 2,
        BESIDE["forward"]: [on_device(5e-3, {})] * 2,
    }
    cells = {
        row.name: {device: Cell(reference(row, device), found) for device, found in zip(DEVICES, on[row.name], strict=True)}
        for row in ROWS
    }
    return CaseGap("moe", "one token", "f16", "routing is data", ROWS, attained, DEVICES, cells, {"cuda:a100": 0.5}, None)


@cache
def page() -> ET.Element:
    """Read as XML, but for what HTML has besides."""
    text = gap_page([case()]).removeprefix("<!DOCTYPE html>").replace("&minus;", "-")
    head, _, body = text.partition("<body>")
    assert "<script" not in text and "http" not in head
    return ET.fromstring(f"<body>{body.removesuffix('</html>').rstrip().removesuffix('</html>')}")


def table(name: str) -> list[list[str]]:
    (found,) = (each for each in page().iter("table") if each.get("id") == name)
    return [["".join(cell.itertext()) for cell in row] for row in found.iter("tr")]


def test_the_first_table_is_of_paths_by_devices() -> None:
    first = next(page().iter("table"))
    assert first.get("id") == "summary"
    head, row = table("summary")
    assert head == ["path, modelled, not validated", "type", *(f"eff {d}" for d in DEVICES), "gap", "vendors' own gap"]
    assert row == ["moe, one token", "f16", "0.0%", "0.0%", "100.0%", "none published"]


def test_the_vendors_own_stand_beside_it() -> None:
    head, *rows = table("control")
    assert head == ["published", *(f"eff {d}" for d in DEVICES), "their own gap"]
    (step,) = (row for row in rows if row[0] == "resnet50, a training step")
    assert all(re.fullmatch(r"\d+\.\d%", each) for each in step[1:])
    (grouped,) = (row for row in rows if row[0].startswith("grouped"))
    assert grouped[1:] == ["none published"] * 3


def test_every_published_time_has_its_source() -> None:
    _, *rows = table("published")
    assert len(rows) == len(judged()) and all(row[-1] for row in rows)


def test_rows_stand_by_what_is_lost_and_have_a_cell_for_every_column() -> None:
    first, second = (each for each in page().iter("table") if "lost" in (each.get("class") or ""))
    for found in (first, second):
        head, *rows = found.iter("tr")
        assert len(rows) == len(ROWS) and all(len(row) == len(head) == 10 for row in rows)
    text = [["".join(cell.itertext()) for cell in row] for row in first.iter("tr")][1:]
    assert [row[1] for row in text] == ["product", BESIDE["forward"], "copy"]
    assert text[1][3:] == ["5,000.0", "", "5,000.0", "f32-vector", "none", "", ""], "all of it is lost"
    text = [["".join(cell.itertext()) for cell in row] for row in second.iter("tr")][1:]
    assert [row[1:4] for row in text][0] == ["product", "forward", "refused"]


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


def test_axes_have_numbers_down_to_the_slowest_row() -> None:
    """The product makes 2^31 operations in an hour: 6e5 a second."""
    pytest.importorskip("matplotlib", reason="it draws the plots")
    for plot in page().iter(f"{SVG}svg"):
        text = [" ".join("".join(each.itertext()).split()) for each in plot.iter(f"{SVG}text")]
        assert {"operations a second", "operations a byte"} <= set(text)
        plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
        marks = (re.fullmatch(r"10(-?\d+)", each.translate(plain)) for each in text)
        powers = {int(mark[1]) for mark in marks if mark}
        assert {-2, 4, 5, 15} <= powers, "the ends of both axes"


def test_what_is_wide_scrolls_within_the_page() -> None:
    """A narrow screen has no room for a table of devices or a plot: it is moved within its box, and the page is not."""
    wide = ("table", f"{SVG}svg")
    boxes = [each for each in page().iter("div") if "wide" in (each.get("class") or "").split()]
    assert sum(part.tag in wide for box in boxes for part in box.iter()) == sum(part.tag in wide for part in page().iter())


def test_what_is_refused_is_said() -> None:
    assert any("ascendc:910b2 matmul: it has <none>" in (p.text or "") for p in page().iter("p"))
