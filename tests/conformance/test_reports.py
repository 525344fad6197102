"""Reports as files: JSON of the schema, JUnit XML, a page that is well formed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.cases.agreement import Run, Subject, agreements
from uol.conformance.cases.selection import LeftOut
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.packs.record import CardRecord, Measured, Timed
from uol.conformance.paths.record import Check, LayerResult, PathReport
from uol.conformance.report.files import schema, write_report
from uol.conformance.report.junit import junit_of
from uol.conformance.report.operators import OperatorReport
from uol.conformance.report.page import page_of
from uol.conformance.runs.baseline import Baseline, results_of
from uol.conformance.runs.provenance import Commit, Provenance
from uol.ops.workloads import Workload

jsonschema = pytest.importorskip("jsonschema", reason="it holds reports against their schema")

GOOD = Comparison(True, "", 10, max_abs=1e-6, max_rel=1e-6, max_ulp=3.0, share=0.25, scale=2.0)


def operators() -> OperatorReport:
    case = Case("relu", "cuda:a100", "f32", Workload("relu", {"S": (2,)}))
    wrong = Comparison(False, "NaN at [0] <&>", 10, max_abs=math.nan, share=math.inf)
    verdicts = (
        Verdict(replace(case, target="cpu:host"), "pass", "", GOOD, GOOD, GOOD, (), 1, {"loads": 3}),
        Verdict(case, "breach", "golden: NaN at [0] <&>", wrong, None, GOOD),
        Verdict(replace(case, op="neg"), "failed", "ValueError: \x00 in a reference\nand more"),
        Verdict(replace(case, target="hip:mi250x"), "refused", "no f64 on this machine"),
    )
    runs = [Run("cpu:host", np.float32([1, 2])), Run("cuda:a100", np.float32([1, math.nan]))]
    between = tuple(agreements(Subject("relu", "f32", "relu[S=2]"), np.array([1.0, 2.0]), "f32", runs))
    left_out = (LeftOut("relu", "bool", "relu does not admit bool"),)
    targets = ("cpu:host", "cuda:a100", "hip:mi250x")
    origin = Provenance(Commit("5f3a90c2b1d7e8465f3a90c2b1d7e8465f3a90c2", dirty=True), {"Python": "3.11.7"})
    return OperatorReport(targets, verdicts, between, left_out, {"seed": "0"}, 1.5, (measured(),), origin)


def measured() -> CardRecord:
    time = Timed(10.0, 9.0, 12.0)
    known = ("relu f32", "relu", "f32", True, "", 0.5, "native", True)
    good = Measured(*known, time, None, "no PyTorch <&>", "", None, 5.0, 2.5, "bandwidth")
    return CardRecord("Made Up 100", "cuda:h100", "2026-01-01", {"software": "none"}, (good,))


def path() -> PathReport:
    layers = (
        LayerResult("cpu", "relu", ("a", "b"), "1x2 -> 1x2", 1, "pass", "", GOOD, GOOD, (), 12.5, 30.0),
        LayerResult("hip", "relu", ("a", "b"), "1x2 -> 1x2", 0, "refused", "no such tile"),
    )
    return PathReport("tiny", (Check("logits", True, "fine"),), layers, {"picture": "none"}, 12.0, (), (measured(),))


@pytest.mark.parametrize("report", [operators(), path()], ids=["operators", "path"])
def test_json_is_of_the_schema(report: OperatorReport | PathReport, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    data = json.loads(write_report(report, tmp_path).data.read_text())
    jsonschema.validate(data, schema())


@pytest.mark.parametrize("change", [{"ok": "yes"}, {"unknown": 1}, {"cases": []}, {"kind": "path"}])
def test_the_schema_refuses_other_forms(change: dict[str, object], tmp_path: Path) -> None:
    data = json.loads(write_report(operators(), tmp_path).data.read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | change, schema())


def test_json_beside_a_baseline_is_of_the_schema(tmp_path: Path) -> None:
    report = operators()
    before = {"kind": "operators", "cases": [], "measured": []}
    compared = Baseline("old.json", results_of(before)).compared(report.record())
    data = json.loads(write_report(replace(report, compared=compared), tmp_path).data.read_text())
    jsonschema.validate(data, schema())
    assert [change["name"] for change in data["baseline"]["new"]] == [
        "cuda:a100: relu f32 relu[S=2] on random inputs; seed 0",
        "cuda:a100: neg f32 relu[S=2] on random inputs; seed 0",
    ]


def test_a_report_says_what_it_is_of_and_how_a_failure_is_seen_again(tmp_path: Path) -> None:
    written = write_report(operators(), tmp_path)
    data = json.loads(written.data.read_text())
    assert data["commit"] == {"hash": "5f3a90c2b1d7e8465f3a90c2b1d7e8465f3a90c2", "dirty": True}
    assert data["environment"] == {"Python": "3.11.7"}
    command = "uol conform --op relu --target cuda:a100 --dtype f32 --case 'relu[S=2] on random inputs'"
    assert [case["repeat"] for case in data["cases"]][:2] == ["", command]
    text = " ".join(Page(written.page.read_text()).words)
    assert "commit 5f3a90c2b1d7, with changes that are not committed Python 3.11.7" in text
    assert command in text
    assert command in written.junit.read_text()


def test_the_times_of_cases_add_up(tmp_path: Path) -> None:
    report = operators()
    timed = replace(report, verdicts=tuple(replace(v, took_s=1.5 + n) for n, v in enumerate(report.verdicts)))
    data = json.loads(write_report(timed, tmp_path).data.read_text())
    assert data["case_seconds"] == sum(case["seconds"] for case in data["cases"]) == 12.0
    root = ElementTree.fromstring((tmp_path / "junit.xml").read_bytes())
    assert sum(float(suite.get("time", 0)) for suite in root) == 12.0
    assert sum(float(case.get("time", 0)) for case in root.iter("testcase")) == 12.0


def test_states_and_totals() -> None:
    report = operators()
    assert report.totals == {"passed": 1, "failed": 2, "refused": 1}
    assert report.summary == "1 passed, 2 failed, 1 refused; left out: 1 type that an operator does not admit"
    assert not report.ok
    assert replace(report, verdicts=(report.verdicts[0], report.verdicts[3])).ok
    assert replace(report.verdicts[3], reason="").state == "failed"  # a refusal that says nothing is none


def test_junit_has_a_suite_a_target_and_a_kind_a_state() -> None:
    root = ElementTree.fromstring(junit_of(operators()).encode())
    counts = ("tests", "failures", "errors", "skipped")
    assert [root.get(name) for name in counts] == ["5", "1", "1", "1"]
    suites = {suite.get("name"): suite for suite in root}
    assert [suites["cuda:a100"].get(name) for name in counts] == ["2", "1", "1", "0"]
    assert "emulated, no silicon" in suites["cuda:a100"].find("properties/property").get("value")
    (skipped,) = suites["hip:mi250x"].iter("skipped")
    assert skipped.get("message") == "refused: no f64 on this machine"
    (failure,) = root.iter("failure")
    assert failure.get("message") == "golden: NaN at [0] <&>"
    (error,) = root.iter("error")
    assert error.get("message") == "ValueError: \N{REPLACEMENT CHARACTER} in a reference"


def test_junit_of_a_path_has_its_checks_and_layers() -> None:
    root = ElementTree.fromstring(junit_of(path()).encode())
    assert [suite.get("name") for suite in root] == ["tiny", "cpu", "hip", "cuda:h100: measured on Made Up 100"]
    assert [root.get(name) for name in ("tests", "failures", "skipped")] == ["4", "0", "1"]


class Page(HTMLParser):
    """The tags that are open, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {name for name, _ in attrs} & {"src", "href"}
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_the_page_says_what_ran_where_and_what_came_of_it() -> None:
    page = Page(page_of(operators()))
    assert page.open == []
    text = " ".join(page.words)
    top = text[: text.index("Failures")]
    assert "Checks failed. 1 passed, 2 failed, 1 refused" in top
    assert "cpu:host: run here, on this CPU" in top
    assert "cuda:a100: emulated, no silicon: the emitted text in the twin on this CPU" in top
    assert "golden: NaN at [0] <&>" in text
    assert "hip:mi250x no f64 on this machine 1 relu f32" in text
    assert "cpu:host, cuda:a100 f32 1 0" in text  # one result, not equal
    assert "relu does not admit bool" in text


def test_a_page_without_failures_and_with_one_target() -> None:
    report = operators()
    alone = replace(report, targets=("cpu:host",), verdicts=report.verdicts[:1], agreements=(), left_out=())
    text = " ".join(Page(page_of(alone)).words)
    assert "Every check passed" in text
    for title in ("Failures", "Refused", "How targets agree", "Left out"):
        assert title not in text
