"""Attention: a tile of rows a block; the cols pass by in tiles, and what is summed for a row stays in registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.attention.batch_numbers import declared, read_at, room_for
from uol.backends.simt.attention.elements import ScoresPlan, lost_names, plan_scores
from uol.backends.simt.attention.end import EndPlan, plan_end
from uol.backends.simt.attention.schedule import LANES_A_ROW, RowTile
from uol.backends.simt.attention.tiles import (
    WIDTHS,
    Operand,
    has_parts,
    open_widths,
    operands,
    parts_of_widths,
    row_blocks,
    thread_width,
    weight_pitch,
)
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.kernel.printing import printed
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.blocks import block_part, declare_batch
from uol.backends.simt.products.operand import Side, staged_operand
from uol.backends.simt.products.tile_kernel import steps_left
from uol.codegen.attention.batch_numbers import with_batch_numbers, without_batch_numbers
from uol.codegen.attention.parts import weights_of
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, add, mul, size
from uol.codegen.specs.nodes import Attention, Dot, Weighted
from uol.codegen.specs.traverse import expressions, mapped
from uol.ir.program.nodes import Const
from uol.ir.program.walk import variables

LOCALS = (
    *("ri", "ci", "wi", "slot", "row0", "col0", "width0", "col_end", "k0", "step", "steps", "thread_row", "thread_col"),
    *("highest", "scale", "unseen", "left"),
)


@dataclass(frozen=True, slots=True)
class SharedArray:
    """`name[outer][pitch]` in shared memory."""

    ctype: str
    name: str
    outer: int
    pitch: int


@dataclass(frozen=True, slots=True)
class OperandText:
    """An operand of a product: its array in shared memory, the registers of a thread, and the lines that fill the array."""

    ctype: str
    array: str
    part: str
    pitch: int
    load: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProductPlan:
    """One dot or sum: `acc[ri][inner] += left * right`. `a` is absent where the left factor is a weight of the tile, the array
    `weights`. `steps`: how many k are left, where a step may not be full; `count`: how much of the right side a thread owns."""

    ctype: str
    acc: str
    line: int
    inner: str
    count: int
    a: OperandText | None
    weights: str
    b: OperandText
    k_count: str
    steps: str | None


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """What `attention.j2` reads. `width0`: where a block's part of the widths begins, if it has not all of them."""

    template: ClassVar[str] = "attention.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    tile: RowTile
    lanes: int
    row0: str
    width0: str | None
    batch: tuple[str, ...]
    shared: tuple[SharedArray, ...]
    col_count: str
    col_end: str
    dots: tuple[ProductPlan, ...]
    scores: ScoresPlan
    sums: tuple[ProductPlan, ...]
    end: EndPlan


def plan_attention(spec: Attention, tile: RowTile) -> AttentionPlan:
    """The kernel of an Attention. Blocks are numbered with the parts of widths fastest, then the tiles of rows, then the
    batches."""
    rows, cols = Counter.over(spec.rows, "$at_row"), Counter.over(spec.cols, "$at_col")
    staged = operands(spec, tile)
    blocks = row_blocks(spec, tile)
    ends = [(rows.count, tile.rows), (cols.count, tile.cols), *((size(o.product.k), tile.k) for o in staged)]
    ends += [(width, WIDTHS[-1]) for width in open_widths(spec)]
    reach = [*(add(count, Const(beyond)) for count, beyond in ends), *(Const(o.outer) for o in staged)]
    spec, numbers = with_batch_numbers(spec)
    index = index_type(without_batch_numbers(spec, numbers), [blocks, *reach, *room_for(numbers, cols.count)], data_apart=True)
    spec, batch = _with_batch(spec)
    staged = operands(spec, tile)
    names = legalise(spec, LOCALS).with_locals(name for o in staged for name in o.names)
    names = names.with_locals([*(f"${w.name}_tile" for w in weights_of(spec)), *lost_names(spec), *(n.name for n in numbers)])
    printer = cols.known(rows.known(Printer(names, Proofs.of(spec), index.ctype)))
    row_tiles, parts = parts_of(rows.count, tile.rows), parts_of_widths(spec)
    scope = Scope(printer)
    needed = (*expressions(spec), *read_at(numbers, batch))
    declare_batch(batch, mul(row_tiles, parts), frozenset().union(*map(variables, needed)), scope)
    scope.put(*declared(numbers, batch, scope.printer))
    printer = scope.printer
    products = _products(spec, tile, staged, printer)
    batches = f", {printer.value(batch.count)} times" if batch.axes else ""
    share = "" if parts == ONE else f", {WIDTHS[-1]} of a width"
    return AttentionPlan(
        title=f"{printer.value(rows.count)} rows x {printer.value(cols.count)} cols{batches}; {tile.describe()}{share}",
        signature=signature(spec, kernel_symbol(spec), names, tile.threads, index, least_threads=1),
        launch=Launch((as_count(blocks), 1, 1), (tile.threads, 1, 1)),
        index_type=index.ctype,
        tile=tile,
        lanes=LANES_A_ROW,
        row0=printer.value(block_part(printer, parts, row_tiles if batch.count != ONE else None, tile.rows, row_tiles)),
        width0=None if parts == ONE else printer.value(block_part(printer, ONE, parts, WIDTHS[-1], parts)),
        batch=tuple(scope.lines),
        shared=_shared(spec, tile, products, printer),
        col_count=printer.value(cols.count),
        col_end=_col_end(cols, tile, printer),
        dots=products[: len(spec.dots)],
        scores=plan_scores(spec, tile, rows, cols, printer),
        sums=products[len(spec.dots) :],
        end=plan_end(spec, tile, rows, printer),
    )


