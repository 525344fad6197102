"""A run of operators as a report: verdicts, the matrix that they amount to, how targets agree, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from uol.conformance.cases.agreement import Agreement, Pair, by_operator, by_type
from uol.conformance.cases.machine import Place, places
from uol.conformance.cases.matrix import Cell, support_matrix
from uol.conformance.cases.selection import LeftOut
from uol.conformance.cases.verdict import State, Verdict
from uol.conformance.packs.record import CardRecord
from uol.conformance.report.again import Repeat
from uol.conformance.runs.baseline import Compared
from uol.conformance.runs.provenance import UNKNOWN, Provenance
from uol.ops.accuracy import contract_of
from uol.ops.references import has_reference


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """`facts` are what nothing is decided on: the selection, the machine. `measured` is what ran on cards, `compared` what has
    changed since a baseline, `repeat` how a case is run again. `seconds` are the wall time of the run."""

    targets: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...]
    left_out: tuple[LeftOut, ...]
    facts: Mapping[str, str]
    seconds: float
    measured: tuple[CardRecord, ...] = ()
    provenance: Provenance = UNKNOWN
    compared: Compared | None = None
    repeat: Repeat = Repeat()

    @property
    def ok(self) -> bool:
        """Did every case pass that was not refused, here and on the cards? Beside a baseline: is nothing worse than there?"""
        if self.compared is not None:
            return self.compared.ok
        return not self.failures and not any(record.failures for record in self.measured)

    @property
    def verdict(self) -> str:
        """What a page says first."""
        if self.compared is not None:
            return "Nothing is worse than in the baseline." if self.ok else "Worse than the baseline."
        return "Every check passed that was not refused." if self.ok else "Checks failed."

    @property
    def failures(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.state == "failed")

    @property
    def refusals(self) -> Mapping[tuple[str, str], tuple[Verdict, ...]]:
        """The refused cases by target and reason."""
        groups: dict[tuple[str, str], list[Verdict]] = {}
        for verdict in self.verdicts:
            if verdict.state == "refused":
                groups.setdefault((verdict.case.target, verdict.reason), []).append(verdict)
        return {key: tuple(group) for key, group in groups.items()}

    @property
    def totals(self) -> dict[State, int]:
        """How many cases are in each state."""
        counts = Counter(v.state for v in self.verdicts)
        return {state: counts[state] for state in ("passed", "failed", "refused")}

    @property
    def summary(self) -> str:
        """`"1,160 passed, 0 failed, 4 refused; left out: 12 types that an operator does not admit"`."""
        text = ", ".join(f"{count:,} {state}" for state, count in self.totals.items())
        types, ops = (sum(bool(each.dtype) == typed for each in self.left_out) for typed in (True, False))
        left = [f"{_counted(types, 'type')} that an operator does not admit"] * bool(types)
        left += [_counted(ops, "operator")] * bool(ops)
        return f"{text}; left out: {' and '.join(left)}" if left else text

    @property
    def cells(self) -> tuple[Cell, ...]:
        return support_matrix(self.verdicts)

    @property
    def places(self) -> tuple[Place, ...]:
        return places(self.targets)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return by_type(self.agreements)

    @property
    def operators(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(v.case.op for v in self.verdicts))

    @property
    def without_reference(self) -> tuple[str, ...]:
        """Operators that were held to the golden value of their text alone."""
        return tuple(op for op in self.operators if not has_reference(op))

    @property
    def own_contracts(self) -> dict[str, str]:
        """Operators that were registered with bounds of their own."""
        return {
            op: ", ".join(f"{section}.{name} = {value}" for section, entries in owed.items() for name, value in entries.items())
            for op in self.operators
            if (owed := contract_of(op))
        }

    @property
    def case_seconds(self) -> float:
        """The seconds of all cases together, in as many processes as there were; of those that were taken over, when they were
        run."""
        return sum(v.took_s for v in self.verdicts)

    def command(self, verdict: Verdict) -> str:
        """What runs a case again."""
        return self.repeat.command(verdict.case)

    def _case(self, verdict: Verdict) -> dict[str, object]:
        return {**verdict.record(), "repeat": self.command(verdict) if verdict.state == "failed" else ""}

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {
            "kind": "operators",
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "case_seconds": round(self.case_seconds, 1),
            **self.provenance.record(),
            "baseline": None if self.compared is None else self.compared.record(),
            "places": [place.record() for place in self.places],
            "facts": dict(self.facts),
            "totals": {str(state): count for state, count in self.totals.items()} | {"left_out": len(self.left_out)},
            "left_out": [asdict(each) for each in self.left_out],
            "without_reference": list(self.without_reference),
            "own_contracts": self.own_contracts,
            "matrix": [asdict(cell) for cell in self.cells],
            "agreement": [pair.record() for pair in by_operator(self.agreements)],
            "cases": [self._case(verdict) for verdict in self.verdicts],
            "measured": [record.as_json() for record in self.measured],
        }


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
