"""Which schedules the kernels of an operator get: a policy, as a value that stands in the cache's key.

    FirstThatFits    the backend's candidates are best first; the first that passes its pre-flight check
    Given            what a user gives, field by field; other kernels as before

A policy that chooses otherwise is a further class: it sees the same candidates, and its key says what its choice rests on. One
that times them lives where kernels are built, in `uol.compilation.tuning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, Protocol, cast

from uol.codegen.backend import Backend, Device, Footprint, Module, Refusal, Schedule
from uol.codegen.extensions import VariantBackend
from uol.codegen.schedule import (
    KERNEL,
    KIND,
    distance,
    field_types,
    field_values,
    kind_name,
    kind_of,
    parse_fields,
    schedule_text,
)
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import KernelSpec
from uol.ir.errors import RefusalError, ScheduleError


class Policy(Protocol):
    """How schedules are chosen."""

    @property
    def key(self) -> str:
        """What the choice depends on, beside specs, backend and device."""
        ...

    def given(self, module: Module) -> Sequence[str]:
        """The schedules that make the module again where nothing else chooses, as the function `given` takes them."""
        ...

    def choose(self, graph: KernelGraph, backend: Backend, device: Device) -> tuple[Schedule, ...]:
        """A schedule for each kernel of the graph, in order. Raises RefusalError where a kernel has none that fits."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schedule that a kernel could have, and what its pre-flight check said."""

    schedule: Schedule
    outcome: Footprint | Refusal

    @property
    def fits(self) -> bool:
        return isinstance(self.outcome, Footprint)


def candidates(spec: KernelSpec, backend: Backend, device: Device) -> Iterable[Candidate]:
    """The backend's, best first, each checked when it is asked for."""
    return (Candidate(s, backend.check(spec, s, device)) for s in backend.schedules(spec, device))


@dataclass(frozen=True, slots=True)
class FirstThatFits:
    """The first candidate that passes its check."""

    @property
    def key(self) -> str:
        return "first that fits"

    def given(self, module: Module) -> Sequence[str]:
        return ()

    def choose(self, graph: KernelGraph, backend: Backend, device: Device) -> tuple[Schedule, ...]:
        return tuple(choose(spec, backend, device) for spec in graph.specs)


FIRST_THAT_FITS = FirstThatFits()
"""What is chosen where nothing else is asked for."""


def choose(spec: KernelSpec, backend: Backend, device: Device) -> Schedule:
    """The first candidate that fits.

    Raises RefusalError with every refusal, and what is possible, where none does.
    """
    refusals: list[Refusal] = []
    for candidate in candidates(spec, backend, device):
        if not isinstance(candidate.outcome, Refusal):
            return candidate.schedule
        refusals.append(candidate.outcome)
    reasons = "; ".join(dict.fromkeys(r.reason for r in refusals)) or "the target has no schedule for such a kernel"
    hint = next((r.hint for r in refusals if r.hint), None)
    raise RefusalError(f"{spec.name} does not fit {backend.name}:{device.name}: {reasons}", hint=hint)


@dataclass(frozen=True, slots=True)
class Given:
    """Schedules that are given as texts, `m=128,n=64`: each for the kernel that it names (`kernel=linear`), or else for every
    kernel that has schedules with these fields (and of this `kind`, where one is named). Fields that are not given are those
    of the kernel's best candidate of that kind; kernels for which none is given get the first that fits."""

    texts: tuple[str, ...]

    @property
    def key(self) -> str:
        return "; ".join(self.texts)

    def given(self, module: Module) -> Sequence[str]:
        return self.texts

    def choose(self, graph: KernelGraph, backend: Backend, device: Device) -> tuple[Schedule, ...]:
        """Raises ScheduleError for a text of which no kernel has the fields, and for a schedule that its kernel cannot have,
        with the nearest legal one."""
        texts = [_Text.of(t, backend.schedule_kinds) for t in self.texts]
        _require_kernels(texts, graph)
        chosen: list[Schedule] = []
        used: set[int] = set()
        for spec in graph.specs:
            known = tuple(candidates(spec, backend, device))
            fitting = {n: kind for n, t in enumerate(texts) if (kind := t.kind_for(spec, known)) is not None}
            used |= fitting.keys()
            chosen.append(_given(spec, texts, fitting, known, backend, device) or choose(spec, backend, device))
        for n, text in enumerate(texts):
            if n not in used:
                raise _of_no_kernel(text, graph, backend, device)
        return tuple(chosen)


