"""The counts of a kernel by its printed text, for tests: what `reading` makes of it, beside what walking it gives."""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.kernel.counts import Counts
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.printing import printed_kernel
from uol.backends.simt.kernel.templates import template
from uol.backends.simt.reading.parse import read_kernels
from uol.backends.simt.reading.syntax import Branch, Element, KernelText, Loop, Node, Operation
from uol.backends.simt.reading.syntax import Statement as Read
from uol.backends.simt.reading.units import is_counted, memory_of, simple_statements, vector_access


def read_back(text: KernelText) -> Counts:
    """The same counts, of what `reading` makes of a text."""
    found, memory = Counts(), memory_of(text)
    for step in simple_statements(text.body):
        found.statements += is_counted(step)
        found.barriers += isinstance(step.value, Operation) and step.value.fn == "__syncthreads"
        if isinstance(step.target, Element):
            found.writes.update([step.target.array] if step.target.array in memory else [])
            read(step.target.index, memory, found)
        read(() if step.value is None else (step.value,), memory, found)
    read(tuple(heads(text.body)), memory, found)
    return found


def read(nodes: tuple[Node, ...], memory: frozenset[str], found: Counts) -> None:
    for node in nodes:
        if (moved := vector_access(node)) is not None:
            (found.reads if moved[0] == "load" else found.writes).update([moved[1]])
        if isinstance(node, Element):
            found.reads.update([node.array] if node.array in memory else [])
        read(node.args if isinstance(node, Operation) else node.index if isinstance(node, Element) else (), memory, found)


def heads(body: tuple[Read, ...]) -> Iterator[Node]:
    """The conditions of branches and loops, and where loops begin."""
    for statement in body:
        match statement:
            case Branch(condition=condition, body=inner):
                yield condition
                yield from heads(inner)
            case Loop(init=init, condition=condition, body=inner):
                yield condition
                yield from (step.value for step in init if step.value is not None)
                yield from heads(inner)


def text_of(kernel: Kernel) -> KernelText:
    (found,) = read_kernels(template("kernel.j2").render(plan=kernel, body=printed_kernel(kernel)))
    return found
