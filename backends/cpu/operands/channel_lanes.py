"""Convolutions of few channels, as products whose lanes are the channels and whose rows are the pixels of a line.

    y[o, p, q] = sum over c, r, s of w[o, c, r, s] * x[c, p + r - 1, q + s - 1]

    lanes    o, of which the filters are copied once so that they lie beside each other: [c, r, s, o]
    rows     q: an element of x is read where it lies, and broadcast
    taps     a line p + r - 1 outside of the image is left out; so is, of the first and the last pixels, a tap q + s - 1

With pixels on the lanes, each vector of pixels is copied for every tap, and serves the few channels alone; with many channels
that copy is cheap. Here nothing of the image is copied, and no border of zeros is multiplied: of 8 x 28 x 28 pixels and
3 x 3 x 3 taps a tenth of the products.
"""

from __future__ import annotations

from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.packing import copied
from uol.backends.cpu.operands.pixel_lines import is_of_lines
from uol.backends.cpu.operands.source_dims import source_dims
from uol.backends.cpu.schedules.cost import size
from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Contract, KernelSpec

FEWEST_PRODUCTS = 1 << 20
"""Multiply-adds that are worth a copy of the filters."""


def by_channels(spec: Contract) -> tuple[KernelSpec, ...] | None:
    """The copy of the filters and the product over lines of pixels; None for any other contraction."""
    filters = the_read(spec.a)
    if (size(spec.axes) or 0) < FEWEST_PRODUCTS or not is_of_lines(spec) or spec.a != filters:
        return None
    channel = spec.m[0].name
    dims = source_dims(filters, spec.axes, spec.dims)
    if dims is None or any(channel in dim.axes and coefficient(dim.index, channel) != 1 for dim in dims):
        return None
    return copied(spec, "a", tuple(sorted(dims, key=lambda dim: channel in dim.axes)))
