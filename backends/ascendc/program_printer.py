"""A synchronised program as lines of C text, flags and barriers in place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from uol.backends.ascendc.instructions import Block, Branch, Instr, Loop, Node, Text
from uol.backends.ascendc.memory.buffers import SLOT
from uol.backends.ascendc.sync.plan import Edge, Plan, contains

INDENT = "  "
WIDTH = 118
BREAK = re.compile(r", (?=[A-Z]\w*Params[(<])")
"""Where a long statement is broken: before its parameter structs."""
ALL_PIPES = "PipeBarrier<PIPE_ALL>();"


def body_lines(program: Block, plan: Plan) -> tuple[str, ...]:
    """The statements of a kernel's body, one a line, indented from zero."""
    return tuple(piece for line in _top(program, plan) for piece in _wrapped(line))


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
        held = [e for e in plan.carried() if e.event >= 0 and isinstance(node, Loop) and contains(node.body, e.block)]
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
    for edge in plan.waits_before(block, number):
        yield ALL_PIPES if edge.event < 0 else _flag("WaitFlag", edge, _event(edge))
    for pipe in plan.barriers_before(block, number):
        yield f"PipeBarrier<PIPE_{pipe}>();"
    match block.nodes[number]:
        case Instr(text=text) | Text(text=text):
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
    for edge in plan.sets_after(block, number):
        if edge.event >= 0:
            yield _flag("SetFlag", edge, _event(edge))


def _flag(call: str, edge: Edge, event: str) -> str:
    return f"{call}<HardEvent::{edge.name}>({event});"


def _event(edge: Edge) -> str:
    if edge.ids == 1:
        return str(edge.event)
    return SLOT if edge.event == 0 else f"{SLOT} + {edge.event}"
