"""What is kept of a run, as JSON of the form that `bench.schema.json` describes; and how a later run stands beside it."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

from uol.backends.cpu.host import core_count
from uol.conformance.bench.machine_load import Disturbance
from uol.conformance.bench.measurement import Key, Outcome, Timing, geometric_means
from uol.conformance.bench.peak_memory import Memory
from uol.conformance.bench.peaks import Peaks
from uol.conformance.bench.turns import Turns
from uol.conformance.bench.work import Work
from uol.conformance.cases.machine import processor, versions
from uol.conformance.runs.record_file import RecordFile
from uol.ir.errors import ResourceError, UolError
from uol.json_text import json_text
from uol.whole_file import replacing

KIND, FORMAT = "uol bench", 1
FILE = RecordFile("uol bench", KIND, FORMAT, "give a file that `uol bench --json` wrote")
Verdict = Literal["passed", "slower", "not judged", "not compared"]
TIMES = ("uol_ms", "pytorch_ms", "ratio", "low", "high")
LEAST = 0.95
"""Of the record's ratio: what a row must still have. Repeated runs of one commit differ by less on a quiet machine."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What two runs must have in common to be compared."""

    suite: str
    quick: bool
    threads: int

    @staticmethod
    def of(suite: str, *, quick: bool) -> Settings:
        """Those of this process."""
        return Settings(suite, quick, core_count())


@dataclass(frozen=True, slots=True)
class Record:
    """A run: every pass with its times, or with the reason why it has none. Of several `processes` they are those of the middle
    one. `compiled` are times beside torch.compile, `memory` peaks of models, of the passes that have times, where they were
    asked for."""

    settings: Settings
    processor: str
    outcomes: Mapping[Key, Outcome]
    works: Mapping[Key, Work] = field(default_factory=dict)
    peaks: Peaks | None = None
    compiled: Mapping[Key, Outcome] = field(default_factory=dict)
    memory: Mapping[Key, Memory | str] = field(default_factory=dict)
    processes: int = 1

    @property
    def timings(self) -> dict[Key, Timing]:
        return {key: found for key, found in self.outcomes.items() if isinstance(found, Timing)}

    @property
    def disturbed(self) -> dict[Key, tuple[str, ...]]:
        """The passes that were measured while the machine was not quiet, and what tells so."""
        return {key: timing.disturbance.reasons for key, timing in self.timings.items() if not timing.is_judged}

    @property
    def failed(self) -> dict[Key, str]:
        return {key: found for key, found in self.outcomes.items() if isinstance(found, str)}

    def rate(self, key: Key) -> Rate | None:
        """Operations or bytes in a second, whichever is nearer to what the machine can do; None where they are not counted."""
        timing, work = self.outcomes[key], self.works.get(key)
        if self.peaks is None or work is None or not isinstance(timing, Timing):
            return None
        found = (
            Rate(work.operations / timing.uol_ms / 1e6, "GF/s", self.peaks.gflops),
            Rate(work.bytes / timing.uol_ms / 1e6, "GB/s", self.peaks.gbytes),
        )
        return max(found, key=lambda rate: rate.share)


@dataclass(frozen=True, slots=True)
class Rate:
    """In 1e9 a second, and what of it this machine can do."""

    value: float
    unit: Literal["GF/s", "GB/s"]
    peak: float

    @property
    def share(self) -> float:
        """Of the peak; of bytes that stay in the caches, it may be more than 1."""
        return self.value / self.peak


def record_of(
    settings: Settings, outcomes: Mapping[Key, Outcome], works: Mapping[Key, Work], peaks: Peaks | None = None
) -> Record:
    """A run on this machine."""
    return Record(settings, processor(), outcomes, works, peaks)


def as_json(record: Record, turns: Turns, verdict: Verdict) -> dict[str, object]:
    """As plain data."""
    return {
        "kind": KIND,
        "format": FORMAT,
        **asdict(record.settings),
        "turns": turns.count,
        "processes": record.processes,
        "processor": record.processor,
        "versions": versions(),
        **({} if record.peaks is None else {"peaks": asdict(record.peaks)}),
        "verdict": verdict,
        "rows": [_key(key) | _times(timing) | _further(record, key) for key, timing in record.timings.items()],
        "failed": [_key(key) | {"reason": reason} for key, reason in record.failed.items()],
        "geometric_means": geometric_means(record.timings),
    }


def _key(key: Key) -> dict[str, object]:
    return {"family": key.family, "row": key.row, "pass": key.passed}


def _times(timing: Timing) -> dict[str, object]:
    """The numbers of a pass, and what of its machine is known."""
    found = asdict(timing)
    known = {name: number for name, number in found.pop("disturbance").items() if number is not None}
    return found | ({"machine": known | {"quiet": timing.is_judged}} if known else {})