def _with_batch(spec: Attention) -> tuple[Attention, Counter]:
    """The spec with one number for its batch where offsets allow."""
    batch = Counter.over(spec.batch, "$batch")
    return mapped(spec, expr=batch.shorter, step=batch.shortened), batch


def _products(spec: Attention, tile: RowTile, staged: tuple[Operand, ...], printer: Printer) -> tuple[ProductPlan, ...]:
    found: list[ProductPlan] = []
    pending = iter(staged)
    parts: tuple[Dot | Weighted, ...] = (*spec.dots, *spec.sums)
    for part in parts:
        a = _operand(next(pending), "row0", tile, printer) if isinstance(part, Dot) else None
        operand = next(pending)
        is_sum = isinstance(part, Weighted)
        b = _operand(operand, ("width0" if has_parts(spec) else "") if is_sum else "col0", tile, printer)
        k_count = size(operand.product.k)
        found.append(
            ProductPlan(
                ctype=printer.ctype(part.dtype),
                acc=printer.names.variable(part.name),
                line=part.line,
                inner="wi" if is_sum else "ci",
                count=thread_width(spec, part) if isinstance(part, Weighted) else tile.thread_cols,
                a=a,
                weights=printer.names.variable(f"${part.weight}_tile") if isinstance(part, Weighted) else "",
                b=b,
                k_count=printer.value(k_count),
                steps=None if (left := steps_left(k_count, tile.k)) is None else printer.value(left),
            )
        )
    return tuple(found)


def _operand(operand: Operand, origin: str, tile: RowTile, printer: Printer) -> OperandText:
    outer = Counter.over(operand.axes, {"row0": "$at_row", "col0": "$at_col"}.get(origin, "$at_width"))
    k = Counter.over(operand.product.k, "$at_k" if origin in ("row0", "col0") else "$at_col")
    known = k.known(outer.known(printer))
    side = Side(operand.factor, operand.names, outer, origin, operand.outer, beyond=origin == "width0")
    made = staged_operand(operand.product, side, k, tile.k, tile.threads, known)
    load = printed((made.load,), known.index_type)
    return OperandText(known.ctype(made.kind.dtype), made.array, made.part, made.pitch, tuple(load))


def _col_end(cols: Counter, tile: RowTile, printer: Printer) -> str:
    """Where the cols of a tile end."""
    end = f"col0 + {tile.cols}"
    return end if is_multiple(cols.count, tile.cols) else f"uol::min({end}, {printer.argument(cols.count)})"


def _shared(spec: Attention, tile: RowTile, products: tuple[ProductPlan, ...], printer: Printer) -> tuple[SharedArray, ...]:
    staged = (o for p in products for o in (p.a, p.b) if o is not None)
    arrays = [SharedArray(o.ctype, o.array, tile.k, o.pitch) for o in staged]
    for weight in weights_of(spec):
        name = printer.names.variable(f"${weight.name}_tile")
        arrays.append(SharedArray(printer.ctype(weight.dtype), name, tile.rows, weight_pitch(tile.cols)))
    return tuple(arrays)
