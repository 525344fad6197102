"""Folds whose rows are too few for all vector cores: each pass as two kernels, of parts of its cols and of what they give.

    y[c] = sum[p](x[p, c])   ->   s[q, c] = sum[r](x[q * R + r, c]),   y[c] = sum[q](s[q, c])

The statistics of a channels-last image have some dozens of channels, and a hundred thousand pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from uol.backends.ascendc.devices import VECTOR_CORES_PER_CUBE_CORE
from uol.backends.ascendc.machine import ceil_div
from uol.backends.ascendc.transfers.indices import extent
from uol.backends.ascendc.vector.tiling import reduce_candidates
from uol.codegen.backend import Device
from uol.codegen.specs.long_rows.cut_passes import cut_passes, stores_apart
from uol.codegen.specs.long_rows.split_folds import folds_of, may_be_split, split_folds
from uol.codegen.specs.nodes import KernelSpec, Reduce
from uol.codegen.specs.steps import PICKS

LEAST = 1 << 15
"""Elements that a part is worth: a core reads them in about the time of a launch."""


def split(spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
    """A Reduce as it is, or its passes in parts; any other spec as it is. Its axes have been collapsed."""
    if not isinstance(spec, Reduce) or _parts(spec, device) < 2:
        return (spec,)
    passes = (spec,) if may_be_split(spec) else _apart(cut_passes(spec))
    return tuple(kernel for each in passes for kernel in _in_parts(each, device))


def _apart(passes: Iterable[KernelSpec]) -> tuple[KernelSpec, ...]:
    return tuple(part for each in passes for part in (stores_apart(each) if isinstance(each, Reduce) else (each,)))


def _in_parts(spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
    """The longest axis is cut."""
    if not isinstance(spec, Reduce) or not may_be_split(spec) or (parts := _parts(spec, device)) < 2:
        return (spec,)
    axis = max(spec.cols, key=extent)
    return (spec,) if extent(axis) < parts else split_folds(spec, axis, parts)


def _parts(spec: Reduce, device: Device) -> int:
    """How many parts give every core one, of at least so many elements; fewer than two where the rows do so already, where
    elements are left out by a condition, which is a mask of each tile, and where places are asked for: those of parts would be
    found by an index that the kernel computes."""
    elements = prod(extent(a) for a in spec.axes)
    if not spec.cols or elements < 2 * LEAST or any(fold.op in PICKS or fold.where for fold in folds_of(spec)):
        return 1
    cores = device.cores * VECTOR_CORES_PER_CUBE_CORE
    tasks = next(iter(reduce_candidates(spec, cores))).blocks
    return min(cores // tasks, elements // LEAST, ceil_div(prod(extent(a) for a in spec.cols), 2))
