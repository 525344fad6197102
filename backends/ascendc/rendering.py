"""From a finished program to the text of one kernel, by Jinja."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jinja2

from uol.backends.ascendc.instructions import Block
from uol.backends.ascendc.kernel_names import KernelNames
from uol.backends.ascendc.machine import C_TYPE
from uol.backends.ascendc.memory.buffers import Overflow
from uol.backends.ascendc.memory.layout import MemoryLayout, memory_layout
from uol.backends.ascendc.program_printer import body_lines
from uol.backends.ascendc.schedules import AscendSchedule
from uol.backends.ascendc.sync.dependences import synchronise
from uol.backends.ascendc.transfers.indices import span_of
from uol.backends.c_text.template_folder import template_of
from uol.codegen.backend import Footprint, Kernel, Launch, Param
from uol.codegen.specs.nodes import Arg, KernelSpec, Store
from uol.codegen.specs.traverse import steps_of

TEMPLATES = Path(__file__).parent / "templates"
WIDTH = 118


@dataclass(frozen=True, slots=True)
class TensorRow:
    """A GlobalTensor of the text."""

    name: str
    ctype: str
    parameter: str
    elements: int


@dataclass(frozen=True, slots=True)
class KernelText:
    """What the kernel template reads."""

    name: str
    about: tuple[str, ...]
    signature: tuple[str, ...]
    core: str
    tensors: tuple[TensorRow, ...]
    layout: MemoryLayout
    body: tuple[str, ...]


def rendered(
    spec: KernelSpec, original: KernelSpec, names: KernelNames, program: Block, schedule: AscendSchedule, core: str
) -> Kernel | Overflow:
    """The kernel of a program. `original` is the spec as it was handed in, whose args are the kernel's parameters."""
    layout = memory_layout(program)
    if isinstance(layout, Overflow):
        return layout
    params = _params(original)
    text = KernelText(
        name=names.symbol,
        about=(schedule.describe(),),
        signature=_signature(names, params),
        core=core,
        tensors=tuple(_tensor(a, names) for a in spec.args),
        layout=layout,
        body=body_lines(program, synchronise(program, layout.addresses)),
    )
    grid = (schedule.blocks, 1, 1)
    return Kernel(
        name=names.symbol,
        text=template("kernel.cpp.j2").render(kernel=text),
        params=params,
        launch=Launch(grid, (1, 1, 1), core=core),
        footprint=Footprint(layout.bytes_by_memory(), grid),
        schedule=schedule,
        spec=original,
    )


def _params(spec: KernelSpec) -> tuple[Param, ...]:
    written = {s.tensor for s in steps_of(spec) if isinstance(s, Store)}
    buffers = [Param(a.name, "buffer", a.dtype, a.name in written) for a in spec.args]
    return tuple(buffers + [Param(s.name, "scalar", s.dtype) for s in spec.scalars])


def _signature(names: KernelNames, params: tuple[Param, ...]) -> tuple[str, ...]:
    texts = [_declared(names, p) for p in params]
    head = f'extern "C" __global__ __aicore__ void {names.symbol}('
    line = f"{head}{', '.join(texts)}) {{"
    if len(line) <= WIDTH:
        return (line,)
    return (head, *(f"    {t}{',' if t is not texts[-1] else ') {'}" for t in texts))


def _declared(names: KernelNames, param: Param) -> str:
    if param.kind == "buffer":
        return f"GM_ADDR {names.parameters[param.name]}"
    return f"{C_TYPE[param.dtype]} {names.variables[param.name]}"


def _tensor(arg: Arg, names: KernelNames) -> TensorRow:
    return TensorRow(names.tensors[arg.name], C_TYPE[arg.dtype], names.parameters[arg.name], span_of(arg))


def template(name: str) -> jinja2.Template:
    """A template of this backend."""
    return template_of(TEMPLATES, name)
