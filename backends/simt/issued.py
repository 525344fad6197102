"""What a kernel moves and issues on a machine with threads: its text is rendered and read back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from uol.backends.simt.reading.counts import sample
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.syntax import read_kernels
from uol.codegen.backend import Device, Kernel
from uol.codegen.work import Issued, compulsory
from uol.ir.integers.intervals import Interval

MOST_LANES = 4096
"""Of a launch that are looked at: as many blocks as have so many, four at least."""


def issued_by(kernel: Kernel, device: Device, lanes: int) -> Issued:
    """The counts of a rendered kernel, on warps of so many lanes."""
    (text,) = read_kernels(kernel.text)
    threads = kernel.launch.block[0]
    grid, _, _ = kernel.launch.blocks({})
    chosen = sample(grid, max(4, MOST_LANES // threads))
    counts = Reading(text, np.array(chosen, np.int64), grid, threads, lanes).run() if grid else None
    found = {} if counts is None else counts.of_grid(chosen, grid)
    must = compulsory(kernel.spec)
    return Issued(
        must.memory_bytes,
        _total(found, "load"),
        _total(found, "store"),
        _total(found, "scratch"),
        operations=_by_name(found, "operation"),
        primitives=_by_name(found, "primitive"),
        statements=_by_name(found, "statement"),
        blocks=grid,
        waves=-(-grid // device.cores),
        launches=1 if grid else 0,
    )


def _by_name(found: Mapping[tuple[str, str], Interval], kind: str) -> dict[str, Interval]:
    return {name: count for (of, name), count in sorted(found.items()) if of == kind}


def _total(found: Mapping[tuple[str, str], Interval], kind: str) -> Interval:
    total = Interval(0, 0)
    for count in _by_name(found, kind).values():
        total += count
    return total
