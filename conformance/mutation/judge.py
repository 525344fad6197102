"""Which faults does the twin let pass? The mutants of golden kernels, run with all checks.

A mutant is killed by the compiler, by a finding of the twin, by a result beyond the contract, or by never ending. One that
lives must be in equivalent_mutants.toml, with the reason why it computes the same.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache, partial
from importlib.resources import files
from typing import Literal

import numpy as np

from uol.backends.twin import Job, TwinRun, execute_many
from uol.codegen.backend import Module, SourceFile
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.cases.twin_check import Prepared, compare_result, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.mutation.golden import is_judged, judged_on, segments_of
from uol.conformance.mutation.mutate import Mutant, mutants
from uol.ir.errors import UolError
from uol.ir.program.dtype_encoding import encode
from uol.ops.inputs import Array, indexed_extents

Fate = Literal["compiler", "findings", "contract", "timeout", "counts", "equivalent", "survived"]
"""compiler, findings, contract, timeout: what killed it; counts: it computes the same, and does other work than the clean
kernel by the twin's counts; equivalent: it lives, and is proven to compute the same; survived: it lives, unexplained."""

Progress = Callable[[str, int, int], None]
"""Called with the kernel's name, and the number of its mutants done and of all."""

TIMEOUT_S = 10.0
BY_PLACE = re.compile(r"\bif \((uol::is_)?aligned\b|\bis_whole = uol::is_aligned\b")
"""What a text does in one way where tensors begin at addresses for whole accesses, and in another elsewhere: mutants are judged
in both places."""
_KERNEL = re.compile(r'^extern "C" .*?\b(\w+_kernel)\(', re.MULTILINE)
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant and what became of it."""

    kernel: str
    kind: str
    key: str
    line: int
    description: str
    fate: Fate
    reason: str


@dataclass(frozen=True, slots=True)
class MutationReport:
    """All mutants of some kernels. `rate` is the share of those that live, equivalent ones included."""

    mutants: tuple[Judged, ...]

    @property
    def alive(self) -> tuple[Judged, ...]:
        return tuple(m for m in self.mutants if m.fate in ("equivalent", "survived"))

    @property
    def unexplained(self) -> tuple[Judged, ...]:
        return tuple(m for m in self.mutants if m.fate == "survived")

    def explained(self) -> MutationReport:
        """The report with the survivors that equivalent_mutants.toml proves to compute the same told from the others."""
        return MutationReport(tuple(map(_explained, self.mutants)))

    @property
    def rate(self) -> float:
        return len(self.alive) / len(self.mutants) if self.mutants else 0.0

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {
            "mutants": len(self.mutants),
            "alive": len(self.alive),
            "unexplained": len(self.unexplained),
            "rate": self.rate,
            "fates": dict(Counter(m.fate for m in self.mutants)),
            "kinds": self._fates_by("kind"),
            "kernels": self._fates_by("kernel"),
            "survivors": [asdict(m) for m in self.alive],
        }

    def _fates_by(self, attribute: str) -> dict[str, dict[str, int]]:
        pairs = [(getattr(m, attribute), m.fate) for m in self.mutants]
        return {name: dict(Counter(fate for n, fate in pairs if n == name)) for name in dict.fromkeys(n for n, _ in pairs)}


def judge_mutants(
    cases: Sequence[Case], progress: Progress | None = None, keep: Callable[[Mutant], bool] = lambda mutant: True
) -> MutationReport:
    """Judges the mutants of every case's kernels that `keep` admits, on as many kinds of inputs as it takes. Those that live
    are `survived`: `explained` looks for their proofs, so that a new proof takes no new judgement.

    Raises UolError where a clean kernel is not clean.
    """
    judged: list[Judged] = []
    for case in cases:
        text = prepare(case).compiled.module.device.text
        places = (0, 1) if BY_PLACE.search(text) else (0,)
        trials = [cache(partial(Trial.of, each, shift=shift)) for each in judged_on(case) for shift in places]
        for segments in segments_of(case):
            trials += [cache(partial(Trial.of, case, shift=shift, segments=segments)) for shift in (0, 1)]
        found = list(filter(keep, judged_mutants(case, text)))
        done = 0
        for batch in _batches(found):
            judged += judge_batch(case, trials, batch)
            done += len(batch)
            if progress is not None:
                progress(kernel_name(case), done, len(found))
    return MutationReport(tuple(judged))


@dataclass(frozen=True, slots=True)
class Trial:
    """A golden kernel with one kind of inputs, the results that are admitted, and what the clean kernel does. `shift`: elements
    by which tensors lie behind an address for whole accesses."""

    prepared: Prepared
    admitted: Enclosed
    counts: Mapping[str, int] = field(default_factory=dict)
    shift: int = 0

    @staticmethod
    def of(case: Case, shift: int = 0, segments: tuple[int, ...] = ()) -> Trial:
        """Raises UolError where the kernel as it was emitted has a finding, or breaks its contract."""
        prepared = _with_segments(prepare(case), segments) if segments else prepare(case)
        owed = contract(case.target.partition(":")[0], case.op)
        trial = Trial(prepared, enclose(prepared.program, prepared.values, prepared.scalars, owed), shift=shift)
        (run,) = execute_many([trial.job(trial.module.device.text)])
        fault = str(run.findings[0]) if run.findings else trial.breach(run)
        if fault is not None:
            raise UolError(f"{case}: the clean kernel is not clean: {fault}")
        return replace(trial, counts=run.counts)

    @property
    def module(self) -> Module:
        return self.prepared.compiled.module

    def job(self, text: str) -> Job:
        """The run of the module with another text."""
        module = replace(self.module, device=SourceFile(self.module.device.name, text))
        return Job(module, self.prepared.buffers, self.prepared.scalars, timeout_s=TIMEOUT_S, shift=self.shift)

    def breach(self, run: TwinRun) -> str | None:
        """What is wrong with a run's results; None where nothing is."""
        for tensor in self.prepared.program.by_role("out"):
            comparison = compare_result(tensor, run.outputs.get(tensor.name), self.admitted)
            if not comparison.ok:
                return comparison.reason
        return None

    def other_work(self, run: TwinRun) -> str | None:
        """What a run did more or less often than the clean kernel; None where all counts are equal."""
        names = sorted({*self.counts, *run.counts})
        changed = [n for n in names if self.counts.get(n, 0) != run.counts.get(n, 0)]
        return ", ".join(f"{n} {self.counts.get(n, 0)} -> {run.counts.get(n, 0)}" for n in changed) or None


