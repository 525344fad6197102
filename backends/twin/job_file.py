"""The file that carries a job to the twin's process and its results back. The layout is `common/uol_job.h`'s."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from uol.backends.twin.arrays import Placed, element_type, flatten, place, unflatten
from uol.backends.twin.kind import kind_of
from uol.backends.twin.record import Array, Job
from uol.codegen.backend import Kernel, Param
from uol.codegen.indexing.arithmetic import value_at
from uol.ir.errors import ShapeError

ROLES = {"in": 0, "out": 1, "workspace": 2}
HEADER = struct.Struct("<8s8q")
BUFFER = struct.Struct("<4q32s")
LAUNCH = struct.Struct("<10q")
ARG = struct.Struct("<qdq")
ALIGNMENT = 64
PAGE = 4096
LARGE = 1 << 20
"""Bytes of an input that the process does not copy, and of which a part is a hole where all of it is 0."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """A written job: where its results will be."""

    path: Path
    results: tuple[tuple[Placed, int], ...]

    def outputs(self) -> dict[str, Array]:
        """The results, in their logical shape."""
        data = np.memmap(self.path, dtype=np.uint8, mode="r")
        return {placed.name: unflatten(data[offset : offset + placed.bytes], placed) for placed, offset in self.results}


def write_job(job: Job, slot: int, path: Path, poisoned: int) -> JobFile:
    """Write a job for the module at `slot` of an executable; `poisoned` as in `locals.py`.

    Raises ShapeError when its buffers do not fit the module.
    """
    graph = job.module.graph
    placed = [place(arg, job.scalars) for arg in (*graph.args, *graph.workspaces)]
    number = {p.name: i for i, p in enumerate(placed)}
    args: list[bytes] = []
    launches: list[bytes] = []
    for index, kernel in enumerate(job.module.kernels):
        first = len(args)
        args += [pack_arg(param, kernel, number, job.scalars) for param in kernel.params]
        grid, launch = grid_of(kernel, job), kernel.launch
        launches.append(LAUNCH.pack(index, *grid, *launch.block, launch.shared_bytes, first, len(kernel.params)))
    offsets = []
    end = HEADER.size + len(placed) * BUFFER.size + len(launches) * LAUNCH.size + len(args) * ARG.size
    for p in placed:
        offset, end = _room(p, end, job.shift)
        offsets.append(offset)
    timeout_ms = max(1, int(job.timeout_s * 1000))
    sizes = len(placed), len(launches), len(args)
    header = HEADER.pack(b"UOLJOB1\n", slot, job.checked, job.counted, timeout_ms, poisoned, *sizes)
    records = [
        BUFFER.pack(offset, p.bytes, element_type(p.dtype).itemsize, ROLES[p.role], p.name.encode()[:31])
        for p, offset in zip(placed, offsets, strict=True)
    ]
    with path.open("wb") as file:
        file.write(b"".join([header, *records, *launches, *args]))
        os.ftruncate(file.fileno(), end)
        for p, offset in zip(placed, offsets, strict=True):
            if p.role == "in":
                _write(file, offset, flatten(input_of(job, p), p))
            elif p.role == "out" and p.bytes:  # a full folder is an error here, and not a crash of the process
                os.posix_fallocate(file.fileno(), offset, p.bytes)
    return JobFile(path, tuple((p, offset) for p, offset in zip(placed, offsets, strict=True) if p.role == "out"))


def _room(placed: Placed, first: int, shift: int) -> tuple[int, int]:
    """Where a buffer lies in the file, at `first` or behind it, and where its room ends: that of a large input with a page, so
    that the process can have the file's pages for its own."""
    first = _multiple(first, ALIGNMENT)
    if placed.role == "workspace":
        return first, first
    behind = shift * element_type(placed.dtype).itemsize
    room = _multiple(behind + placed.bytes, ALIGNMENT)
    if placed.role == "in" and placed.bytes >= LARGE:
        first = _multiple(first + room, PAGE) - room
    return first + behind, first + room


def _multiple(size: int, of: int) -> int:
    return -(-size // of) * of


def _write(file: BinaryIO, offset: int, values: Array) -> None:
    """The bytes of an input; long runs of zeros are holes."""
    flat = values.reshape(-1).view(np.uint8)
    for first in range(0, flat.size, LARGE):
        part = flat[first : first + LARGE]
        if part.size < LARGE or part.any():
            file.seek(offset + first)
            file.write(part.data)


def grid_of(kernel: Kernel, job: Job) -> tuple[int, int, int]:
    """The blocks that are run: few of a kernel that loops over its tiles, whatever their number."""
    grid, most = kernel.launch.blocks(job.scalars), job.most_blocks
    if most is None or not kind_of(job.module.backend).loops_by_grid(kernel):
        return grid
    return (min(grid[0], most), *grid[1:])


def input_of(job: Job, placed: Placed) -> Array:
    if placed.name not in job.buffers:
        raise ShapeError(f"the input {placed.name!r} of {job.module.graph.name} is missing", hint="give it in `buffers`")
    return job.buffers[placed.name]


def pack_arg(param: Param, kernel: Kernel, number: Mapping[str, int], scalars: Mapping[str, float | int]) -> bytes:
    """One argument of a launch: a buffer's number, or a value both as a real and as an integer."""
    if param.kind == "buffer":
        if param.name not in number:
            raise ShapeError(f"the kernel {kernel.name} takes a buffer {param.name!r} that its operator does not have")
        return ARG.pack(number[param.name], 0.0, 0)
    if param.count is not None:
        value = value_at(param.count, scalars)
        return ARG.pack(-1, float(value), value)
    if param.name not in scalars:
        raise ShapeError(f"the {param.kind} {param.name!r} of the kernel {kernel.name} is missing", hint="give it in `scalars`")
    return ARG.pack(-1, _real(scalars[param.name]), _integer(scalars[param.name]))


def _real(value: float | int) -> float:
    """The value as a float; an integer beyond all floats is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _integer(value: float | int) -> int:
    """The value as an i64, as the language casts it: truncated and saturated, NaN is 0."""
    if value != value:
        return 0
    low, high = -(2**63), 2**63 - 1
    return low if value <= low else high if value >= high else int(value)
