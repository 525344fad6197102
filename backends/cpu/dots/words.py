"""Which products go by the processor's dot and tile instructions, and how their operands lie.

    bf16      pairs along k, products summed in f32
    i8, u8    four along k, products summed in i32

What belongs together is a word of 32 bits, the first element lowest. Both operands are copied into words, block by block of k,
as a product over panels copies b. Nothing here needs TVM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.panels import (
    FEWEST_PRODUCTS,
    FEWEST_SCATTERED_USES,
    LEAST_COLUMNS,
    with_flat_columns,
)
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.kinds import Unit
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Read
from uol.codegen.specs.traverse import mapped
from uol.ir.program.nodes import Call, Expr
from uol.ir.program.walk import rewrite, walk

BYTES = ("i8", "u8")


@dataclass(frozen=True, slots=True)
class Words:
    """The types of a product's operands, and how many steps along k are a word."""

    a: str
    b: str
    steps: int

    @property
    def bits(self) -> int:
        """Of an element."""
        return 32 // self.steps

    @property
    def name(self) -> str:
        """The kind of products, as `Host.units` calls it."""
        return "bf16" if self.steps == 2 else "bytes"

    @property
    def alike(self) -> bool:
        """Have both operands the same sign, which the dot instruction on bytes does not know?"""
        return self.a == self.b in BYTES


def words_of(spec: Contract) -> Words | None:
    """How the operands of a product of enough rows and columns are words; None where they are not."""
    a, b = _narrow(spec, spec.a), _narrow(spec, spec.b)
    if spec.segments is not None or not (spec.m and spec.n and spec.k) or a is None or b is None:
        return None
    rows, columns, products = size(spec.m), size(spec.n), size(spec.axes)
    if rows is None or columns is None or products is None:
        return None
    if rows < FEWEST_SCATTERED_USES or columns < LEAST_COLUMNS or products < FEWEST_PRODUCTS:
        return None
    if spec.acc_dtype == "f32" and a == b == "bf16":
        words = Words(a, b, 2)
    elif spec.acc_dtype == "i32" and a in BYTES and b in BYTES:
        words = Words(a, b, 4)
    else:
        return None
    return words if _is_of_words(spec, words.steps) else None


def unit_of(spec: Contract, host: Host) -> Unit:
    """What multiplies the words of a product there, the fastest first."""
    words = words_of(spec)
    units: tuple[Unit, ...] = ("tiles", "dots")
    return next((unit for unit in units if words is not None and f"{unit} of {words.name}" in host.units), "")


def has_words(spec: Contract) -> bool:
    """Is it prepared for words: are the steps of each next to each other in k?"""
    words = words_of(spec)
    return words is not None and (len(spec.k) == 1 or (static(spec.k[-1].extent) or 1) % words.steps == 0)


def lies_in_rows(spec: Contract) -> bool:
    """Do the words of a lie in rows that are so many elements apart? Tile registers read those where they are."""
    read = the_read(spec.a)
    if read.guard or len(spec.k) != 1 or coefficient(read.offset, spec.k[0].name) != 1:
        return False
    return coefficient(read.offset, spec.m[-1].name) is not None


def with_words(spec: Contract) -> Contract:
    """The spec with flat columns, and with its k in an order of which words can be made."""
    words = words_of(spec)
    assert words is not None
    return with_flat_columns(_in_order(spec, words.steps))


def _narrow(spec: Contract, factor: Expr) -> str | None:
    """The type of a factor that is an element of memory, widened; None of any other."""
    read = the_read(factor)
    if not (isinstance(factor, Call) and factor.fn == "cast" and factor.args == (read,) and factor.type == spec.acc_dtype):
        return None
    return None if any(isinstance(node, Read) and node != read for node in walk(read)) else read.dtype


def _is_of_words(spec: Contract, steps: int) -> bool:
    """Is there an axis of k that is made of whole words, or one only?"""
    return len(spec.k) == 1 or any((static(a.extent) or 1) % steps == 0 for a in spec.k)


def _in_order(spec: Contract, steps: int) -> Contract:
    """The spec with such an axis innermost in k."""
    last = next((a for a in reversed(spec.k) if (static(a.extent) or 1) % steps == 0), spec.k[-1])
    ordered = replace(spec, k=(*(a for a in spec.k if a != last), last))
    names = [a.name for a in ordered.axes]

    def reordered(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        known = dict(node.strides)
        return replace(node, strides=tuple((name, known[name]) for name in names if name in known))

    return mapped(ordered, expr=lambda e: rewrite(e, reordered))
