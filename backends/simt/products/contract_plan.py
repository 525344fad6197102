"""Contract: tiles of the result, operands staged through shared memory, a register tile a thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.epilogue import EpiloguePlan, plan_epilogue
from uol.backends.simt.products.operand import OperandPlan, Side, pitch, plan_operand, tile_names, unit_stride_is_k
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.products.segments import RowSegments, declare_terms, plan_rows
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, folded, mul, size
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES, INDEX, is_float

LOCALS = ("mi", "ni", "slot", "m0", "n0", "k0", "step", "steps", "thread_m", "thread_n")
SEGMENT_LOCALS = ("first", "last", "mine", "row", "begin", "end")
BLOCK, LEFT, RIGHT = "$block", "$left", "$right"


@dataclass(frozen=True, slots=True)
class ContractPlan:
    """What `contract.j2` reads. The sum runs over k from `k_first` to `k_end`; `steps` is how many k are left, where the last
    tile is not full; `accumulate` is the innermost statement."""

    template: ClassVar[str] = "contract.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    tile: Tile
    origin_m: str
    origin_n: str
    batch: tuple[str, ...]
    k_first: str
    k_end: str
    steps: str | None
    rows: RowSegments | None
    a: OperandPlan
    b: OperandPlan
    acc_ctype: str
    acc: str
    line: int
    accumulate: str
    epilogue: EpiloguePlan


@dataclass(frozen=True, slots=True)
class Grid:
    """How many tiles cover the result."""

    m: Expr
    n: Expr
    batch: Expr

    @property
    def blocks(self) -> Expr:
        return mul(mul(self.m, self.n), self.batch)


def grid_of(spec: Contract, tile: Tile) -> Grid:
    """Tiles along m, along n, and the number of batches."""
    return Grid(parts_of(size(spec.m), tile.m), parts_of(size(spec.n), tile.n), size(spec.batch))


def tile_bytes(spec: Contract, tile: Tile) -> int:
    """Shared memory of both staged tiles."""
    element = DTYPES[spec.acc_dtype].bytes
    a = pitch(tile.m, element, unit_stride_is_k(spec.a, spec.m, spec.k))
    b = pitch(tile.n, element, unit_stride_is_k(spec.b, spec.n, spec.k))
    return (a + b) * tile.k * element


def plan_contract(spec: Contract, tile: Tile) -> ContractPlan:
    """The kernel of a Contract. Blocks are numbered with the tiles of n fastest, then m, then the batches."""
    grid = grid_of(spec, tile)
    m_count, n_count, k_count = size(spec.m), size(spec.n), size(spec.k)
    reach = [mul(grid.m, Const(tile.m)), mul(grid.n, Const(tile.n)), add(k_count, Const(tile.k))]
    index = index_type(spec, [grid.blocks, *reach])
    names = legalise(spec, LOCALS if spec.segments is None else LOCALS + SEGMENT_LOCALS)
    a_names, b_names = tile_names(spec)
    batch = Counter.over(spec.batch, "$batch")
    spec = replace(
        spec,
        a=batch.shorter(spec.a),
        b=batch.shorter(spec.b),
        epilogue=tuple(batch.shortened(s) for s in spec.epilogue),
    )
    counters = Counter.over(spec.m, "$at_m"), Counter.over(spec.n, "$at_n"), Counter.over(spec.k, "$at_k")
    names = names.with_locals([*a_names, *b_names])
    printer = Printer(names, Proofs.of(spec), index.ctype)
    for counter in counters:
        printer = counter.known(printer)
    batch_scope = Scope(printer)
    needed = used_variables(spec.epilogue) | variables(spec.a) | variables(spec.b)
    declare_batch(batch, mul(grid.m, grid.n), needed, batch_scope)
    printer = batch_scope.printer
    m, n, k = counters
    run = declare_terms(spec, k_count, batch_scope)
    run_end = None if run is None else run.end
    rows = plan_rows(spec, m_count, tile, printer)
    times = f", {printer.value(grid.batch)} times" if spec.batch else ""
    return ContractPlan(
        title=f"{' x '.join(map(printer.value, (m_count, n_count, k_count)))}{times}; {tile.describe()}",
        signature=signature(spec, kernel_symbol(spec), names, tile.threads, index, least_threads=1),
        launch=Launch((as_count(grid.blocks), 1, 1), (tile.threads, 1, 1)),
        index_type=index.ctype,
        tile=tile,
        origin_m=block_part(printer, grid.n, grid.m if grid.batch != ONE else None, tile.m, grid.m),
        origin_n=block_part(printer, ONE, grid.n if mul(grid.m, grid.batch) != ONE else None, tile.n, grid.n),
        batch=tuple(batch_scope.lines),
        k_first="0" if run is None else run.first,
        k_end=printer.value(k_count) if run is None else run.end,
        steps=steps_left(k_count, tile.k, printer) if run is None else run.steps(tile.k, printer),
        rows=rows,
        a=plan_operand(spec, Side(spec.a, a_names, m, "m0", tile.m), k, tile.k, printer, run_end),
        b=plan_operand(spec, Side(spec.b, b_names, n, "n0", tile.n), k, tile.k, printer, run_end),
        acc_ctype=printer.ctype(spec.acc_dtype),
        acc=names.variable(spec.acc),
        line=spec.line,
        accumulate=("" if rows is None else "if (mine[mi]) ") + _accumulate(spec, printer, a_names[1], b_names[1]),
        epilogue=plan_epilogue(spec, m, n, tile, printer),
    )


def steps_left(k_count: Expr, tile_k: int, printer: Printer) -> str | None:
    """How many k the tile at k0 holds; None where it is always full."""
    if is_multiple(k_count, tile_k):
        return None
    return f"uol::min({printer.argument(Const(tile_k))}, {printer.value(k_count)} - k0)"


def declare_batch(batch: Counter, blocks: Expr, needed: frozenset[str], scope: Scope) -> None:
    """The batch of a block, of which each has so many, and those of its axes that are needed."""
    if not batch.axes:
        return
    scope.printer = batch.known(scope.printer)
    value = folded(Call("/", (Var(BLOCK), ONE if blocks == ZERO else blocks), INDEX))
    printer = scope.printer
    scope.add(f"const {printer.index_type} {printer.names.variable(batch.name)} = {_with_block(printer).value(value)};")
    scope.axes(batch, needed)


def block_part(printer: Printer, inner: Expr, wrap: Expr | None, tile: int, count: Expr) -> str:
    """Where a block's tile starts: blockIdx.x / inner % wrap * tile."""
    if count in (ZERO, ONE):
        return "0"
    value: Expr = folded(Call("/", (Var(BLOCK), inner), INDEX))
    if wrap is not None:
        value = folded(Call("%", (value, wrap), INDEX))
    return _with_block(printer).value(folded(Call("*", (value, Const(tile)), INDEX)))


def _with_block(printer: Printer) -> Printer:
    """`blockIdx.x` is unsigned and of 32 bits: what is computed from it may need more."""
    text = "blockIdx.x" if printer.index_type == "int" else f"({printer.index_type})blockIdx.x"
    return printer.natural(BLOCK, text)


def _accumulate(spec: Contract, printer: Printer, a_part: str, b_part: str) -> str:
    left, right = printer.names.variable(a_part), printer.names.variable(b_part)
    acc = f"{printer.names.variable(spec.acc)}[mi][ni]"
    if is_float(spec.acc_dtype):
        return f"{acc} += {left}[mi] * {right}[ni];"
    inner = printer.bound(**{spec.acc: acc, LEFT: f"{left}[mi]", RIGHT: f"{right}[ni]"})
    dtype = spec.acc_dtype
    product = Call("*", (Var(LEFT, dtype), Var(RIGHT, dtype)), dtype)
    return f"{acc} = {inner.value(Call('+', (Var(spec.acc, dtype), product), dtype))};"