def given(schedules: str | Schedule | Sequence[str | Schedule] | None, otherwise: Policy = FIRST_THAT_FITS) -> Policy:
    """The policy of what a user gives as `schedule`: a schedule, its text, or several; `otherwise` where that is nothing.
    Raises ScheduleError for anything else."""
    several = [] if schedules is None else schedules if isinstance(schedules, list | tuple) else [schedules]
    for each in several:
        if not isinstance(each, str) and not (is_dataclass(each) and hasattr(each, "describe")):
            raise ScheduleError(f"{each!r} is no schedule", hint='give one as text, schedule="m=128,n=64", or a list of them')
    texts = tuple(s if isinstance(s, str) else schedule_text(cast(Schedule, s)) for s in several)
    return Given(texts) if texts else otherwise


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that was given, read. `kind` is None where it names none."""

    text: str
    kernel: str | None
    kind: type | None
    given: Mapping[str, str]

    @staticmethod
    def of(text: str, kinds: Sequence[type]) -> _Text:
        fields = parse_fields(text)
        kernel, kind = fields.pop(KERNEL, None), fields.pop(KIND, None)
        found = None if kind is None else kind_of(kind, kinds)
        if found is not None:
            field_values(found, fields)
        return _Text(text, kernel, found, fields)

    def kind_for(self, spec: KernelSpec, known: Sequence[Candidate]) -> type | None:
        """The kind of schedule that this text means for a kernel; None where it means none of the kernel's."""
        if self.kernel not in (None, spec.name):
            return None
        kinds = dict.fromkeys(type(c.schedule) for c in known)
        return next((k for k in kinds if self.kind in (None, k) and self.given.keys() <= field_types(k).keys()), None)


def _given(
    spec: KernelSpec,
    texts: Sequence[_Text],
    fitting: Mapping[int, type],
    known: Sequence[Candidate],
    backend: Backend,
    device: Device,
) -> Schedule | None:
    """What the texts say for a kernel: the one that names it, before one that is for all."""
    if not fitting:
        return None
    number, kind = max(fitting.items(), key=lambda item: (texts[item[0]].kernel is not None, -item[0]))
    of_kind = sorted((c for c in known if type(c.schedule) is kind), key=lambda c: not c.fits)
    values = field_values(kind, texts[number].given)
    schedule = cast(Schedule, replace(cast(Any, of_kind[0].schedule), **values))
    outcome = _unknown_name(schedule, of_kind) or backend.check(spec, schedule, device)
    if isinstance(outcome, Refusal):
        legal = [c.schedule for c in of_kind if c.fits]
        nearest = min(legal, key=lambda s: distance(s, schedule), default=None)
        hint = outcome.hint if nearest is None else f"the nearest that it can have is {schedule_text(nearest)}"
        raise ScheduleError(f"{spec.name} cannot have the schedule {texts[number].text!r}: {outcome.reason}", hint=hint)
    return schedule


def _unknown_name(schedule: Schedule, known: Sequence[Candidate]) -> Refusal | None:
    """Names in a schedule are those of its kernel's axes and values, which its candidates have."""
    for name, kind in field_types(type(schedule)).items():
        value = getattr(schedule, name)
        names = dict.fromkeys(getattr(c.schedule, name) for c in known)
        if kind in (str, tuple[str, ...]) and value not in names:
            return Refusal(f"{name} is {value!r}, which is none of {', '.join(map(repr, names))}")
        if kind is int and value < 0:
            return Refusal(f"{name} is {value}")
    return None


def _require_kernels(texts: Sequence[_Text], graph: KernelGraph) -> None:
    names = [s.name for s in graph.specs]
    for text in texts:
        if text.kernel is not None and text.kernel not in names:
            raise ScheduleError(f"{graph.name} has no kernel {text.kernel!r}", hint=f"its kernels are {', '.join(names)}")


def _of_no_kernel(text: _Text, graph: KernelGraph, backend: Backend, device: Device) -> ScheduleError:
    """No kernel has schedules with such fields: which fields there are, and the one that was perhaps meant."""
    kinds = dict.fromkeys(type(s) for spec in graph.specs for s in backend.schedules(spec, device))
    fields = dict.fromkeys(name for k in kinds for name in field_types(k))
    unknown = next((name for name in text.given if name not in fields), None)
    meant = get_close_matches(unknown or "", fields, 1)
    hint = f"did you mean {meant[0]}? " if meant else ""
    hint += "; ".join(f"{kind_name(k)} has {', '.join(field_types(k)) or 'no fields'}" for k in kinds)
    return ScheduleError(f"no kernel of {graph.name} for {backend.name} has the schedule {text.text!r}", hint=hint)


def _in_variants(graph: KernelGraph, backend: Backend, device: Device) -> KernelGraph:
    """The specs of all kernels: several of one, where a backend has kernels for parts of its sizes."""
    if not graph.dims or not isinstance(backend, VariantBackend):
        return graph
    return replace(graph, specs=tuple(each for spec in graph.specs for each in backend.variants(spec, device)))


def compile_graph(graph: KernelGraph, backend: Backend, device: Device, policy: Policy = FIRST_THAT_FITS) -> Module:
    """Schedule, check, render and assemble every kernel of a graph. Raises ResourceError where a kernel does not fit."""
    parted = _in_variants(graph, backend, device)
    schedules = policy.choose(parted, backend, device)
    kernels = tuple(backend.render(s, chosen, device) for s, chosen in zip(parted.specs, schedules, strict=True))
    required = dict.fromkeys(condition for kernel in kernels for condition in kernel.requires)
    return backend.assemble(replace(graph, checks=(*graph.checks, *required)) if required else graph, kernels, device)
