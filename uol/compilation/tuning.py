"""`UOL_TUNE=1`: of the candidates of a kernel, the one that runs fastest on this machine.

The first few that fit are compiled and timed in turns, each alone, on random data of the kernel's own sizes and strides; the
times are kept in the cache, by the kernel, the machine and the candidates, so that each is measured once. A kernel with open
dims, and one for another machine, gets the first that fits, as every kernel does without the variable.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from uol.backends.cache.files import Key, open_cache
from uol.backends.cache.records import RecordError, Records
from uol.codegen.backend import Backend, Device, Kernel, Module, Schedule
from uol.codegen.choice import FIRST_THAT_FITS, Policy, candidates, choose
from uol.codegen.extensions import HostBackend
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.schedule import KERNEL, schedule_text
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.codegen.specs.printer import arg_lines, spec_lines
from uol.compilation.generator import generator_hash
from uol.ir.errors import UolError
from uol.ir.types import is_float

if TYPE_CHECKING:
    import numpy as np

VARIABLE = "UOL_TUNE"
MOST_CANDIDATES = 4
WORTH = 0.95
"""Another than the first is taken where it needs at most so much of its time: less is noise."""
TURNS, TURN_S = 9, 2e-3


@dataclass(frozen=True, slots=True)
class Times:
    """Of a kernel: its schedules as texts, and what a call took with each, in us."""

    us: Mapping[str, float]


TIMES = Records(Times)


@dataclass(frozen=True, slots=True)
class Fastest:
    """The policy: each kernel's fastest candidate."""

    @property
    def key(self) -> str:
        return "the fastest"

    def given(self, module: Module) -> Sequence[str]:
        return [f"{KERNEL}={kernel.spec.name},{schedule_text(kernel.schedule)}" for kernel in module.kernels]

    def choose(self, graph: KernelGraph, backend: Backend, device: Device) -> tuple[Schedule, ...]:
        if not isinstance(backend, HostBackend) or not backend.is_own(device):
            return FIRST_THAT_FITS.choose(graph, backend, device)
        return tuple(_fastest(spec, backend, device) for spec in graph.specs)


def default_policy() -> Policy:
    """What chooses schedules where nobody gives any: what `UOL_TUNE` says. Raises UolError where it says neither 0 nor 1."""
    text = os.environ.get(VARIABLE, "")
    if text not in ("", "0", "1"):
        raise UolError(f"{VARIABLE} is {text!r}", hint="it is 1, and kernels are timed, or 0, or unset")
    return Fastest() if text == "1" else FIRST_THAT_FITS


def known_times(spec: KernelSpec, backend: Backend, device: Device) -> Mapping[str, float]:
    """What was measured of a kernel on this machine, in us by schedule; empty where nothing was."""
    payload = open_cache().get(_key(spec, backend, device, _candidates(spec, backend, device)))
    try:
        return {} if payload is None else TIMES.decode(payload).us
    except RecordError:
        return {}


def _fastest(spec: KernelSpec, backend: Backend, device: Device) -> Schedule:
    found = () if spec.dims else _candidates(spec, backend, device)
    if len(found) < 2:
        return choose(spec, backend, device)
    key = _key(spec, backend, device, found)
    us = open_cache().record(key, TIMES, lambda: _measured(spec, backend, device, found)).us
    first, best = found[0], min(found, key=lambda s: us[schedule_text(s)])
    return best if us[schedule_text(best)] <= WORTH * us[schedule_text(first)] else first


def _candidates(spec: KernelSpec, backend: Backend, device: Device) -> tuple[Schedule, ...]:
    """The first few that fit, of the kind that is preferred."""
    found = tuple(islice((c.schedule for c in candidates(spec, backend, device) if c.fits), MOST_CANDIDATES))
    return tuple(s for s in found if type(s) is type(found[0]))


def _key(spec: KernelSpec, backend: Backend, device: Device, found: Sequence[Schedule]) -> Key:
    return Key(
        {
            "stage": "times",
            "kernel": [*spec_lines(spec), *arg_lines(spec.args)],
            "candidates": list(map(schedule_text, found)),
            "target": f"{backend.name}:{device.name}",
            "generator": generator_hash(),
            "machine": dict(backend.machine()),
        }
    )


def _measured(spec: KernelSpec, backend: Backend, device: Device, found: Sequence[Schedule]) -> Times:
    import numpy as np

    rng = np.random.default_rng(0)
    buffers = [_random(arg, rng) for arg in spec.args]
    numbers = [0.5 if is_float(s.dtype) else 1 for s in spec.scalars]
    kernels = [_loaded(backend.render(spec, schedule, device), backend, device) for schedule in found]
    calls = [partial(kernel, *buffers, *numbers) for kernel in kernels]
    return Times(dict(zip(map(schedule_text, found), times_us(calls), strict=True)))


def _loaded(kernel: Kernel, backend: Backend, device: Device) -> Callable[..., None]:
    """A kernel alone, as a function of all its buffers, those between kernels too."""
    spec, writes = kernel.spec, {p.name for p in kernel.params if p.writes}
    args = tuple(replace(a, role="out" if a.name in writes else "in") for a in spec.args)
    graph = KernelGraph("timed", (spec,), args, (), spec.scalars, spec.dims, spec.source)
    return backend.load(backend.build(backend.assemble(graph, (kernel,), device)))


def _random(arg: Arg, rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Memory of a buffer: normal numbers, or integers that are 0 and 1, so that what they index is near."""
    sizes = [(value_at(extent, {}), value_at(stride, {})) for extent, stride in zip(arg.shape, arg.strides, strict=True)]
    length = 1 + sum((extent - 1) * stride for extent, stride in sizes) if all(extent for extent, _ in sizes) else 0
    from uol.ir.program.dtype_encoding import STORAGE, encode

    if is_float(arg.dtype):
        return encode(rng.standard_normal(length), arg.dtype)
    return rng.integers(0, 2, length).astype(STORAGE[arg.dtype])


def times_us(calls: Sequence[Callable[[], None]]) -> list[float]:
    """The least time of each over a few turns, in us. A turn is as many calls as take a while."""
    counts = [max(1, ceil(TURN_S / max(_seconds(call, 1), 1e-9))) for call in calls]
    turns = [[_seconds(call, count) for call, count in zip(calls, counts, strict=True)] for _ in range(TURNS)]
    return [1e6 * min(each) for each in zip(*turns, strict=True)]


def _seconds(call: Callable[[], None], count: int) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count
