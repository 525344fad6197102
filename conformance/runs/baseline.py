"""A report beside an earlier one: what fails that did not, what is gone, what is mended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from uol.conformance.runs.shards import WHOLE, Shard
from uol.ir.errors import ResourceError, UolError

State = Literal["passed", "failed", "refused"]
HINT = "give the report.json that `uol conform --report DIR` wrote"
_STATES: Mapping[str, State] = {"pass": "passed", "refused": "refused"}


@dataclass(frozen=True, slots=True)
class Result:
    """A case or check of a report. `shard_name`: what decides which shard it is in; empty for what is in all of them."""

    state: State
    reason: str = ""
    shard_name: str = ""


Results = Mapping[str, Result]
"""By the name of a case, with its target."""


@dataclass(frozen=True, slots=True)
class Change:
    """A case whose state is another than in the baseline, and what is said of it now, or was."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}" if self.reason else self.name


@dataclass(frozen=True, slots=True)
class Compared:
    """What has changed since a baseline.

    new         what fails and did not
    lost        what was there and is not
    withdrawn   what passed and is refused
    fixed       what failed and passes, or is refused for a reason that is known
    known       how many fail as before
    """

    baseline: str
    new: tuple[Change, ...]
    lost: tuple[Change, ...]
    withdrawn: tuple[Change, ...]
    fixed: tuple[Change, ...]
    known: int

    @property
    def ok(self) -> bool:
        """Is nothing new, lost or withdrawn?"""
        return not (self.new or self.lost or self.withdrawn)

    @property
    def summary(self) -> str:
        """`"beside old/report.json: 1 new failure, 0 lost, ..."`."""
        counts = f"{len(self.new)} new {'failure' if len(self.new) == 1 else 'failures'}, {len(self.lost)} lost, "
        counts += f"{len(self.withdrawn)} withdrawn, {len(self.fixed)} fixed, {self.known} failed as before"
        return f"beside {self.baseline}: {counts}"

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The results of an earlier report, and where it was."""

    name: str
    results: Results

    def compared(self, report: Mapping[str, Any], shard: Shard = WHOLE) -> Compared:
        """What the record of a report, or of a shard of a run, has in other states."""
        now = results_of(report)
        before = {n: r for n, r in self.results.items() if not r.shard_name or shard.takes(r.shard_name)}
        failed = {name for name, each in before.items() if each.state == "failed"}
        return Compared(
            self.name,
            new=tuple(Change(n, r.reason) for n, r in now.items() if r.state == "failed" and n not in failed),
            lost=tuple(Change(n, f"it {_had(r.state)}") for n, r in before.items() if n not in now),
            withdrawn=tuple(Change(n, r.reason) for n, r in now.items() if r.state == "refused" and _passed(before.get(n))),
            fixed=tuple(Change(n, before[n].reason) for n in before if n in failed and n in now and now[n].state != "failed"),
            known=sum(n in failed for n, r in now.items() if r.state == "failed"),
        )


def _had(state: State) -> str:
    return {"passed": "passed", "failed": "had failed", "refused": "was refused"}[state]


def _passed(result: Result | None) -> bool:
    return result is not None and result.state == "passed"


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file. Raises ResourceError where it cannot be read, UolError where it is no report of `uol conform`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResourceError(f"cannot read {str(path)!r}: {error.strerror or error}", hint=HINT) from error
    except (ValueError, RecursionError) as error:
        raise UolError(f"{str(path)!r} is no report: it is not JSON", hint=HINT) from error
    if not isinstance(data, dict) or data.get("kind") not in ("operators", "path"):
        raise UolError(f"{str(path)!r} is no report: its kind is neither 'operators' nor 'path'", hint=HINT)
    try:
        return Baseline(str(path), results_of(data))
    except (KeyError, TypeError, AttributeError) as error:
        raise UolError(f"{str(path)!r} is no report: {type(error).__name__}: {error}", hint=HINT) from error


def results_of(report: Mapping[str, Any]) -> Results:
    """The cases and checks of a report's plain data by their names. Raises KeyError or TypeError where it is none."""
    own = _of_operators(report) if report["kind"] == "operators" else _of_path(report)
    return {name: result for found in (own, _of_cards(report)) for name, result in found}


def _of_operators(report: Mapping[str, Any]) -> Iterator[tuple[str, Result]]:
    for case in report["cases"]:
        layout = "" if case["arrangement"] == "row-major" else f", {case['arrangement']}"
        sizes = "" if case["sizes"] == "fixed" else ", by kernels of any size"
        how = (", in one order" if case.get("deterministic") else "") + (", in TF32" if case.get("tf32") else "")
        setting = f"{case['workload']} on {case['inputs']} inputs{layout}{sizes}{how}"
        subject = f"{case['op']} {case['dtype']} {setting}; seed {case['seed']}"
        yield f"{case['target']}: {subject}", Result(case["state"], case["reason"], subject)


def _of_path(report: Mapping[str, Any]) -> Iterator[tuple[str, Result]]:
    for check in report["checks"]:
        yield f"{report['path']}: {check['name']}", Result("passed" if check["ok"] else "failed", check["detail"])
    for layer in report["layers"]:
        name = f"{layer['target']}: {layer['layers'][0]}, {layer['op']} {layer['shape']}"
        yield name, Result(_STATES.get(layer["status"], "failed"), layer["reason"])


def _of_cards(report: Mapping[str, Any]) -> Iterator[tuple[str, Result]]:
    for record in report["measured"]:
        for case in record["cases"]:
            yield f"{record['label']}: {case['name']}", Result("passed" if case["passed"] else "failed", case["reason"])
