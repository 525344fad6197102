"""The kernels of a call on a target: what each moves and issues, and the time that this takes by the device's rates.

Kernel graph and schedules are those that a call gets; nothing is built or run. Counts are kept in the cache; times are not, for
they follow the table of rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any

import torch

from uol.backends.cache.files import Key, hash_of, open_cache, package_files
from uol.backends.cache.records import Records
from uol.codegen.backend import CountsData, Launch, Schedule
from uol.codegen.choice import FIRST_THAT_FITS
from uol.codegen.cost import Time, time_of
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.work import Issued
from uol.compilation.pipeline import program_of
from uol.compilation.request import Request, Target, resolve_target
from uol.conformance.gap.routing import Routing, keys_of
from uol.conformance.paths.recorded import Call
from uol.ir.errors import RefusalError
from uol.ir.program.nodes import Program

Form = tuple[torch.dtype, tuple[int, ...], tuple[int, ...]]
Known = dict[tuple[str, str, Launch, str], Issued]
"""Counts of kernels, by target, text, launch, and the routing where that matters."""
ALIKE = {torch.bfloat16: torch.float16}
"""Types that move and compute alike: a text that names one where another one names the other has the same counts."""


@dataclass(frozen=True, slots=True)
class CallForm:
    """What the counts of a call's kernels follow from: operator, types, sizes and strides of the inputs, options, and how its
    data is assumed to route."""

    op: str
    inputs: tuple[Form, ...]
    options: tuple[tuple[str, Any], ...]
    routing: Routing = "balanced"

    @property
    def alike(self) -> CallForm:
        """The same for all types of one width, and for all that routes."""
        inputs = tuple((ALIKE.get(dtype, dtype), size, stride) for dtype, size, stride in self.inputs)
        return replace(self, inputs=inputs, routing="balanced")

    def request(self, target: Target) -> Request:
        """What has to be compiled for it."""
        tensors = tuple(torch.empty_strided(size, stride, dtype=dtype, device="meta") for dtype, size, stride in self.inputs)
        options = dict(self.options)
        return Call(self.op, tensors, options).operator.request(tensors, options, target)


@dataclass(frozen=True, slots=True)
class CountedKernel:
    """A kernel with its counts. `kind`: of its spec."""

    name: str
    kind: str
    schedule: str
    issued: Issued


@dataclass(frozen=True, slots=True)
class CountedCall:
    """The kernels of a call, in order, or why the target has none for it."""

    kernels: tuple[CountedKernel, ...] = ()
    refused: str = ""

    def times(self, target: Target) -> list[Time]:
        """Of each kernel."""
        return [time_of(kernel.issued, target.device) for kernel in self.kernels]


COUNTED = Records(CountedCall)


def form_of(call: Call) -> CallForm:
    """The form of a recorded call."""
    inputs = tuple((x.dtype, tuple(x.shape), x.stride()) for x in call.inputs)
    return CallForm(call.op, inputs, tuple(sorted(call.options.items())))


def routed(form: CallForm, routing: Routing) -> CallForm:
    """The same call where its data routes so: another form where an input is of integers, by which alone it could."""
    integers = any(not dtype.is_floating_point and dtype != torch.bool for dtype, _, _ in form.inputs)
    return replace(form, routing=routing) if integers else form


def counted(form: CallForm, target: Target) -> CountedCall:
    """The counts of a call's kernels, from the cache where they are known."""
    (found,) = counted_together(form, [target])
    return found


def counted_together(form: CallForm, targets: Sequence[Target], known: Known | None = None) -> list[CountedCall]:
    """The same on several devices. All have one program; those of a backend have mostly the same kernels.
    `known`: those of the forms that are alike, to which these are added."""
    requests = [_request(form, target.name) for target in targets]
    made = Kernels(requests[0], {} if known is None else known)
    cache = open_cache()
    return [cache.record(_key(form, r), COUNTED, partial(made.count, r.target, form.routing)) for r in requests]


def is_known(form: CallForm, target: Target) -> bool:
    """Are they in the cache?"""
    return open_cache().get(_key(form, _request(form, target.name))) is not None


@cache
def _request(form: CallForm, target: str) -> Request:
    """Asked for whether it is known, to count it, and to read what was counted."""
    return form.request(resolve_target(target))


def _key(form: CallForm, request: Request) -> Key:
    return Key({**request.key("module").parts, "stage": "issued", "routing": form.routing, "model": model_hash()})


@cache
def model_hash() -> str:
    """A hash of the sources that counts depend on beside the generator's: this one, and those of keys and of lists."""
    own = ("model.py", "routing.py", "lists.py")
    return hash_of((name, file) for name, file in package_files("uol.conformance.gap") if file.name in own)


@dataclass
class Kernels:
    """The kernels of a request on any device, whatever its own target."""

    request: Request
    known: Known = field(default_factory=dict)
    graphs: dict[str, KernelGraph] = field(default_factory=dict)
    """By target: what is cut for all cores follows the device."""

    @cached_property
    def program(self) -> Program:
        return program_of(self.request)

    def count(self, target: Target, routing: Routing = "balanced") -> CountedCall:
        """On one device, of data that routes so. A refusal is an answer, too."""
        try:
            graph = self.graph(target)
            schedules = FIRST_THAT_FITS.choose(graph, target.backend, target.device)
        except RefusalError as error:
            return CountedCall(refused=error.message)
        chosen = zip(graph.specs, schedules, strict=True)
        return CountedCall(tuple(self._kernel(spec, schedule, target, routing) for spec, schedule in chosen))

    def graph(self, target: Target) -> KernelGraph:
        if target.name not in self.graphs:
            self.graphs[target.name] = lower(self.program, target.backend, self.request.layouts, device=target.device)
        return self.graphs[target.name]

    def _kernel(self, spec: KernelSpec, schedule: Schedule, target: Target, routing: Routing) -> CountedKernel:
        return CountedKernel(spec.name, type(spec).__name__, schedule.describe(), self._issued(spec, schedule, target, routing))

    def _issued(self, spec: KernelSpec, schedule: Schedule, target: Target, routing: Routing) -> Issued:
        """The counts of a kernel; where an alike type has the same kernel, those; where nothing routes, those of any data."""
        rendered = target.backend.render(spec, schedule, target.device)
        keys = keys_of(spec, routing)
        key = target.name, rendered.text.replace("bf16", "f16"), rendered.launch, routing if keys else ""
        if key not in self.known:
            self.known[key] = _issued(spec, schedule, target, keys)
        return self.known[key]


def _issued(spec: KernelSpec, schedule: Schedule, target: Target, keys: Mapping[str, Sequence[int]]) -> Issued:
    """The counts of a kernel; where its rows fall into segments, those for these keys."""
    backend = target.backend
    if keys and isinstance(backend, CountsData):
        return backend.issued_for(spec, schedule, target.device, keys)
    return backend.issued(spec, schedule, target.device)
