"""Split-K: where a product has fewer tiles than there are cube cores, its sums are over parts of the terms, which a vector
kernel adds up in one order.

    y[m, n] = sum[k](a[m, k] b[k, n])   ->   W[p, m, n] = sum[k in part p](a[m, k] b[k, n]);  y[m, n] = sum[p](W[p, m, n])
"""

from __future__ import annotations

from math import prod

from uol.backends.ascendc.machine import FRACTAL, ceil_div
from uol.backends.ascendc.transfers.indices import extent
from uol.codegen.backend import Device
from uol.codegen.contractions.row_sums import split_with_sums
from uol.codegen.specs.nodes import Contract, KernelSpec

ROWS, COLUMNS = 128, 256
"""Sides of the largest tile: the operands of a product are read least often in such tiles."""
LEAST_TERMS = 1024
"""A part has at least so many terms: fewer take less time than the launch that adds up the parts."""


def split(contract: Contract, device: Device) -> tuple[KernelSpec, ...]:
    """The kernels of a product whose operands the cube can fetch; itself, where its tiles are enough."""
    parts = _parts(contract, device)
    return (contract,) if parts < 2 else split_with_sums(contract, [(contract.k[-1], parts)])


def _parts(contract: Contract, device: Device) -> int:
    """The number with which the cores have least to do one after the other, of parts of one length in whole fractals."""
    if contract.segments is not None or len(contract.k) != 1:
        return 1
    m, n = (prod(extent(a) for a in axes) for axes in (contract.m, contract.n))
    tiles = ceil_div(m, ROWS) * ceil_div(n, COLUMNS) * prod(extent(a) for a in contract.batch)
    terms = extent(contract.k[-1])
    if not 0 < tiles < device.cores:
        return 1
    most = min(ceil_div(device.cores, tiles), terms // LEAST_TERMS)
    even = [p for p in range(1, most + 1) if p == 1 or terms % (p * FRACTAL) == 0]
    return min(even, key=lambda p: (ceil_div(tiles * p, device.cores) / p, p), default=1)
