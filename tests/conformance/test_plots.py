"""Plots in pages: both lines are seen, axes have numbers, a page needs nothing else and is small; wide tables scroll alone."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from uol.conformance.paths import task_of
from uol.conformance.paths.training.record import Course, TrainingRecord
from uol.conformance.report import plots
from uol.conformance.report.training import training_page

SVG = "{http://www.w3.org/2000/svg}"
LOSSES = [2.0 * math.exp(-n / 300) for n in range(1200)]
needs_library = pytest.mark.skipif(not plots.has_library(), reason="matplotlib draws the plots")


def drawn(**courses: list[float]) -> ET.Element:
    return ET.fromstring(plots.losses(courses))


def line(plot: ET.Element, name: str) -> ET.Element:
    (group,) = (g for g in plot.iter(f"{SVG}g") if g.get("id") == name)
    return next(group.iter(f"{SVG}path"))


def numbers(plot: ET.Element) -> set[float]:
    """Those that stand at the axes."""
    texts = ("".join(text.itertext()).strip().replace("\N{MINUS SIGN}", "-") for text in plot.iter(f"{SVG}text"))
    return {float(text) for text in texts if re.fullmatch(r"-?\d+(\.\d+)?", text)}


@needs_library
def test_of_two_lines_that_are_one_both_are_seen() -> None:
    plot = drawn(uol=LOSSES, pytorch=LOSSES)
    ours, theirs = line(plot, "loss-uol"), line(plot, "loss-pytorch")
    assert ours.get("d") == theirs.get("d")
    styles = [dict(part.split(": ") for part in each.get("style", "").split("; ")) for each in (ours, theirs)]
    assert [style["stroke"] for style in styles] == ["var(--ours)", "var(--theirs)"]
    assert float(styles[0]["stroke-width"]) > float(styles[1]["stroke-width"])
    assert "stroke-dasharray" in styles[1] and "stroke-dasharray" not in styles[0]
    order = [g.get("id") for g in plot.iter(f"{SVG}g") if g.get("id", "").startswith("loss-")]
    assert order == ["loss-uol", "loss-pytorch"], "the narrow line lies on the wide one"


@needs_library
def test_axes_have_numbers_and_the_difference_is_drawn() -> None:
    plot = drawn(uol=[loss + 0.001 for loss in LOSSES], pytorch=LOSSES)
    assert {0.0, 1.0, 2.0, 200.0, 1000.0} <= numbers(plot)
    assert line(plot, "difference") is not None
    words = {"".join(text.itertext()).strip() for text in plot.iter(f"{SVG}text")}
    assert {"loss", "step", "uol", "pytorch", "uol − pytorch"} <= words


@needs_library
def test_a_side_alone_and_losses_that_are_not_finite() -> None:
    assert "difference" not in {g.get("id") for g in drawn(uol=LOSSES).iter(f"{SVG}g")}
    assert "nan" not in plots.losses({"uol": [*LOSSES[:5], math.nan, math.inf], "pytorch": LOSSES[:5]})
    assert plots.losses({"uol": [], "pytorch": []}) == ""
    assert plots.losses({"uol": [math.nan]}) == ""


def record() -> TrainingRecord:
    courses = {side: Course([*LOSSES * 50], {100: 0.5}, 12.0) for side in ("uol", "pytorch")}
    return TrainingRecord("resnet50", "accuracy", 0, task_of("resnet50").recipe, courses)


@needs_library
def test_a_page_needs_nothing_else_and_stays_small() -> None:
    page = training_page(record())
    assert len(page) < 200_000
    named = set(re.findall(r"https?://[^\"' ]+", page))
    assert named == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}, "names of XML, which nobody fetches"
    assert "<script" not in page and "@import" not in page and "url(http" not in page
    assert training_page(record()) == page, "the same figures give the same page"


def test_without_matplotlib_the_page_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "has_library", lambda: False)
    page = training_page(record())
    assert "no plot: matplotlib is not installed (pip install &#39;uol[paths]&#39;)" in page
    assert "<svg" not in page


class Tables(HTMLParser):
    """Counts tables and plots outside of boxes that scroll."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes: list[bool] = []
        self.bare = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "div":
            self.boxes.append("wide" in (dict(attrs).get("class") or "").split())
        self.bare += tag in ("table", "svg") and not any(self.boxes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self.boxes.pop()


ROOM = files("uol.conformance.report")


@pytest.mark.parametrize("name", [file.name for file in ROOM.iterdir() if file.name.endswith(".html.j2")])
def test_what_may_be_wider_than_a_page_scrolls_within_itself(name: str) -> None:
    tables = Tables()
    tables.feed(ROOM.joinpath(name).read_text(encoding="utf-8"))
    assert tables.bare == 0
    assert tables.boxes == []
