"""Reports as JUnit XML, which CI systems show as tables: a suite a target, a test case a check. What is refused is skipped,
with its reason; what failed to run is an error, what is wrong a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from uol.conformance.paths.record import PathReport
from uol.conformance.report.operators import OperatorReport

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no character for (section 2.2)."""


@dataclass(frozen=True, slots=True)
class _TestCase:
    suite: str
    group: str
    name: str
    status: str
    reason: str
    seconds: float = 0.0
    again: str = ""


def junit_of(report: PathReport | OperatorReport) -> str:
    """The XML as text."""
    cases = [*(_of_operators(report) if isinstance(report, OperatorReport) else _of_path(report)), *_of_cards(report)]
    root = ElementTree.Element("testsuites", {"name": "uol conform", **_counts(cases), "time": f"{report.seconds:.1f}"})
    where = {place.target: str(place) for place in report.places}
    for name in dict.fromkeys(case.suite for case in cases):
        own = [case for case in cases if case.suite == name]
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, **_counts(own)})
        if seconds := sum(case.seconds for case in own):
            suite.set("time", f"{seconds:.1f}")
        if name in where:
            properties = ElementTree.SubElement(suite, "properties")
            ElementTree.SubElement(properties, "property", name="place", value=where[name])
        for case in own:
            _append(suite, case)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _of_operators(report: OperatorReport) -> Iterator[_TestCase]:
    for v in report.verdicts:
        again = report.command(v) if v.state == "failed" else ""
        yield _TestCase(v.case.target, f"{v.case.op}.{v.case.dtype}", v.case.setting, v.status, v.reason, v.took_s, again)


def _of_path(report: PathReport) -> Iterator[_TestCase]:
    for check in report.checks:
        yield _TestCase(report.path, report.path, check.name, "pass" if check.ok else "breach", check.detail)
    for layer in report.layers:
        name = f"{layer.layers[0]} {layer.shape}"
        yield _TestCase(layer.target, f"{report.path}.{layer.op}", name, layer.status, layer.reason)


def _of_cards(report: PathReport | OperatorReport) -> Iterator[_TestCase]:
    for record in report.measured:
        for case in record.cases:
            status = "pass" if case.passed else "breach"
            yield _TestCase(record.label, f"{case.op}.{case.dtype}", case.name, status, case.reason)


def _counts(cases: list[_TestCase]) -> dict[str, str]:
    statuses = [case.status for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(sum(s in ("breach", "findings") for s in statuses)),
        "errors": str(statuses.count("failed")),
        "skipped": str(statuses.count("refused")),
    }


def _append(suite: ElementTree.Element, case: _TestCase) -> None:
    element = ElementTree.SubElement(suite, "testcase", classname=f"{case.suite}.{case.group}", name=_text(case.name))
    if case.seconds:
        element.set("time", f"{case.seconds:.3f}")
    reason = _text(case.reason)
    whole = reason + f"\nagain: {_text(case.again)}" * bool(case.again)
    match case.status:
        case "refused":
            ElementTree.SubElement(element, "skipped", message=f"refused: {reason}")
        case "failed":
            ElementTree.SubElement(element, "error", message=reason.partition("\n")[0]).text = whole
        case "breach" | "findings":
            failure = ElementTree.SubElement(element, "failure", type=case.status, message=reason.partition("\n")[0])
            failure.text = whole


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
