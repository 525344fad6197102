"""What a kernel has, counted by walking it. `reading/` finds the same in its text, which a test holds against this."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import prod

from uol.backends.simt.c_text.terms import Address, BufferRange, Kind, Known, Pick, Primitive, Scalar, Vector, Word
from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES, STORAGE, STORAGE_BYTES
from uol.backends.simt.kernel.nodes import Assign, Barrier, Declare, Do, Kernel, PerWarp, Runs, Store, statements_of, values_of
from uol.backends.simt.kernel.uses import accesses_in, primitives_in
from uol.ir.program.nodes import Expr
from uol.ir.types import INDEX


@dataclass(slots=True)
class Counts:
    """`statements` that compute or move something; elements and vectors that they read and write, by buffer; barriers."""

    statements: int = 0
    barriers: int = 0
    reads: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)


def counts_of(kernel: Kernel) -> Counts:
    """The counts of a kernel as it is written: of a loop, those of one turn."""
    found, buffers = Counts(), {buffer.name for buffer in kernel.buffers}
    for statement in statements_of(kernel.body):
        found.barriers += isinstance(statement, Barrier)
        found.statements += isinstance(statement, Assign | Store | Do | Runs) or (  # a run declares its key
            isinstance(statement, Declare) and statement.value is not None
        )
        for value in values_of(statement):
            is_target = isinstance(statement, Store) and value is statement.target
            into = found.writes if is_target or _stores(value) else found.reads
            into.update(a.array for a in accesses_in(value) if a.array in buffers and (a.index is not None or _moves(value)))
    return found


WORD_BYTES, ADDRESS_BYTES = 4, 8


def shared_bytes(kernel: Kernel, lanes: int) -> int:
    """The bytes of a block's shared memory, on warps of so many lanes: its arrays, and what the launch asks for."""
    arrays = (buffer for buffer in kernel.buffers if buffer.memory == "shared")
    declared = sum(_elements(buffer.elements, lanes) * kind_bytes(buffer.kind, kernel.index_type) for buffer in arrays)
    return declared + kernel.launch.shared_bytes


def kind_bytes(kind: Kind, index_type: str) -> int:
    """Bytes of a value. The index of a pick begins where one of its size may."""
    match kind:
        case Vector(of=of, width=width):
            return width * kind_bytes(of, index_type)
        case Pick(value=value):
            own, index = COMPUTE_BYTES[COMPUTE[value]], COMPUTE_BYTES[index_type]
            return 2 * max(own, index)
        case Scalar(dtype=dtype) if dtype == INDEX:
            return COMPUTE_BYTES[index_type]
        case Scalar(dtype=dtype, stored=stored):
            return STORAGE_BYTES[STORAGE[dtype]] if stored else COMPUTE_BYTES[COMPUTE[dtype]]
        case Word():
            return WORD_BYTES
        case Address():
            return ADDRESS_BYTES
        case BufferRange():
            return 4 * WORD_BYTES


def _elements(elements: int | tuple[int, ...] | PerWarp | None, lanes: int) -> int:
    if isinstance(elements, PerWarp):
        return elements.threads // lanes
    return prod(elements) if isinstance(elements, tuple) else elements or 0


def _moves(value: Expr) -> bool:
    """Does a value move several elements at once?"""
    return any(call.name in ("load_vector", "store_vector") for call in primitives_in(value))


def _stores(value: Expr) -> bool:
    inner = value.expr if isinstance(value, Known) else value
    return isinstance(inner, Primitive) and inner.name == "store_vector"
