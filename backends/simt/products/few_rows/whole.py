"""What kernels of products have in common: their title, signature, launch and buffers."""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Index
from uol.backends.simt.c_text.signatures import signature, stored_tensors
from uol.backends.simt.c_text.terms import Scalar
from uol.backends.simt.kernel.nodes import Buffer, Kernel, Statement
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Contract
from uol.ir.types import INDEX

LEAST_THREADS = 256
"""On a core: a thread may have all of its 255 registers, and needs nothing of memory for what they do not hold."""


def kernel_of_product(
    spec: Contract,
    layout: str,
    printer: Printer,
    index: Index,
    launch: Launch,
    arrays: Iterable[Buffer],
    body: tuple[Statement, ...],
) -> Kernel:
    """The kernel of a product. `layout` says in words how it lies on threads; `arrays` are those in shared memory."""
    written, names = stored_tensors(spec), printer.names
    tensors = (Buffer(names.tensor(a.name), Scalar(a.dtype, True), "global", written=a.name in written) for a in spec.args)
    scalars = ((names.variable(s.name), Scalar(s.dtype)) for s in spec.scalars)
    dims = ((names.variable(name), Scalar(INDEX)) for name in spec.dims)
    counts = " x ".join(printer.value(size(axes)) for axes in (spec.m, spec.n, spec.k))
    times = f", {printer.value(size(spec.batch))} times" if spec.batch else ""
    return Kernel(
        title=f"{counts}{times}; {layout}",
        signature=signature(spec, kernel_symbol(spec), names, launch.block[0], index, least_threads=LEAST_THREADS),
        launch=launch,
        index_type=index.ctype,
        buffers=(*arrays, *tensors),
        scalars=(*scalars, *dims),
        body=body,
    )
