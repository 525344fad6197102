"""A step of a model whose operators run in a target's twin, kernel to kernel, while the rest of it is PyTorch's.

    with Emulation("hip") as emulation:
        model(x).sum().backward()
    emulation.kernels, emulation.findings      # how many kernels were launched; what the checks found
    emulation.seconds                          # how long they ran

What one operator leaves in memory, the next one reads, forward and backward: workspaces, layouts and types are those that the
target's kernels have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from uol.backends.twin import Job, execute_many
from uol.backends.twin.build import build_modules, order
from uol.backends.twin.kind import kind_of
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.memory_order import all_laid_out
from uol.conformance.paths.kernels import KernelCase
from uol.conformance.paths.recorded import Call, call_of, operator_name, results_given
from uol.ir.errors import UolError
from uol.ir.program.dtype_encoding import decode, encode
from uol.ir.program.nodes import Program
from uol.pytorch.schema import TORCH_TYPES


class Emulation(TorchDispatchMode):
    """Within, every operator of uol runs in the twin of a target; tensors stay on the CPU. Raises UolError where an operator
    has no kernel there, or its run does not end."""

    def __init__(self, target: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        self.target = resolve_target(target)
        self.kernels = 0
        self.findings: list[str] = []
        self.seconds = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        name = operator_name(func)
        if name is None:
            return func(*args, **given)
        results = self._run(call_of(func, args, given))
        written = results_given(func, given)
        for out, result in zip(written, results, strict=False):
            out.copy_(result)
        return None if written else results[0] if len(results) == 1 else results

    def _run(self, call: Call) -> tuple[torch.Tensor, ...]:
        request = call.operator.request(call.inputs, call.options, self.target)
        program = program_of(Request(request.instance, self.target))
        compiled = Compiled(request, module_of(request))
        values = dict(zip(call.operator.names, call.values(), strict=True))
        buffers = all_laid_out({t.name: encode(values[t.name], t.dtype) for t in program.by_role("in")}, request.layouts)
        scalars = {s.name: request.instance.attrs[s.name] for s in program.scalars}
        (run,) = execute_many([Job(compiled.module, buffers, scalars)])
        self.kernels += len(compiled.module.kernels)
        self.seconds += run.seconds
        self.findings += [f"{call.op}: {finding}" for finding in run.findings]
        return _tensors(call.op, program, request, run.outputs)


def build_ahead(cases: Sequence[KernelCase], target: str) -> None:
    """Builds the kernels of a run for the twin, many in one run of the compiler: an Emulation of that run finds them built."""
    modules = [module_of(case.request(resolve_target(target))) for case in cases]
    build_modules([order(kind_of(module.backend), module, True) for module in modules])


def _tensors(op: str, program: Program, request: Request, outputs: Mapping[str, Array]) -> tuple[torch.Tensor, ...]:
    found = []
    for tensor in program.by_role("out"):
        if tensor.name not in outputs:
            raise UolError(f"{op} gave no result {tensor.name} in the twin of {request.target.name}")
        values = torch.from_numpy(decode(outputs[tensor.name], tensor.dtype)).to(TORCH_TYPES[tensor.dtype])
        strides = request.layouts.get(tensor.name)
        made = values if strides is None else torch.empty_strided(values.shape, strides, dtype=values.dtype).copy_(values)
        found.append(made)
    return tuple(found)
