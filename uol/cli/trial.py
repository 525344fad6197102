"""One run of a compiled operator on seeded inputs, judged by its accuracy contract.

On a target that runs here (the CPU) the built kernel runs; any other target's emitted text runs in its twin, with every
check of the twin on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uol.binding.instance import Instance
from uol.binding.sample_sizes import samples_of
from uol.compilation.explain import Json
from uol.compilation.pipeline import program_of
from uol.compiler import Compiled
from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.cases.guard_pages import run_fenced
from uol.conformance.cases.twin_check import compare_result, has_twin
from uol.ir.program.dtype_encoding import decode, encode
from uol.json_text import finite_json
from uol.ops.inputs import Array, make_inputs

JUDGED_BYTES = 80
"""What an element of an input or result takes here, as a value, in the buffers, and while results are compared: f64 values,
their bounds, and what is computed from them. Measured as the peak of a run of relu and of softmax on 20 million elements."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a run gave: a comparison and the mean of each result, and the twin's findings."""

    op: str
    target: str
    place: str
    seed: int
    comparisons: Mapping[str, Comparison]
    findings: tuple[str, ...]
    means: Mapping[str, float]
    sizes: Mapping[str, int]

    @property
    def at(self) -> str:
        """The sizes that open dims had; empty where none is open."""
        return f", at {', '.join(f'{name} = {size}' for name, size in self.sizes.items())}" if self.sizes else ""

    @property
    def passed(self) -> bool:
        return not self.findings and all(c.ok for c in self.comparisons.values())

    @property
    def failure(self) -> str:
        """Why it did not pass; empty where it did."""
        return "; ".join([*self.findings, *(f"{name}: {c.reason}" for name, c in self.comparisons.items() if not c.ok)])

    def as_json(self) -> Json:
        fields = ("ok", "reason", "elements", "max_abs", "max_rel", "max_ulp", "share")
        results = {name: {f: getattr(c, f) for f in fields} for name, c in self.comparisons.items()}
        return {
            "op": self.op,
            "target": self.target,
            "place": self.place,
            "seed": self.seed,
            "sizes": dict(self.sizes),
            "passed": self.passed,
            "failure": self.failure,
            "results": results,
            "findings": list(self.findings),
        }

    def as_json_text(self) -> object:
        """As a manifest has it."""
        return finite_json(self.as_json())

    def __str__(self) -> str:
        lines = [f"{self.op} on {self.target}, {self.place}, seed {self.seed}{self.at}"]
        for name, c in self.comparisons.items():
            verdict = "within the contract" if c.ok else f"FAILED: {c.reason}"
            lines.append(f"  {name}: {c.elements:,} elements, mean {self.means[name]:.6g}: {verdict}")
            if c.elements:
                lines.append(f"    error against the golden value: {c.max_abs:.3g} absolute, {c.max_ulp:.3g} ulp; {c.said}")
        return "\n".join([*lines, *(f"  finding: {f}" for f in self.findings)])


def try_compiled(
    compiled: Compiled, *, seed: int = 0, in_twin: bool | None = None, instance: Instance | None = None
) -> Trial:
    """Runs on random inputs made from `seed`. `in_twin`: None lets the target decide. `instance` gives sizes to dims that are
    open; where it does not, they have the first that the operator admits.

    Raises ToolchainError where a tool that the run needs is missing.
    """
    request = compiled.request
    sizes: dict[str, int] = {}
    if request.instance.open_dims:
        at = next(samples_of(compiled)) if instance is None else instance
        seen = request.instance.seen_by_kernels(at).flat_dims
        sizes = {name: seen[name] for name in request.instance.open_dims}
        request = replace(request, instance=at)
    program = program_of(request)
    scalars = dict(zip((s.name for s in compiled.module.graph.scalars), compiled.scalars({}), strict=True))
    twin = has_twin(compiled.request.target.name) if in_twin is None else in_twin
    if twin:
        _ensure_room(compiled, scalars | sizes)
    values = make_inputs(program, "random", seed)
    dtypes = {t.name: t.dtype for t in program.tensors.values()}
    buffers = {name: encode(array, dtypes[name]) for name, array in values.items()}
    outputs, findings = _run_in_twin(compiled, buffers, scalars | sizes) if twin else run_fenced(compiled, buffers)
    admitted = enclose(program, values, scalars, contract(compiled.module.backend, program.name))
    comparisons = {t.name: compare_result(t, outputs.get(t.name), admitted) for t in program.by_role("out")}
    means = {name: float(decode(array, dtypes[name]).mean()) if array.size else 0.0 for name, array in outputs.items()}
    place = "in its twin" if twin else "run here"
    return Trial(program.name, compiled.request.target.name, place, seed, comparisons, findings, means, sizes)


def _ensure_room(compiled: Compiled, values: Mapping[str, float | int]) -> None:
    from uol.backends.twin import ensure_room

    ensure_room(compiled.module, values, beside=JUDGED_BYTES)


def _run_in_twin(
    compiled: Compiled, buffers: Mapping[str, Array], scalars: Mapping[str, float | int]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    from uol.backends.twin import execute

    run = execute(compiled.module, buffers, scalars)
    return run.outputs, tuple(map(str, run.findings))


MEASURED = ("max_abs", "max_rel", "max_ulp", "share")
"""Fields of a recorded result whose last digits another machine may give otherwise."""


def same_outcome(record: object, trial: Trial) -> bool:
    """Does a recorded run say the same as this one, but for what it measured?"""
    return _without_measured(record) == _without_measured(trial.as_json_text())


def _without_measured(record: object) -> object:
    if not isinstance(record, dict) or not isinstance(record.get("results"), dict):
        return record
    results = {name: _bare(each) for name, each in record["results"].items()}
    return {**record, "results": results}


def _bare(result: object) -> object:
    if not isinstance(result, dict):
        return result
    return {name: None if name in MEASURED and isinstance(value, float | int) else value for name, value in result.items()}
