"""From a kernel's plan to its text: the synchronised program line by line, and what stands around it, by Jinja."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2

from uol.backends.ascendc.candidates import KernelPlan
from uol.backends.ascendc.helpers import resolved
from uol.backends.ascendc.instructions import SLOT, Block, Branch, Declared, Instr, Loop, Node, Text
from uol.backends.ascendc.machine import C_TYPE
from uol.backends.ascendc.memory import MemoryLayout
from uol.backends.ascendc.sync.dependences import Edge, Plan
from uol.backends.ascendc.transfers.indices import span_of
from uol.backends.ascendc.writer import KernelNames
from uol.backends.c_text.template_folder import template_of
from uol.codegen.backend import Kernel, Launch, Param
from uol.codegen.specs.nodes import Arg, KernelSpec, Store
from uol.codegen.specs.traverse import steps_of

TEMPLATES = Path(__file__).parent / "templates"
INDENT = "  "
WIDTH = 118
BREAK = re.compile(r", (?=[A-Z]\w*Params[(<])")
"""Where a long statement is broken: before its parameter structs."""
ALL_PIPES = "PipeBarrier<PIPE_ALL>();"


@dataclass(frozen=True, slots=True)
class AscendKernel(Kernel):
    """A kernel with what its text takes from the file around it: helpers by name, and the C type of their indices."""

    helpers: tuple[str, ...]
    index: str


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


@dataclass(frozen=True, slots=True)
class Body:
    """The statements of a kernel, one a line, indented from zero, and the helpers that they call."""

    lines: tuple[str, ...]
    helpers: frozenset[str]


def rendered(plan: KernelPlan) -> AscendKernel:
    """The kernel of a plan."""
    spec, names = plan.spec, plan.names
    params = _params(spec)
    body = body_of(plan.program, plan.order)
    text = KernelText(
        name=names.symbol,
        about=(plan.schedule.describe(),),
        signature=_signature(names, params),
        core=plan.core,
        tensors=tuple(_tensor(a, names) for a in spec.args),
        layout=plan.layout,
        body=body.lines,
    )
    return AscendKernel(
        name=names.symbol,
        text=template("kernel.cpp.j2").render(kernel=text),
        params=params,
        launch=Launch(plan.footprint.grid, (1, 1, 1), core=plan.core),
        footprint=plan.footprint,
        schedule=plan.schedule,
        spec=spec,
        helpers=tuple(sorted(body.helpers)),
        index=plan.index,
    )


def template(name: str) -> jinja2.Template:
    """A template of this backend."""
    return template_of(TEMPLATES, name)


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


def body_of(program: Block, plan: Plan) -> Body:
    """A program with its flags and barriers in place."""
    called: set[str] = set()
    lines = (resolved(line, called) for line in _top(program, plan))
    return Body(tuple(piece for line in lines for piece in _wrapped(line)), frozenset(called))


def _wrapped(line: str) -> Iterator[str]:
    """A copy's parameters on lines of their own where one line would be long."""
    if len(line) <= WIDTH:
        yield line
        return
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    head, *params = BREAK.split(line)
    pieces = [head, *(indent + p for p in params)]
    yield from (piece + ("," if piece is not pieces[-1] else "") for piece in pieces)


def _top(program: Block, plan: Plan) -> Iterator[str]:
    declared = False
    for number, node in enumerate(program.nodes):
        held = [e for e in plan.carried_within(node) if e.event >= 0]
        if _has_slots(node) and not declared:
            declared = True
            yield f"int {SLOT} = 0;"
        for edge in held:
            yield from (_flag("SetFlag", edge, str(edge.event + i)) for i in range(edge.distance))
        yield from _node(program, number, plan)
        for edge in held:
            yield from (_flag("WaitFlag", edge, str(edge.event + i)) for i in range(edge.distance))


def _has_slots(node: Node) -> bool:
    """Is the node a loop that alternates between slots, or does it hold one?"""
    if isinstance(node, Loop) and node.slotted:
        return True
    return isinstance(node, Loop | Branch) and any(_has_slots(n) for n in node.body.nodes)


def _block(block: Block, plan: Plan) -> Iterator[str]:
    for number in range(len(block.nodes)):
        yield from _node(block, number, plan)


def _node(block: Block, number: int, plan: Plan) -> Iterator[str]:
    waits, barriers = plan.before(block, number)
    for edge in waits:
        yield ALL_PIPES if edge.event < 0 else _flag("WaitFlag", edge, _event(edge))
    for pipe in barriers:
        yield f"PipeBarrier<PIPE_{pipe}>();"
    match block.nodes[number]:
        case Instr(text=text) | Text(text=text) | Declared(text=text):
            yield text
        case Loop(header=header, body=body, slotted=slotted):
            yield f"{header} {{"
            yield from (INDENT + line for line in _block(body, plan))
            if slotted:
                yield f"{INDENT}{SLOT} = 1 - {SLOT};"
            yield "}"
        case Branch(condition=condition, body=body):
            yield f"if ({condition}) {{"
            yield from (INDENT + line for line in _block(body, plan))
            yield "}"
    for edge in plan.after(block, number):
        if edge.event >= 0:
            yield _flag("SetFlag", edge, _event(edge))


def _flag(call: str, edge: Edge, event: str) -> str:
    return f"{call}<HardEvent::{edge.name}>({event});"


def _event(edge: Edge) -> str:
    if edge.ids == 1:
        return str(edge.event)
    return SLOT if edge.event == 0 else f"{SLOT} + {edge.event}"
