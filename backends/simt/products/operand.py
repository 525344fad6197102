"""One operand of a Contract on its way through shared memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.elements.strides import smallest_stride
from uol.backends.simt.kernel.scope import Scope
from uol.codegen.indexing.arithmetic import ONE, sub
from uol.codegen.specs.nodes import Contract, Read
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Axis, Expr
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES

WORD_BYTES = 4
"""A bank of shared memory is one word wide on every SIMT target (CUDA C++ Programming Guide; CDNA2 ISA, LDS)."""


@dataclass(frozen=True, slots=True)
class Side:
    """One operand of a product: `outer` counts m or n, whose first element in the block is `origin` (empty: 0); `names` are
    those of the shared array and of the registers. `beyond`: blocks may begin behind the last of them."""

    factor: Expr
    names: tuple[str, str]
    outer: Counter
    origin: str
    tile: int
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class OperandPlan:
    """How a block fills `array[tile k][tile]` from global memory.

    outer, k      variables of the element that a thread loads, and their values from the load counter `slot`. Beyond the
                  last m or n the last one is loaded again: its sums are never stored, and nothing needs to be filled in
    k_bound       the first k that does not exist, where a step may reach it; such elements are neither loaded nor used
    body          statements that load the element into its place
    """

    array: str
    part: str
    tile: int
    pitch: int
    outer: str
    outer_value: str
    k: str
    k_value: str
    k_bound: str | None
    ctype: str
    body: tuple[str, ...]


def tile_names(spec: Contract) -> tuple[tuple[str, str], tuple[str, str]]:
    """Names for the shared array and the registers of each operand: the tensor's, so that a reader knows what is in it."""
    a, b = _read(spec.a).tensor, _read(spec.b).tensor
    if a == b:
        return (f"${a}_m_tile", f"${a}_m_part"), (f"${b}_n_tile", f"${b}_n_part")
    return (f"${a}_tile", f"${a}_part"), (f"${b}_tile", f"${b}_part")


def unit_stride_is_k(factor: Expr, outer: Sequence[Axis], k: Sequence[Axis]) -> bool:
    """Do neighbouring addresses of an operand lie along k? Then the lanes load along k."""
    read = _read(factor)
    return smallest_stride(read, k) < smallest_stride(read, outer)


def pitch(tile: int, element_bytes: int, lanes_along_k: bool) -> int:
    """Elements from one k to the next. Lanes that store along k would meet in one bank without a pad: with two words
    a row, the 16 x 2 elements of 32 lanes fall into 32 banks."""
    return tile + max(2 * WORD_BYTES // element_bytes, 1) if lanes_along_k else tile


def plan_operand(
    spec: Contract, side: Side, k: Counter, tile_k: int, printer: Printer, k_end: str | None = None
) -> OperandPlan:
    """The plan for one operand. `k_end`: where the sum ends, if not with the last k."""
    outer, tile = side.outer, side.tile
    along_k = unit_stride_is_k(side.factor, outer.axes, k.axes)
    inner = tile_k if along_k else tile
    slow, fast = f"slot / {inner}", f"slot % {inner}"
    outer_at, k_at = (slow, fast) if along_k else (fast, slow)
    array, part, outer_name, k_name = (printer.names.variable(n) for n in (*side.names, outer.name, k.name))
    position = f"{side.origin} + {outer_at}" if side.origin else outer_at
    last = printer.argument(sub(outer.count, ONE))
    return OperandPlan(
        array=array,
        part=part,
        tile=tile,
        pitch=pitch(tile, DTYPES[spec.acc_dtype].bytes, along_k),
        outer=outer_name,
        outer_value=f"uol::min({position}, {last})" if side.beyond or not is_multiple(outer.count, tile) else position,
        k=k_name,
        k_value=f"k0 + {k_at}",
        k_bound=k_end or (None if is_multiple(k.count, tile_k) else printer.value(k.count)),
        ctype=printer.ctype(spec.acc_dtype),
        body=_body(side, k, printer, f"{array}[{k_at}][{outer_at}]", spec.line),
    )


def _body(side: Side, k: Counter, printer: Printer, target: str, line: int) -> tuple[str, ...]:
    scope = Scope(printer)
    factor = k.shorter(side.outer.shorter(side.factor))
    needed = variables(factor)
    scope.axes(side.outer, needed)
    scope.axes(k, needed)
    value = scope.expression(factor)
    scope.add(f"{target} = {value};", line)
    return tuple(scope.lines)


def _read(factor: Expr) -> Read:
    return next(reads(factor))
