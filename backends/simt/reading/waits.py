"""How often a thread waits for global memory, one wait after another.

Loads of one turn of a loop are on their way together, and those of so many turns where the compiler writes these out and no
barrier stands between them. What a barrier separates waits apart. Of asynchronous copies a turn waits for the oldest group,
while those that its wait leaves pending are on their way.
"""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.simt.machine.limits import TOGETHER
from uol.backends.simt.reading.merged import is_unrolled
from uol.backends.simt.reading.syntax import Branch, Element, Loop, Name, Node, Operation, Simple, Statement, walk


def turns_together(loop: Loop, tensors: frozenset[str]) -> int:
    """Turns of a loop whose loads are on their way together; 0 where it loads nothing but in loops of its own."""
    if (pending := _pending(loop.body)) is not None:
        return pending + 1
    if not any(_loads(step, tensors) for step in _direct(loop.body)):
        return 0
    return 1 if any(_is_barrier(step) for step in _direct(loop.body)) else TOGETHER


def _direct(body: Iterable[Statement]) -> Iterable[Simple]:
    """The statements of a turn, with those of loops that are written out."""
    for statement in body:
        match statement:
            case Simple():
                yield statement
            case Branch(body=inner):
                yield from _direct(inner)
            case Loop() if is_unrolled(statement):
                yield from _direct(statement.body)


def _pending(body: Iterable[Statement]) -> int | None:
    """Groups that are on their way behind the waits of a turn; None where it waits for none."""
    waits = (step.value for step in _direct(body) if isinstance(step.value, Operation) and step.value.fn == "wait_copies")
    return max((int(wait.parameters[0]) for wait in waits), default=None)


def _loads(step: Simple, tensors: frozenset[str]) -> bool:
    return step.value is not None and any(_is_load(node, tensors) for node in walk(step.value))


def _is_load(node: Node, tensors: frozenset[str]) -> bool:
    match node:
        case Element(array=array):
            return array in tensors
        case Operation(fn="load_vector", args=(Name(name=array), *_)):
            return array in tensors
        case Operation(fn="load_buffer"):
            return True
    return False


def _is_barrier(step: Simple) -> bool:
    return isinstance(step.value, Operation) and (step.value.fn == "__syncthreads" or step.value.fn.startswith("block_"))
