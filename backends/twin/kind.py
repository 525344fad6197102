"""What differs between the twins of different machines: `TwinKind`, and which backend uses which."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from uol.backends.twin.arrays import Placed
from uol.backends.twin.reuse import DoubleBuffer
from uol.codegen.backend import Kernel, Module
from uol.ir.errors import UolError


@dataclass(frozen=True, slots=True)
class Unit:
    """A module within an executable: its place, and the path by which the glue includes its text."""

    slot: int
    module: Module
    include: str


@dataclass(frozen=True, slots=True)
class Marks:
    """What counts the executed statements of a text: texts to be inserted at offsets, in order. The process counts by the place
    of a unit in `units`."""

    units: tuple[str, ...]
    insertions: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class TwinKind:
    """How the twin of one kind of machine is built.

    compiler        the C++ compiler's command
    text_flags      by `checked`: flags for the glue, which includes the emitted texts
    runtime_flags   flags for the runtime's sources, whose objects are shared by all executables
    link_flags      flags of the link
    include         include folders, for both
    runtime         the runtime's sources; they hold `main` (see common/uol_job.h) and are linked with every glue
    headers         every header that texts and runtime see, and the kind's own module: part of the cache's key
    glue            the C++ text that includes the units' texts and lists their kernels for the runtime
    loops_by_grid   does a kernel loop over its tiles by the number of blocks of its launch, so that any number will do?
    double_buffers  the double buffers of a text
    marks           of a module whose statements are counted: the units that they may be for, and their marks
    observed        of the counts of a counted run, those that a backend's `issued` predicts: "read bytes", "written bytes",
                    "scratch bytes", "primitive NAME", "statements UNIT", "blocks", "launches"; none where nothing is predicted
    held_bytes      memory that a buffer takes in the process, by `checked`: itself, and what is noted of its elements
    largest_buffer  bytes
    """

    name: str
    compiler: str
    text_flags: Callable[[bool], tuple[str, ...]]
    runtime_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    include: tuple[Path, ...]
    runtime: tuple[Path, ...]
    headers: tuple[Path, ...]
    glue: Callable[[tuple[Unit, ...]], str]
    held_bytes: Callable[[Placed, bool], int]
    loops_by_grid: Callable[[Kernel], bool] = lambda kernel: False
    double_buffers: Callable[[str], tuple[DoubleBuffer, ...]] = lambda text: ()
    observed: Callable[[Mapping[str, int]], dict[str, int]] = lambda counts: {}
    largest_buffer: int = 2**62
    marks: Callable[[Module], Marks] = lambda module: Marks((), ())


KINDS: dict[str, str] = {
    "cuda": "uol.backends.twin.simt_kind:CUDA",
    "hip": "uol.backends.twin.simt_kind:HIP",
    "ascendc": "uol.backends.twin.ascend_kind:KIND",
}
"""Backend name to the place of its kind."""


def register_kind(backend: str, place: str) -> None:
    """Name the twin of a further backend, as "module:attribute"."""
    if backend in KINDS and KINDS[backend] != place:
        raise UolError(f"the backend {backend!r} already has the twin {KINDS[backend]}")
    KINDS[backend] = place


def kind_of(backend: str) -> TwinKind:
    """The twin on which the modules of a backend run. Raises UolError for a backend without one."""
    if backend not in KINDS:
        raise UolError(f"the backend {backend!r} has no twin", hint="known: " + ", ".join(sorted(KINDS)))
    module, attribute = KINDS[backend].split(":")
    kind = getattr(importlib.import_module(module), attribute)
    assert isinstance(kind, TwinKind)
    return kind
