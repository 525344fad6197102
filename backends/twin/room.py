"""Is there room for a run? A run that is too large is refused before anything of it is made."""

from __future__ import annotations

from collections.abc import Mapping

from uol.backends.twin.arrays import Placed, place
from uol.backends.twin.folders import in_memory
from uol.backends.twin.kind import kind_of
from uol.backends.twin.machine import free_memory_bytes
from uol.codegen.backend import Module
from uol.ir.errors import ResourceError

ROLES = {"in": "input", "out": "result", "workspace": "workspace"}


def ensure_room(module: Module, scalars: Mapping[str, float | int], *, checked: bool = True, beside: int = 0) -> None:
    """Raises ResourceError for a module that takes more memory in the twin than is free, or that has a buffer larger than the
    twin can hold. `scalars` holds the sizes that are open in the module, `beside` is what the caller needs beside the run, in
    bytes an element of inputs and results."""
    buffers = _buffers(module, scalars)
    largest = max(buffers, key=lambda b: b.bytes, default=None)
    limit = kind_of(module.backend).largest_buffer
    if largest is not None and largest.bytes > limit:
        what = f"the {ROLES[largest.role]} {largest.name!r} takes {_said(largest.bytes)}"
        message = f"{module.graph.name} cannot run in the twin: {what}; the twin holds {_said(limit)} a buffer"
        raise ResourceError(message, hint="give it smaller sizes")
    needed, free = needed_bytes(module, scalars, checked=checked), free_memory_bytes()
    needed += beside * sum(b.span for b in buffers if b.role != "workspace")
    if free is not None and needed > free:
        of_largest = "" if largest is None else f", of which {_said(largest.bytes)} are {largest.name!r}"
        and_beside = " and to judge its results" if beside else ""
        message = f"{module.graph.name} needs {_said(needed)} of memory in the twin{and_beside}{of_largest}"
        raise ResourceError(f"{message}; {_said(free)} are free", hint="give it smaller sizes")


def needed_bytes(module: Module, scalars: Mapping[str, float | int], *, checked: bool) -> int:
    """What a run takes: the process with what it notes of each element, the file that carries inputs and results where that
    is in memory, and the results that are handed back."""
    buffers, kind = _buffers(module, scalars), kind_of(module.backend)
    in_file = sum(b.bytes for b in buffers if b.role != "workspace")
    results = sum(b.bytes for b in buffers if b.role == "out")
    return sum(kind.held_bytes(b, checked) for b in buffers) + results + (in_file if in_memory(in_file) else 0)


def _buffers(module: Module, scalars: Mapping[str, float | int]) -> list[Placed]:
    return [place(arg, scalars) for arg in (*module.graph.args, *module.graph.workspaces)]


def _said(size: int) -> str:
    """A number of bytes, in a unit that can be read."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << power:
            return f"{size / (1 << power):.1f} {unit}"
    return f"{size} bytes"
