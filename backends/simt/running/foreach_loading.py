"""A launch of many runs: the table of their places goes to the device on the caller's stream, and one kernel follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from uol.backends.loading.arguments import device_address
from uol.backends.loading.memory import Workspaces
from uol.backends.simt.running.driver_device import DriverDevice
from uol.backends.simt.running.loading import Launches, loaded_launches
from uol.codegen.backend import Artifact
from uol.ir.errors import ShapeError
from uol.ir.forking import fork_lock
from uol.ir.types import DTYPES

Table = NDArray[np.int64]
SMALLEST = 1 << 12
"""Bytes of the smallest table that is kept on the device; the others are twice as large, each."""


@dataclass(slots=True)
class ForeachOperator:
    """A function of a table of addresses (a row a run: inputs, then results), a table of lengths, and run-time attributes. No
    run may read what another one writes. The tables are copied to the device, which a captured stream does not allow; the
    place of the copy is `workspace`, of `workspace_bytes(runs)`, or one of its own for each stream."""

    device: DriverDevice
    element_bytes: tuple[int, ...]
    launches: Launches
    kept: dict[int, Workspaces] = field(default_factory=dict)
    lock: RLock = field(default_factory=fork_lock)

    def workspace_bytes(self, runs: int) -> int:
        """What the tables of so many runs take on the device."""
        return runs * (len(self.element_bytes) + 1) * 8

    def __call__(
        self, addresses: Table, lengths: Table, *scalars: float, stream: int = 0, workspace: object | None = None
    ) -> None:
        if not len(addresses):
            return
        bases, tables = laid_out(addresses, lengths, self.element_bytes)
        with self.lock:
            before = self.device.activate()
            try:
                place = self._place(workspace, tables.nbytes, stream)
                self.device.to_device_on(place, tables.ctypes.data, tables.nbytes, stream)
                self._over(len(addresses))([*bases, place, place + addresses.size * 8], scalars, 0, stream)
            finally:
                if before is not None:
                    self.device.restore(before)

    def _over(self, runs: int) -> Launches:
        """The launch with a block a run."""
        (kernel,) = self.launches.kernels
        return replace(self.launches, kernels=(kernel._replace(shape=(runs, *kernel.shape[1:])),))

    def _place(self, given: object | None, size_bytes: int, stream: int) -> int:
        if given is None:
            size = max(SMALLEST, 1 << (size_bytes - 1).bit_length())
            return self.kept.setdefault(size, Workspaces(self.device, size)).of(stream)
        address = device_address("the workspace", given, self.device)
        if address is None or address % 8:
            raise ShapeError("the workspace of a foreach launch is device memory, aligned to 8 bytes")
        return address


def laid_out(addresses: Table, lengths: Table, element_bytes: Sequence[int]) -> tuple[list[int], Table]:
    """(the first address of each column, the table of places in elements from there with the lengths behind it). Raises
    ShapeError for addresses that are no multiples of an element's size apart.

    >>> laid_out(np.array([[64, 4], [32, 12]]), np.array([[3], [5]]), (4, 4))
    ([32, 4], array([8, 0, 0, 2, 3, 5]))
    """
    bases = addresses.min(axis=0)
    places, rest = np.divmod(addresses - bases, np.array(element_bytes))
    if rest.any():
        raise ShapeError("tensors of one launch do not lie whole elements apart", hint="give aligned tensors")
    return bases.tolist(), np.concatenate([places.ravel(), lengths.ravel()])


def load_foreach(artifact: Artifact, device: DriverDevice) -> ForeachOperator:
    """The launch on a device. Raises what `load` raises."""
    args = artifact.module.graph.args[:-2]  # without the tables
    one = dict.fromkeys(artifact.module.graph.dims, 1)
    return ForeachOperator(device, tuple(DTYPES[a.dtype].bytes for a in args), loaded_launches(artifact, device, one))
