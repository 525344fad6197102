"""Limits of the machine against the launch records: findings that no run on a CPU would make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from uol.backends.twin.record import Finding
from uol.codegen.backend import Capability, Kernel, Module


def launch_limits(module: Module, capability: Capability, values: Mapping[str, float]) -> Iterator[Finding]:
    """Blocks and grids that the machine refuses, at a call with these sizes."""
    for kernel in module.kernels:
        block, grid = kernel.launch.block, kernel.launch.blocks(values)
        threads = block[0] * block[1] * block[2]
        line = line_of(kernel, module)
        if not 1 <= threads <= capability.max_threads:
            message = f"a block of {threads} threads; the machine has 1 to {capability.max_threads}"
            yield Finding("limit-threads", message, kernel.name, line)
        bound = launch_bound(kernel, module)
        if bound is not None and threads > bound:
            yield Finding("limit-threads", f"a block of {threads} threads in a kernel bound to {bound}", kernel.name, line)
        for axis, size, limit in zip("xyz", grid, capability.max_grid, strict=True):
            if not 0 <= size <= limit:  # a launcher skips an empty grid
                message = f"{size} blocks along {axis}; the machine has at most {limit}"
                yield Finding("limit-grid", message, kernel.name, line)


def scratch_limits(module: Module, capability: Capability, sizes: Mapping[tuple[int, str], int]) -> Iterator[Finding]:
    """On-chip memory beyond what a block may have; `sizes` by (launch, memory)."""
    for (launch, memory), size in sizes.items():
        limit = capability.scratch_bytes.get(memory)
        if limit is not None and size > limit:
            kernel = module.kernels[launch]
            message = f"{size} bytes of {memory} memory; a block may have {limit}"
            yield Finding("limit-shared", message, kernel.name, line_of(kernel, module))


def launch_bound(kernel: Kernel, module: Module) -> int | None:
    return _declared(module.device.text, kernel.name).bound


def line_of(kernel: Kernel, module: Module) -> int:
    """The line of the text that begins a kernel."""
    return _declared(module.device.text, kernel.name).line


def linkage(module: Module) -> Iterator[Finding]:
    """Kernels that no launcher would find: a loader looks for a name with C linkage, of a function for the device."""
    for kernel in module.kernels:
        declared = _declared(module.device.text, kernel.name)
        for message in declared.faults:
            yield Finding("not-a-kernel", message, kernel.name, declared.line)


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a text says of a kernel: where it begins, its launch bound, and why no launcher would find it."""

    line: int
    bound: int | None
    faults: tuple[str, ...]


@lru_cache(maxsize=256)
def _declared(text: str, name: str) -> _Declared:
    """Many calls have one text: cases of several sizes, where these are arguments."""
    begin = re.compile(rf"(?:__launch_bounds__\(\s*(\d+)[^)]*\)\s*)?\b{re.escape(name)}\s*\(")
    match = begin.search(text)
    line = text.count("\n", 0, match.end()) + 1 if match else 0
    bound = int(match[1]) if match and match[1] else None
    return _Declared(line, bound, tuple(_faults(_without_comments(text), name, begin)))


@lru_cache(maxsize=32)
def _without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)


def _faults(text: str, name: str, begin: re.Pattern[str]) -> Iterator[str]:
    match = begin.search(text)
    if match is None:
        yield f"the text has no function {name}"
        return
    head = text[: match.start()]
    defined = " ".join(re.findall(r"^\s*#\s*define\b.*$", text, re.MULTILINE))
    declaration = head[max(head.rfind(mark) for mark in (";", "}", "{")) + 1 :] + defined  # a macro may stand for either
    if "__global__" not in declaration:
        yield f"{name} is declared without `__global__`: it cannot be launched"
    if not re.search(r'extern\s+"C"', declaration) and not re.findall(r'extern\s+"C"\s*\{', head):
        yield f"{name} is declared without `extern \"C\"`: its symbol is not its name, and no loader finds it"
