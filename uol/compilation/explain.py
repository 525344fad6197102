"""Why the kernels of an operator are what they are: what fused, how tensors lie, which schedule, what a launch takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.codegen.backend import Kernel, Module
from uol.codegen.indexing.arithmetic import ZERO, add, mul, product
from uol.codegen.schedule import schedule_text
from uol.codegen.specs.expression_text import expr_text, size_json, size_text
from uol.codegen.specs.nodes import Arg, Pack
from uol.codegen.specs.printer import arg_lines, arg_text, spec_lines
from uol.codegen.specs.traverse import lines_of
from uol.compilation.request import Target
from uol.compilation.schedule_table import buffers_text, candidate_lines, candidates_json, grid_text
from uol.ir.program.nodes import Const, Expr
from uol.ir.types import DTYPES

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`str(explanation)` is for people, `as_json` for programs."""

    module: Module
    candidates_on: Target | None = None
    """The target of which every schedule that a kernel could have is listed."""

    def __str__(self) -> str:
        module, graph = self.module, self.module.graph
        kernels = "one kernel" if len(module.kernels) == 1 else f"{len(module.kernels)} kernels"
        lines = [*_numbered(graph.source), "", f"{graph.name} on {module.backend}:{module.device_name}: {kernels}"]
        lines += arg_lines(graph.args)
        lines += [f"  workspace {arg_text(a)}  ({size_text(size_bytes(a))} bytes between kernels)" for a in graph.workspaces]
        for number, kernel in enumerate(module.kernels, 1):
            lines += ["", f"{number}. {kernel.name}: {_what(kernel)}", *(f"  {line}" for line in spec_lines(kernel.spec))]
            lines += [f"  schedule  {kernel.schedule.describe()}", f"  launch    {_launch(kernel)}"]
            if self.candidates_on is not None:
                lines += candidate_lines(kernel, self.candidates_on)
        return "\n".join([*lines, "", "build     " + module.build.replace("\n", "\n" + 10 * " "), ""])

    def as_json(self) -> Json:
        graph = self.module.graph
        return {
            "op": graph.name,
            "target": f"{self.module.backend}:{self.module.device_name}",
            "source": graph.source,
            "arguments": [arg_json(a) for a in graph.args],
            "workspaces": [arg_json(a) for a in graph.workspaces],
            "packed_bytes": size_json(_sum(k for k in self.module.kernels if isinstance(k.spec, Pack))),
            "kernels": [kernel_json(k) | self._candidates_json(k) for k in self.module.kernels],
            "build": self.module.build,
        }

    def _candidates_json(self, kernel: Kernel) -> Json:
        return {} if self.candidates_on is None else {"schedules": candidates_json(kernel, self.candidates_on)}


def kernel_json(kernel: Kernel) -> Json:
    """A kernel's kind, fused lines of the operator, schedule and launch."""
    return {
        "name": kernel.name,
        "kind": type(kernel.spec).__name__,
        "lines": lines_of(kernel.spec),
        "schedule": schedule_text(kernel.schedule),
        "layout": kernel.schedule.describe(),
        "grid": list(map(size_json, kernel.launch.grid)),
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
    return mul(product(arg.shape), Const(DTYPES[arg.dtype].bytes))


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


def _what(kernel: Kernel) -> str:
    lines = lines_of(kernel.spec)
    if isinstance(kernel.spec, Pack):
        return f"copies {size_text(_sum([kernel]))} bytes into the layout that a later kernel wants"
    fused = "line " if len(lines) == 1 else f"{len(lines)} statements in one kernel, lines "
    return fused + ", ".join(map(str, lines))


def _launch(kernel: Kernel) -> str:
    launch = kernel.launch
    core = f" on {launch.core}" if launch.core else ""
    where = f"; for {' and '.join(map(expr_text, launch.where))}" if launch.where else ""
    return f"grid {grid_text(launch.grid)}, block {grid_text(launch.block)}{core}; {buffers_text(kernel.footprint)}{where}"