def _with_segments(prepared: Prepared, rows: Sequence[int]) -> Prepared:
    """A case whose sorted index has so many rows of -1, of 0, of 1 and so on.

    Its other indices move on by a place. What a forward pass saved is zeros where they named no row, which hide what is
    multiplied with them; now such a row meets others. The largest numbers, which are -1 in 32 bits, become one that is 0
    there: a number is to be compared before it is narrowed.
    """
    program = prepared.program
    (tensor,) = (t for t in program.by_role("in") if t.name in program.sorted)
    index = np.repeat(np.arange(-1, len(rows) - 1), rows)
    if index.shape != prepared.values[tensor.name].shape:
        raise UolError(f"{prepared.case}: segments of {index.size} rows together", hint=f"as many as {tensor.name} has")
    changed: dict[str, Array] = {tensor.name: index}
    for name in indexed_extents(program).keys() - program.sorted:
        moved = np.roll(prepared.values[name], 1)
        changed[name] = np.where(moved == np.iinfo(np.int64).max, 2**32, moved)
    encoded = {t.name: encode(changed[t.name], t.dtype) for t in program.by_role("in") if t.name in changed}
    return replace(prepared, values={**prepared.values, **changed}, buffers={**prepared.buffers, **encoded})


def judge_batch(case: Case, trials: Sequence[Callable[[], Trial]], batch: Sequence[Mutant]) -> list[Judged]:
    """The fate of some mutants: each kind of inputs is tried on those that the kinds before left alive. Counts are looked
    at last: they kill only what computes the same on every kind."""
    fates: dict[str, tuple[Fate, str]] = {}
    work: dict[str, str] = {}
    for make in trials:
        living = [m for m in batch if m.key not in fates]
        if not living:
            break
        trial = make()
        for mutant, run in zip(living, execute_many([trial.job(m.text) for m in living]), strict=True):
            fate = _killed(trial, run)
            if fate is not None:
                fates[mutant.key] = fate
            elif (other := trial.other_work(run)) is not None:
                work[mutant.key] = other
    fates = {**{key: ("counts", other) for key, other in work.items()}, **fates}
    name = kernel_name(case)
    for mutant in batch:
        fates.setdefault(mutant.key, ("survived", ""))
    return [Judged(name, m.kind, m.key, m.line, m.description, *fates[m.key]) for m in batch]


