"""What kernels of rows have in common: their signature, the words of the machine, and how a thread finds its row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.c_text.names import Names, kernel_symbol
from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Index, Proofs
from uol.backends.simt.c_text.signatures import Signature, signature, stored_tensors
from uol.backends.simt.c_text.terms import (
    BLOCK,
    THREAD,
    Known,
    Local,
    Scalar,
)
from uol.backends.simt.kernel.nodes import Buffer, Declare, Kernel, Leave, Statement
from uol.backends.simt.kernel.scope import where_natural
from uol.backends.simt.rows.column_loops import ROW_END
from uol.backends.simt.rows.schedule import RowSchedule
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Reduce
from uol.ir.program.nodes import Call, Expr
from uol.ir.types import INDEX

ROW, BEGIN = "$row", "begin"
"""Names in C of the row of a thread, and of the place where its run begins."""
ROW_BEGIN = Local(BEGIN)
LEAST_THREADS = 512
"""On a core, of a kernel of any size or of blocks as wide: a thread then has up to 128 registers of 65,536. Left to themselves
compilers keep some kernels to 32 or 64, and the rest of what those need in memory (`build_check --any-size --resources`)."""


@dataclass(frozen=True, slots=True)
class Head:
    """What kernels over rows have in common: names, and how a thread finds its row."""

    spec: Reduce
    names: Names
    schedule: RowSchedule
    index: Index
    counter: Counter

    def printer(self, proofs: Proofs) -> Printer:
        """A printer that knows the words of the machine."""
        return where_natural(Printer(self.names, proofs, self.index.ctype), THREAD, BLOCK, ROW_BEGIN, ROW_END)

    def row(self, printer: Printer, value: Expr, guard: Expr | None) -> tuple[Statement, ...]:
        """The row of a thread. `guard` is the number of rows where threads may lie beyond it."""
        name = printer.names.variable(self.counter.name)
        declared = Declare(name, Scalar(INDEX), Known(value, printer))
        if guard is None:
            return (declared,)
        return (declared, Leave("return", Known(Call(">=", (Local(name), guard), "bool"), printer)))

    def kernel(self, printer: Printer, launch: Launch, arrays: Iterable[Buffer], body: tuple[Statement, ...]) -> Kernel:
        """The whole."""
        spec, names = self.spec, self.names
        rows, columns = printer.value(size(spec.rows)), printer.value(size(spec.cols))
        written = stored_tensors(spec)
        tensors = (Buffer(names.tensor(a.name), Scalar(a.dtype, True), "global", written=a.name in written) for a in spec.args)
        scalars = ((names.variable(s.name), Scalar(s.dtype)) for s in spec.scalars)
        dims = ((names.variable(name), Scalar(INDEX)) for name in spec.dims)
        return Kernel(
            title=f"{rows} rows of {columns}, {self.schedule.describe().split(',')[0]}",
            signature=row_signature(spec, names, self.schedule.threads, self.index),
            launch=launch,
            index_type=self.index.ctype,
            buffers=(*arrays, *tensors),
            scalars=(*scalars, *dims),
            body=body,
        )


def row_signature(spec: Reduce, names: Names, threads: int, index: Index) -> Signature:
    """The signature of a kernel over rows. Where sizes are arguments a row's loops end anywhere, and a thread of the widest
    blocks keeps up to 32 columns: what that takes goes to registers, not to memory."""
    least = LEAST_THREADS if spec.dims or threads >= LEAST_THREADS else 0
    return signature(spec, kernel_symbol(spec), names, threads, index, least_threads=least)
