"""The kernel of a product on threads: tiles of the result, operands staged through shared memory, a register tile a thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Index, Proofs, index_type
from uol.backends.simt.c_text.signatures import signature, stored_tensors
from uol.backends.simt.c_text.terms import THREAD, Element, Known, Local, Scalar, plus, times
from uol.backends.simt.kernel.nodes import Assign, Barrier, Buffer, Declare, Kernel, Loop, Statement
from uol.backends.simt.kernel.scope import Scope, where_natural
from uol.backends.simt.products.blocks import Grid, block_part, declare_batch, grid_of
from uol.backends.simt.products.epilogue import MI, NI, accumulator, epilogue
from uol.backends.simt.products.operand import K0, Operand, Side, pitch, staged_operand, tile_names, unit_stride_is_k
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.products.segments import BEGIN, END, MINE, declare_terms, has_segments, over_runs
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, size
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES, INDEX, is_float

LOCALS = ("mi", "ni", "slot", "m0", "n0", "k0", "step", "steps", "thread_m", "thread_n")
SEGMENT_LOCALS = ("first", "last", "mine", "row", "begin", "end")
STEP, STEPS = Local("step"), Local("steps")
SHORT = Scalar("i32")
"""The type of what is counted within a block."""


def tile_bytes(spec: Contract, tile: Tile) -> int:
    """Shared memory of both staged tiles."""
    element = DTYPES[spec.acc_dtype].bytes
    a = pitch(tile.m, element, unit_stride_is_k(spec.a, spec.m, spec.k))
    b = pitch(tile.n, element, unit_stride_is_k(spec.b, spec.n, spec.k))
    return (a + b) * tile.k * element


def tile_kernel(spec: Contract, tile: Tile) -> Kernel:
    """The kernel of a product."""
    grid = grid_of(spec, tile)
    reach = [mul(grid.m, Const(tile.m)), mul(grid.n, Const(tile.n)), add(size(spec.k), Const(tile.k))]
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
    m, n, k = Counter.over(spec.m, "$at_m"), Counter.over(spec.n, "$at_n"), Counter.over(spec.k, "$at_k")
    printer = Printer(names.with_locals([*a_names, *b_names]), Proofs.of(spec), index.ctype)
    for counter in (m, n, k):
        printer = counter.known(printer)
    scope = Scope(where_natural(printer, THREAD))
    needed = used_variables(spec.epilogue) | variables(spec.a) | variables(spec.b)
    declare_batch(batch, mul(grid.m, grid.n), needed, scope)
    of_terms = has_segments(spec, "terms")
    if of_terms:
        declare_terms(spec, k.count, scope)
    printer, k_end = scope.printer, END if of_terms else None
    a = staged_operand(spec, Side(spec.a, a_names, m, "m0", tile.m), k, tile.k, tile.threads, printer, k_end)
    b = staged_operand(spec, Side(spec.b, b_names, n, "n0", tile.n), k, tile.k, tile.threads, printer, k_end)
    product = _Product(spec, tile, k, a, b, printer)
    products: Statement = product.along_k()
    if has_segments(spec, "rows"):
        products = over_runs(spec, m.count, tile, [products], printer)
    body = (
        *_origins(grid, tile, printer),
        *scope.body,
        *product.place(),
        products,
        *epilogue(spec, m, n, tile, printer),
    )
    return _kernel(spec, tile, grid, index, printer, (a.buffer, b.buffer), body)


def _kernel(
    spec: Contract,
    tile: Tile,
    grid: Grid,
    index: Index,
    printer: Printer,
    arrays: tuple[Buffer, ...],
    body: tuple[Statement, ...],
) -> Kernel:
    names, written = printer.names, stored_tensors(spec)
    tensors = (Buffer(names.tensor(a.name), Scalar(a.dtype, True), "global", written=a.name in written) for a in spec.args)
    scalars = ((names.variable(s.name), Scalar(s.dtype)) for s in spec.scalars)
    dims = ((names.variable(name), Scalar(INDEX)) for name in spec.dims)
    sizes = " x ".join(printer.value(size(axes)) for axes in (spec.m, spec.n, spec.k))
    batches = f", {printer.value(grid.batch)} times" if spec.batch else ""
    return Kernel(
        title=f"{sizes}{batches}; {tile.describe()}",
        signature=signature(spec, kernel_symbol(spec), names, tile.threads, index, least_threads=1),
        launch=Launch((as_count(grid.blocks), 1, 1), (tile.threads, 1, 1)),
        index_type=index.ctype,
        buffers=(*arrays, *tensors),
        scalars=(*scalars, *dims),
        body=body,
    )


def _origins(grid: Grid, tile: Tile, printer: Printer) -> Iterator[Statement]:
    """Where the tile of a block begins."""
    along_m = block_part(printer, grid.n, grid.m if grid.batch != ONE else None, tile.m, grid.m)
    along_n = block_part(printer, ONE, grid.n if mul(grid.m, grid.batch) != ONE else None, tile.n, grid.n)
    yield Declare("m0", Scalar(INDEX), along_m)
    yield Declare("n0", Scalar(INDEX), along_n)


def steps_left(k_count: Expr, tile_k: int) -> Expr | None:
    """How many k the step at k0 has; None where it always has all."""
    if is_multiple(k_count, tile_k):
        return None
    return Call("min", (Const(tile_k), Call("-", (k_count, K0), INDEX)), INDEX)


@dataclass(frozen=True, slots=True)
class _Product:
    """What a thread does for the sums of its part of a tile."""

    spec: Contract
    tile: Tile
    k: Counter
    a: Operand
    b: Operand
    printer: Printer

    def known(self, expr: Expr) -> Known:
        return Known(expr, self.printer)

    def place(self) -> Iterator[Statement]:
        """Which part that is, and the sums, which begin with 0."""
        tile, acc = self.tile, self.printer.names.variable(self.spec.acc)
        for name, fn in (("thread_m", "/"), ("thread_n", "%")):
            yield Declare(name, SHORT, self.known(Call(fn, (THREAD, Const(tile.threads_n)), INDEX)))
        extent = (tile.thread_m, tile.thread_n)
        yield Declare(acc, Scalar(self.spec.acc_dtype), extent=extent, zeroed=True, line=self.spec.line)

    def along_k(self) -> Loop:
        """Both operands come to shared memory in steps along k; each is summed up before the next one comes."""
        of_terms = has_segments(self.spec, "terms")
        first, end = (BEGIN, END) if of_terms else (ZERO, self.k.count)
        left = steps_left(END, self.tile.k) if of_terms else steps_left(self.k.count, self.tile.k)
        count: Expr = Const(self.tile.k) if left is None else STEPS
        body = (
            self.a.load,
            self.b.load,
            Barrier(),
            *(() if left is None else (Declare(STEPS.name, Scalar(INDEX), self.known(left)),)),
            Loop(STEP.name, ZERO, count, tuple(self.multiplied()), few=True),
            Barrier(),
        )
        return Loop(K0.name, first, self.known(end), body, step=self.tile.k, times=1)

    def multiplied(self) -> Iterator[Statement]:
        """The products of one k: what a thread needs of both operands, and what it adds."""
        tile, kind = self.tile, Scalar(self.spec.acc_dtype)
        sides = (
            (self.a, MI, tile.thread_m, plus(Local("thread_m"), times(MI, tile.threads_m))),
            (self.b, NI, tile.thread_n, plus(Local("thread_n"), times(NI, tile.threads_n))),
        )
        for operand, _, count, _ in sides:
            yield Declare(operand.part, kind, extent=count)
        for operand, loop, count, place in sides:
            value = self.known(operand.element(STEP, place))
            yield _unrolled(loop, count, Assign(Element(Local(operand.part, kind), loop, kind), value))
        yield _unrolled(MI, tile.thread_m, _unrolled(NI, tile.thread_n, self.added()))

    def added(self) -> Assign:
        """The sum of a row and a column goes on. Integers wrap."""
        kind, when = Scalar(self.spec.acc_dtype), MINE if has_segments(self.spec, "rows") else None
        left, right = Element(Local(self.a.part, kind), MI, kind), Element(Local(self.b.part, kind), NI, kind)
        acc, product = accumulator(self.spec, self.printer), Call("*", (left, right), kind.dtype)
        if is_float(kind.dtype):
            return Assign(acc, self.known(product), "+=", when=when)
        return Assign(acc, self.known(Call("+", (acc, product), kind.dtype)), when=when)


def _unrolled(loop: Local, count: int, statement: Statement) -> Loop:
    return Loop(loop.name, ZERO, Const(count), (statement,), unrolled=True, few=True, bare=True)
