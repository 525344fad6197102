"""What one launch of an operator over many runs moves and issues: its kernel, and the copy of its table before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from uol.backends.simt.choosing.issued import issued_by
from uol.backends.simt.elements.foreach_plan import LENGTHS, PLACES, ROWS, SPAN
from uol.codegen.backend import Device, Module
from uol.codegen.extensions import CountedLaunch
from uol.codegen.work import Issued, exactly
from uol.ir.types import DTYPES

WORD_BYTES = 8
"""Of a place, and of a length."""
APART = 128
"""Elements: runs are taken to begin at multiples of it, as allocations do."""


def issued_by_runs(module: Module, lengths: Sequence[int], device: Device, lanes: int) -> tuple[CountedLaunch, ...]:
    """The copy of the table to the device, which is a launch of its own, and the kernel over runs of these lengths. Nothing for
    no runs."""
    if not lengths:
        return ()
    (kernel,) = module.kernels
    sizes = np.array(lengths, np.int64)
    starts = np.concatenate([[0], np.cumsum(-(-sizes // APART) * APART)])
    tensors = module.graph.args[:-2]  # without the tables
    places = np.repeat(starts[:-1, None], len(tensors), axis=1)
    table_bytes = WORD_BYTES * len(sizes) * (len(tensors) + 1)
    dims = {ROWS: len(sizes), SPAN: int(starts[-1])}
    found = issued_by(kernel, device, lanes, dims, {PLACES: places.ravel().tolist(), LENGTHS: sizes.tolist()})
    moved = int(sizes.sum()) * sum(DTYPES[arg.dtype].bytes for arg in tensors)
    copy = Issued(table_bytes, exactly(0), exactly(table_bytes))
    step = replace(found, memory_bytes=moved + table_bytes)
    return (
        CountedLaunch("table of places", f"{table_bytes} bytes from the host", copy),
        CountedLaunch(kernel.name, f"a block of {kernel.launch.block[0]} threads a run", step),
    )
