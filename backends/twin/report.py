"""What a twin's process reported, as findings: program counters become lines of the emitted text."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from uol.backends.toolchain.running import run_to_end
from uol.backends.twin.cache import Built
from uol.backends.twin.record import Finding, Job
from uol.backends.twin.reuse import Refill


class RawFinding(TypedDict):
    kind: str
    launch: int
    line: int
    pc: int
    count: int
    message: str


class RawSize(TypedDict):
    launch: int
    name: str
    bytes: int


class RawRefill(TypedDict):
    launch: int
    memory: str
    begin: int
    end: int
    times: int


class Raw(TypedDict):
    """The report as `common/uol_report.cpp` writes it."""

    findings: list[RawFinding]
    counts: dict[str, int]
    sizes: list[RawSize]
    refills: list[RawRefill]


@dataclass(frozen=True, slots=True)
class Report:
    """`sizes`: on-chip bytes by (launch, memory), as the process found them; `refills`: those that were filled again."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    sizes: dict[tuple[int, str], int]
    refills: tuple[Refill, ...]


def read_report(path: Path, job: Job, built: Built) -> Report | None:
    """The report of a finished process; None where it wrote none."""
    try:
        raw: Raw = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    lines = resolve({f["pc"] for f in raw["findings"] if f["pc"]}, built)
    kernels = job.module.kernels
    findings = [
        Finding(
            f["kind"],
            f["message"],
            kernels[f["launch"]].name if f["launch"] < len(kernels) else "",
            lines[f["pc"]] if f["pc"] else f["line"],
            f["count"],
        )
        for f in raw["findings"]
    ]
    sizes = {(s["launch"], s["name"]): s["bytes"] for s in raw["sizes"]}
    return Report(merge(findings), raw["counts"], sizes, tuple(Refill(**r) for r in raw["refills"]))


def merge(findings: list[Finding]) -> tuple[Finding, ...]:
    """One finding per kind, kernel and line: the compiler may have made several instructions of a statement."""
    merged: dict[tuple[str, str, int], Finding] = {}
    for finding in findings:
        key = (finding.kind, finding.kernel, finding.line)
        first = merged.get(key)
        merged[key] = finding if first is None else replace(first, count=first.count + finding.count)
    return tuple(sorted(merged.values(), key=lambda f: (f.kernel, f.line, f.kind)))


def resolve(pcs: set[int], built: Built) -> dict[int, int]:
    """Return addresses to lines of the text. An address within a function of a header that was inlined into the text
    gets the line of the call. 0 where the debug information knows none."""
    if not pcs:
        return {}
    ordered = sorted(pcs)
    # One byte back: a return address belongs to the instruction after the call.
    command = ["addr2line", "-e", str(built.executable), "-a", "-i", *(hex(pc - 1) for pc in ordered)]
    try:
        output = run_to_end(command).stdout
    except FileNotFoundError:
        return dict.fromkeys(ordered, 0)
    chains: list[list[str]] = []
    for line in output.splitlines():
        if line.startswith("0x"):
            chains.append([])
        elif chains:
            chains[-1].append(line)
    return {pc: line_in(chain, built.text) for pc, chain in zip(ordered, chains, strict=False)} | {
        pc: 0 for pc in ordered[len(chains) :]
    }


def line_in(chain: list[str], text: str) -> int:
    """The innermost frame of an inlining chain ("file:line" each) that is in the text."""
    for frame in chain:
        file, _, line = frame.partition(" (")[0].rpartition(":")
        if file.endswith("/" + text) or file == text:
            return int(line) if line.isdigit() else 0
    return 0
