"""The support matrix: which operator runs on which target in which type. Generated from runs, never written.

`python -m uol.conformance.support -o support.json` runs every case of every operator; it takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from uol.backends import registry
from uol.catalogue import find_operator
from uol.conformance.sweep import cases_of, types_of
from uol.conformance.twin_check import BATCH, check
from uol.conformance.verdict import Case, Verdict
from uol.ir.gradients import has_gradient
from uol.ir.library import GRADIENT
from uol.ops.texts import family_of, names

State = Literal["supported", "partly", "refused", "wrong"]
"""supported  every case passed
partly     some cases passed, the others were refused with a reason
refused    every case was refused
wrong      a case broke its contract, had a finding, or failed"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One operator on one target in one type."""

    op: str
    target: str
    dtype: str
    state: State
    passed: int
    cases: int
    share: float
    reasons: tuple[str, ...]


def support_matrix(verdicts: Iterable[Verdict]) -> tuple[Cell, ...]:
    """The matrix that verdicts amount to; a case that was not run is in no cell."""
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        case = verdict.case
        groups.setdefault((case.op, case.target, case.dtype), []).append(verdict)
    return tuple(_cell(key, group) for key, group in groups.items())


def _cell(key: tuple[str, str, str], group: Sequence[Verdict]) -> Cell:
    passed = sum(v.ok for v in group)
    refused = sum(v.status == "refused" for v in group)
    state: State = "supported" if passed == len(group) else "refused" if refused == len(group) else "partly"
    if passed + refused < len(group):
        state = "wrong"
    share = max((v.golden.share for v in group if v.ok and v.golden is not None), default=0.0)
    reasons = tuple(dict.fromkeys(f"{v.case.workload}: {v.status}: {v.reason}" for v in group if not v.ok))
    return Cell(*key, state, passed, len(group), share, reasons)


def differentiable(ops: Iterable[str]) -> list[str]:
    """The gradients of those operators that have one. A step of an optimiser is never differentiated."""
    return [f"{name}{GRADIENT}" for name in ops if family_of(name) != "optimiser" and has_gradient(find_operator(name))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the cases and writes the matrix as JSON. Exit status 1 where a cell is wrong."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.support", description=__doc__)
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--target", default=",".join(registry.names()), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16,bf16", help="types, by commas")
    parser.add_argument("--gradients", action="store_true", help="the gradients of the operators, in their place")
    parser.add_argument("--first", action="store_true", help="on the representative workload alone, on random inputs")
    parser.add_argument("-o", "--output", type=Path, help="the file; standard output else")
    options = parser.parse_args(arguments)
    chosen = options.op.split(",")
    groups = [
        _first(cases_of(op, target, dtype)) if options.first else cases_of(op, target, dtype)
        for op in (differentiable(chosen) if options.gradients else chosen)
        for target in options.target.split(",")
        for dtype in types_of(op, options.dtype.split(","))
    ]
    verdicts: list[Verdict] = []
    for group in _together(groups):
        found = check(group)
        for cell in support_matrix(found):
            print(_line(cell), file=sys.stderr, flush=True)
        verdicts += found
    cells = support_matrix(verdicts)
    text = json.dumps([asdict(c) for c in cells], indent=1) + "\n"
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
    return 1 if any(c.state == "wrong" for c in cells) else 0


def _first(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The representative workload on random inputs."""
    return tuple(c for c in cases if c.inputs == "random")[:1]


def _together(groups: Iterable[Sequence[Case]]) -> Iterator[tuple[Case, ...]]:
    """Whole groups, as many as a twin's compiler takes at once."""
    pending: list[Case] = []
    for group in groups:
        if pending and len(pending) + len(group) > BATCH:
            yield tuple(pending)
            pending = []
        pending += group
    if pending:
        yield tuple(pending)


def _line(cell: Cell) -> str:
    why = "" if cell.state == "supported" else f"  {cell.reasons[0][:240]}"
    return f"{cell.op:22} {cell.target:8} {cell.dtype:12} {cell.state:9} {cell.passed}/{cell.cases}{why}"


if __name__ == "__main__":
    sys.exit(main())
