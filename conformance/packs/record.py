"""What a pack's runner found on a card, read here: every figure in it was measured there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from uol.conformance.packs.runner.report import FORMAT, KIND
from uol.conformance.packs.runner.seals import spoilt
from uol.conformance.runs.record_file import RecordFile
from uol.ir.errors import UolError

FILE = RecordFile("a pack", KIND, FORMAT, "give a file that `python run.py` of a pack wrote")

FIELDS = ("kind", "format", "when", "card", "clocks_at_the_end", "software", "pack", "cases")
OF_CASE = ("name", "op", "dtype", "status", "reason", "predicted_us", "roofline_us", "roofline_bound")
"""What a record, and each of its cases, must have."""
SHOWN = 5
"""Fields that are named of those that are wrong."""
AGAIN = "take the file as `python run.py` wrote it, or run the pack again"


@dataclass(frozen=True, slots=True)
class Timed:
    """Microseconds of a call: the median, and the quartiles around it."""

    median: float
    lower: float
    upper: float

    @property
    def spread(self) -> str:
        return f"{self.lower:.2f}-{self.upper:.2f}"


@dataclass(frozen=True, slots=True)
class Measured:
    """A case on the card.

    share      the largest error as a share of what is admitted; None of a case that did not run
    binary     "native", or "portable": compiled by the card's driver
    repeatable  did a second run give the same bits? None where there was none
    pytorch_form    the fastest of PyTorch's ways to write it, where it has several
    ratio      PyTorch's time over uol's, turn by turn: above 1 is faster than PyTorch
    predicted_us    its kernels' time by the model, which the pack held before anything had run
    """

    name: str
    op: str
    dtype: str
    passed: bool
    reason: str
    share: float | None
    binary: str
    repeatable: bool | None
    time: Timed | None
    pytorch: Timed | None
    pytorch_reason: str
    pytorch_form: str
    ratio: Timed | None
    predicted_us: float
    roofline_us: float | None
    roofline_bound: str

    @property
    def of_predicted(self) -> float | None:
        """The measured time over the predicted one: above 1 is slower than the model has it."""
        return self.time.median / self.predicted_us if self.time and self.predicted_us else None

    @property
    def of_roofline(self) -> float | None:
        """The roofline's time over uol's."""
        return self.roofline_us / self.time.median if self.time and self.roofline_us is not None else None


@dataclass(frozen=True, slots=True)
class CardRecord:
    """A run of a pack. `facts`: card, driver, clocks, software, and what the pack was made of, by name."""

    card: str
    target: str
    when: str
    facts: Mapping[str, str]
    cases: tuple[Measured, ...]

    @property
    def failures(self) -> tuple[Measured, ...]:
        return tuple(case for case in self.cases if not case.passed)

    @property
    def label(self) -> str:
        """`"cuda:h100: measured on NVIDIA H100 80GB HBM3"`."""
        return f"{self.target}: measured on {self.card}"

    @property
    def summary(self) -> str:
        """`"600 passed, 2 failed"`."""
        return f"{len(self.cases) - len(self.failures):,} passed, {len(self.failures):,} failed"

    def as_json(self) -> dict[str, object]:
        """As reports hold it."""
        return {
            "label": self.label,
            "target": self.target,
            "card": self.card,
            "when": self.when,
            "facts": dict(self.facts),
            "ok": not self.failures,
            "cases": [_json_of(case) for case in self.cases],
        }


def _json_of(case: Measured) -> dict[str, object]:
    each = (("time_us", case.time), ("pytorch_us", case.pytorch), ("pytorch_ratio", case.ratio))
    times = {name: None if t is None else t.median for name, t in each}
    fields = (
        *("name", "op", "dtype", "passed", "reason", "share", "binary", "repeatable"),
        *("pytorch_reason", "pytorch_form", "predicted_us", "roofline_us", "roofline_bound"),
    )
    return {name: getattr(case, name) for name in fields} | times


def read_card_record(path: Path) -> CardRecord:
    """The record in a file. Raises ResourceError where it cannot be read, UolError where it is none, or where a field is
    missing or was changed since it was measured: it names the field."""
    return FILE.read(path, _record)


def _record(data: Mapping[str, Any]) -> CardRecord:
    if wrong := list(islice(spoilt(data, FIELDS, OF_CASE), SHOWN)):
        raise UolError(f"the record is not what the runner wrote: {'; '.join(wrong)}", hint=AGAIN)
    card, pack = data["card"], data["pack"]
    facts = {
        "card": ", ".join(f"{name} {value}" for name, value in card.items()),
        "clocks at the end": ", ".join(f"{name} {value}" for name, value in data["clocks_at_the_end"].items()) or "not known",
        "software": ", ".join(f"{name} {value}" for name, value in data["software"].items()),
        "pack": f"{pack['selection']}; part {pack['part'][0]} of {pack['part'][1]}; {pack['made_by']}, {pack['compiler']}",
    }
    cases = tuple(_case(each) for each in data["cases"])
    if not cases:
        raise ValueError("there are no cases")
    return CardRecord(str(card["name"]), str(pack["target"]), str(data["when"]), facts, cases)


def _case(data: Mapping[str, Any]) -> Measured:
    share, roofline = data.get("share"), data["roofline_us"]
    return Measured(
        name=str(data["name"]),
        op=str(data["op"]),
        dtype=str(data["dtype"]),
        passed=data["status"] == "passed",
        reason=str(data["reason"]),
        share=None if share is None else float(share),
        binary=str(data.get("binary", "")),
        repeatable=data.get("repeatable"),
        time=_timed(data.get("time_us")),
        pytorch=_timed(data.get("pytorch_us")),
        pytorch_reason=str(data.get("pytorch_reason", "")),
        pytorch_form=str(data.get("pytorch_form", "")),
        ratio=_timed(data.get("pytorch_ratio")),
        predicted_us=float(data["predicted_us"]),
        roofline_us=None if roofline is None else float(roofline),
        roofline_bound=str(data["roofline_bound"]),
    )


def _timed(data: Mapping[str, float] | None) -> Timed | None:
    if data is None:
        return None
    found = Timed(*(float(data[name]) for name in ("median", "lower", "upper")))
    if not 0 < found.median < float("inf"):
        raise ValueError(f"a time is {found.median}")
    return found
