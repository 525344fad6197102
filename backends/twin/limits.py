"""Limits of the machine against the launch records: findings that no run on a CPU would make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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


def signature(kernel: Kernel) -> str:
    """A pattern of the line that begins a kernel; its group is the launch bound."""
    return rf"(?:__launch_bounds__\(\s*(\d+)[^)]*\)\s*)?\b{re.escape(kernel.name)}\s*\("


def launch_bound(kernel: Kernel, module: Module) -> int | None:
    match = re.search(signature(kernel), module.device.text)
    return int(match[1]) if match and match[1] else None


def line_of(kernel: Kernel, module: Module) -> int:
    """The line of the text that begins a kernel."""
    match = re.search(signature(kernel), module.device.text)
    return module.device.text.count("\n", 0, match.end()) + 1 if match else 0


def linkage(module: Module) -> Iterator[Finding]:
    """Kernels that no launcher would find: a loader looks for a name with C linkage, of a function for the device."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), module.device.text, flags=re.DOTALL)
    defined = " ".join(re.findall(r"^\s*#\s*define\b.*$", text, re.MULTILINE))
    for kernel in module.kernels:
        match = re.search(signature(kernel), text)
        if match is None:
            yield Finding("not-a-kernel", f"the text has no function {kernel.name}", kernel.name, 0)
            continue
        head = text[: match.start()]
        declaration = head[max(head.rfind(mark) for mark in (";", "}", "{")) + 1 :]
        in_block = re.findall(r'extern\s+"C"\s*\{', head)
        declaration += defined  # a macro may stand for either
        missing = [] if "__global__" in declaration else ["`__global__`: it cannot be launched"]
        if not re.search(r'extern\s+"C"', declaration) and not in_block:
            missing.append('`extern "C"`: its symbol is not its name, and no loader finds it')
        for reason in missing:
            yield Finding("not-a-kernel", f"{kernel.name} is declared without {reason}", kernel.name, line_of(kernel, module))