def _further(record: Record, key: Key) -> dict[str, object]:
    """What not every run has of a pass."""
    found: dict[str, object] = {}
    if (rate := record.rate(key)) is not None:
        found |= {"rate": rate.value, "unit": rate.unit, "share": rate.share}
    if (compiled := record.compiled.get(key)) is not None:
        times = {"ms": compiled.pytorch_ms, "ratio": compiled.ratio} if isinstance(compiled, Timing) else None
        found["compiled"] = times or {"reason": compiled}
    if (memory := record.memory.get(key)) is not None:
        peaks = asdict(memory) | {"ratio": memory.ratio} if isinstance(memory, Memory) else None
        found["memory"] = peaks or {"reason": memory}
    return found


def schema() -> dict[str, object]:
    """The JSON schema (draft 2020-12) of a record."""
    text = files("uol.conformance.bench").joinpath("bench.schema.json").read_text(encoding="utf-8")
    return cast(dict[str, object], json.loads(text))


def require_writable(path: Path) -> None:
    """Before minutes of work, not after. Raises ResourceError."""
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "Is a directory")
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_record(path: Path, record: Record, turns: Turns, verdict: Verdict) -> None:
    """Whole or not at all. Raises ResourceError where it cannot."""
    try:
        with replacing(path) as file:
            file.write((json_text(as_json(record, turns, verdict), indent=1) + "\n").encode())
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ResourceError:
    message = f"the record cannot be written to {str(path)!r}: {error.strerror or error}"
    return ResourceError(message, hint="choose another file with --json")


def read_record(path: Path) -> Record:
    """A record that was written before. Raises ResourceError for a file that cannot be read, UolError for one that is none."""
    return FILE.read(path, _record)


def _record(data: Mapping[str, Any]) -> Record:
    settings = Settings(str(data["suite"]), bool(data["quick"]), int(data["threads"]))
    outcomes: dict[Key, Outcome] = {_key_of(row): _timing(row) for row in data["rows"]}
    outcomes |= {_key_of(row): str(row["reason"]) for row in data["failed"]}
    return Record(settings, str(data["processor"]), outcomes)


def _key_of(row: Mapping[str, Any]) -> Key:
    return Key(row["family"], row["row"], row["pass"])


def _timing(row: Mapping[str, Any]) -> Timing:
    numbers = {name: float(row[name]) for name in TIMES}
    for name, number in numbers.items():
        if not (number > 0 and math.isfinite(number)):
            raise ValueError(f"{name} of {row['row']} is {number}")
    known = {name: float(number) for name, number in row.get("machine", {}).items() if name != "quiet"}
    return Timing(**numbers, disturbance=Disturbance(**known))


def require_comparable(settings: Settings, planned: Collection[Key], before: Record) -> None:
    """Raises UolError where a run of these passes with these settings would say nothing beside the record."""
    for name, now in asdict(settings).items():
        then = getattr(before.settings, name)
        if then != now:
            hint = {"suite": f"--suite {then}", "quick": "measure both with --quick, or neither"}
            hint["threads"] = f"set UOL_NUM_THREADS={then}"
            raise UolError(f"the record's {name} is {then!r}, here it is {now!r}", hint=hint[name])
    if before.timings.keys().isdisjoint(planned):
        raise UolError("none of the passes is in the record", hint="`uol bench --list` shows those of this run")


def of_record(record: Record, before: Record) -> dict[Key, float]:
    """For each pass that both have: this run's ratio / the record's. Below 1, uol has become slower beside PyTorch."""
    then = before.timings
    return {key: timing.ratio / then[key].ratio for key, timing in record.timings.items() if key in then}


def slower(compared: Mapping[Key, float]) -> dict[Key, float]:
    """The passes under `LEAST`, the worst first."""
    return dict(sorted(((k, r) for k, r in compared.items() if r < LEAST), key=lambda item: item[1]))


def disturbed(record: Record, before: Record | None) -> dict[Key, tuple[str, ...]]:
    """The passes that are not judged, and why: of this run, or of the record that they are compared with."""
    earlier = {} if before is None else before.disturbed
    reasons = {key: tuple(f"in the record {reason}" for reason in earlier.get(key, ())) for key in record.timings}
    found = {key: (*record.disturbed.get(key, ()), *reasons[key]) for key in record.timings}
    return {key: why for key, why in found.items() if why}


def verdict_of(record: Record, before: Record | None) -> Verdict:
    """Whether a pass that was measured on a quiet machine is under `LEAST` of its ratio in the record, or whether the machine
    was too busy to say so of some."""
    compared, unjudged = {} if before is None else of_record(record, before), disturbed(record, before)
    if slower({key: ratio for key, ratio in compared.items() if key not in unjudged}):
        return "slower"
    if not unjudged.keys().isdisjoint(compared if before is not None else record.timings):
        return "not judged"
    return "passed" if compared else "not compared"
