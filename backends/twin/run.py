"""Run modules in the twin: `execute` one, `execute_many` at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uol.backends.twin.record import Array, Job, TwinRun
from uol.codegen.backend import Module


def execute(
    module: Module, buffers: Mapping[str, Array], scalars: Mapping[str, float | int] | None = None, *, checked: bool = True
) -> TwinRun:
    """Run all kernels of a module, in order, as a process of its own; see `Job` and `TwinRun`."""
    return execute_many([Job(module, buffers, scalars or {}, checked)])[0]


def execute_many(jobs: Sequence[Job]) -> list[TwinRun]:
    """Run many jobs; those that need compiling are compiled in as few compiler runs as sensible."""
    raise NotImplementedError
