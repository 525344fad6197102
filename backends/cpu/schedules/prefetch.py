"""Asking the processor for memory before it is needed."""

from __future__ import annotations

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.frame import Frame
from uol.codegen.specs.nodes import Read, Store

LOCALITY, DATA = 1, 1
"""llvm.prefetch: into the second-level cache; the first has better use for its space."""


def prefetch(frame: Frame, access: Read | Store, places: list[Scope]) -> None:
    """Asks for the element of an access at each of the places; beyond the end of the buffer, for its last element."""
    buffer, span = frame.scope.buffers[access.tensor], frame.extent(frame.scope.spans[access.tensor])
    last = tirx.Max(index(span) - index(1), index(0))
    how = [tirx.const(v, "int32") for v in (isinstance(access, Store), LOCALITY, DATA)]
    for place in places:
        offset = tirx.Min(evaluate(access.offset, place), last)
        address = tirx.address_of(tirx.BufferLoad(buffer, [offset]))
        frame.code.add(tirx.Evaluate(tirx.call_llvm_intrin("void", "llvm.prefetch", address, *how)))
