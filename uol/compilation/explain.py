"""Why the kernels of an operator are what they are: what fused, how tensors lie, which schedule, what a launch takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.codegen.backend import Kernel, Module
from uol.codegen.indexing.arithmetic import ZERO, add, product
from uol.codegen.indexing.fold_constants import folded
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import Arg, Attention, Contract, Pack, Select
from uol.codegen.specs.steps import steps_of
from uol.compilation.spec_printer import arg_lines, arg_text, spec_lines
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import DTYPES, INDEX

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`str(explanation)` is for people, `as_json` for programs."""

    module: Module

    def __str__(self) -> str:
        module, graph = self.module, self.module.graph
        kernels = "one kernel" if len(module.kernels) == 1 else f"{len(module.kernels)} kernels"
        lines = [*_numbered(graph.source), "", f"{graph.name} on {module.backend}:{module.device_name}: {kernels}"]
        lines += arg_lines(graph.args)
        lines += [f"  workspace {arg_text(a)}  ({size_text(size_bytes(a))} bytes between kernels)" for a in graph.workspaces]
        for number, kernel in enumerate(module.kernels, 1):
            lines += ["", f"{number}. {kernel.name}: {_what(kernel)}", *(f"  {line}" for line in spec_lines(kernel.spec))]
            lines += [f"  schedule  {kernel.schedule.describe()}", f"  launch    {_launch(kernel)}"]
        return "\n".join([*lines, "", f"build     {module.build}", ""])

    def as_json(self) -> Json:
        graph = self.module.graph
        return {
            "op": graph.name,
            "target": f"{self.module.backend}:{self.module.device_name}",
            "source": graph.source,
            "arguments": [arg_json(a) for a in graph.args],
            "workspaces": [arg_json(a) for a in graph.workspaces],
            "packed_bytes": size_json(_sum(k for k in self.module.kernels if isinstance(k.spec, Pack))),
            "kernels": [kernel_json(k) for k in self.module.kernels],
            "build": self.module.build,
        }


def kernel_json(kernel: Kernel) -> Json:
    """A kernel's kind, fused lines of the operator, schedule and launch."""
    return {
        "name": kernel.name,
        "kind": type(kernel.spec).__name__,
        "lines": _lines(kernel),
        "schedule": kernel.schedule.describe(),
        "grid": list(kernel.launch.grid),
        "block": list(kernel.launch.block),
        "shared_bytes": kernel.launch.shared_bytes,
        "core": kernel.launch.core,
        "buffers_bytes": dict(kernel.footprint.buffers),
    }


def arg_json(arg: Arg) -> Json:
    return {
        "name": arg.name,
        "dtype": arg.dtype,
        "shape": list(map(size_json, arg.shape)),
        "strides": list(map(size_json, arg.strides)),
        "role": arg.role,
        "bytes": size_json(size_bytes(arg)),
    }


def size_bytes(arg: Arg) -> Expr:
    """Bytes of a tensor's elements (each once, whatever its strides)."""
    return folded(Call("*", (product(arg.shape), Const(DTYPES[arg.dtype].bytes)), INDEX))


def size_json(expr: Expr) -> int | str:
    """A number, or the text of an expression over open dims."""
    return int(expr.value) if isinstance(expr, Const) else expr_text(expr)


def size_text(expr: Expr) -> str:
    """`"4,096"`, or the text of an expression over open dims."""
    size = size_json(expr)
    return f"{size:,}" if isinstance(size, int) else size


def _numbered(source: str) -> list[str]:
    return [f"{number:4} | {line}" for number, line in enumerate(source.splitlines(), 1)]


def _sum(kernels: Iterable[Kernel]) -> Expr:
    """Bytes that kernels write."""
    total: Expr = ZERO
    for arg in (a for k in kernels for a in _results(k)):
        total = add(total, size_bytes(arg))
    return total


def _results(kernel: Kernel) -> list[Arg]:
    written = {p.name for p in kernel.params if p.writes}
    return [a for a in kernel.spec.args if a.name in written]


def _lines(kernel: Kernel) -> list[int]:
    spec = kernel.spec
    own = [spec.line] if isinstance(spec, Contract | Select) else []
    if isinstance(spec, Attention):
        own = [*(d.line for d in spec.dots), *(s.line for s in spec.sums)]
    return sorted({*own, *(step.line for step in steps_of(spec))})


def _what(kernel: Kernel) -> str:
    lines = _lines(kernel)
    if isinstance(kernel.spec, Pack):
        return f"copies {size_text(_sum([kernel]))} bytes into the layout that a later kernel wants"
    fused = "line " if len(lines) == 1 else f"{len(lines)} statements in one kernel, lines "
    return fused + ", ".join(map(str, lines))


def _launch(kernel: Kernel) -> str:
    launch = kernel.launch
    buffers = ", ".join(f"{name} {size:,} bytes" for name, size in kernel.footprint.buffers.items()) or "no on-chip buffers"
    grid, block = (" x ".join(map(str, axes)) for axes in (launch.grid, launch.block))
    core = f" on {launch.core}" if launch.core else ""
    return f"grid {grid}, block {block}{core}; {buffers}"