def _explained(mutant: Judged) -> Judged:
    if mutant.fate != "survived":
        return mutant
    proof = next((p for p in proofs() if p.covers(mutant)), None)
    return mutant if proof is None else replace(mutant, fate="equivalent", reason=proof.reason)


def _killed(trial: Trial, run: TwinRun) -> tuple[Fate, str] | None:
    for finding in run.findings:
        match finding.kind:
            case "compile-error":
                return "compiler", str(finding)
            case "timeout":
                return "timeout", str(finding)
            case _:
                return "findings", str(finding)
    reason = trial.breach(run)
    return None if reason is None else ("contract", reason)


def _batches(found: Sequence[Mutant]) -> Iterator[list[Mutant]]:
    """Casts, which often do not compile, apart: they spoil no other batch."""
    for is_cast in (False, True):
        same = [m for m in found if (m.kind == "cast") == is_cast]
        for start in range(0, len(same), _BATCH):
            yield same[start : start + _BATCH]


def judged_mutants(case: Case, text: str) -> list[Mutant]:
    """The mutants of a golden case's text in those of its kernels that are judged."""
    return [m for m in mutants(text) if is_judged(case, kernel_at(text, m.line))]


def kernel_at(text: str, line: int) -> str:
    """The name of the kernel that a line, 1-based, is in or behind; empty in front of the first."""
    before = [m[1] for m in _KERNEL.finditer(text) if text.count("\n", 0, m.start()) < line]
    return before[-1] if before else ""


def kernel_name(case: Case) -> str:
    """`cuda softmax f16`: the name of a golden kernel in reports and in equivalent_mutants.toml."""
    form = " of any size" if case.sizes == "open" else " in one order" if case.deterministic else ""
    lies = "" if case.arrangement == "row-major" else f" {case.arrangement}"
    return f"{case.target} {case.op} {case.dtype}{form}{lies}"


@dataclass(frozen=True, slots=True)
class Proof:
    """Why some mutants compute the same: which kernels (a glob over their names), which change (a regular expression for a
    mutant's whole description), at which line of the text where others read alike, and the reason."""

    kernels: str
    change: str
    reason: str
    line: int | None = None

    def covers(self, mutant: Judged) -> bool:
        """Is this mutant one of those that the proof is about?"""
        is_there = self.line in (None, mutant.line) and fnmatchcase(mutant.kernel, self.kernels)
        return is_there and re.fullmatch(self.change, mutant.description) is not None


@cache
def proofs() -> tuple[Proof, ...]:
    """The proofs of equivalent_mutants.toml."""
    table = tomllib.loads(files("uol.conformance").joinpath("equivalent_mutants.toml").read_text(encoding="utf-8"))
    return tuple(Proof(p["kernels"], p["change"], p["reason"], p.get("line")) for p in table.get("proof", []))
