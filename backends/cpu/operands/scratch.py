"""How a row is ordered, and the memory that it takes. Nothing here needs TVM.

A few places are found by insertion, which needs none; a whole order takes two copies of keys and places, on the stack
where they fit, else in a workspace that the caller gives.
"""

from __future__ import annotations

from dataclasses import replace

from uol.backends.cpu.host import core_count
from uol.codegen.indexing.arithmetic import dense_strides, mul, static
from uol.codegen.indexing.arithmetic import size as count_of
from uol.codegen.specs.nodes import Arg, Select
from uol.ir.program.nodes import Const
from uol.ir.types import DTYPES, INDEX

MOST_INSERTED = 32
"""Up to so many places, inserting an element (that many steps, for few of the elements) is cheaper than ordering all."""
STACK_BYTES = 256 * 1024
"""What a row may take of a thread's stack of 4 MB: a part of a second-level cache."""
COPIES = 4
"""Keys and places, each twice: a pass reads one copy and writes the other."""


def key_bits(spec: Select) -> int:
    """Width of the integers that keys are ordered as."""
    return 64 if DTYPES["i64" if spec.key.type == INDEX else spec.key.type].bits == 64 else 32


def takes_digits(spec: Select) -> bool:
    """Is the whole row ordered?"""
    wanted = static(spec.place.extent)
    return wanted is None or wanted > MOST_INSERTED


def scratch_name(spec: Select) -> str:
    return f"{spec.name}_scratch"


def slots(spec: Select) -> int:
    """In how many parts of a workspace rows are ordered at once; 0 where the stack is enough. A length that is an argument
    is taken to be long."""
    length, rows = static(spec.col.extent), static(count_of(spec.rows))
    if not takes_digits(spec) or (length is not None and COPIES * length * key_bits(spec) // 8 <= STACK_BYTES):
        return 0
    return core_count() if rows is None else max(1, min(rows, core_count()))


def with_scratch(spec: Select) -> Select:
    """The spec with the workspace that its rows need, where they need one."""
    parts = slots(spec)
    if not parts:
        return spec
    shape = (Const(parts), mul(spec.col.extent, Const(COPIES)))
    scratch = Arg(scratch_name(spec), f"i{key_bits(spec)}", shape, dense_strides(shape), "workspace")
    return replace(spec, args=(*spec.args, scratch))
