"""Convolutions of few channels, as products whose lanes are the channels and whose rows are the pixels of a line.

    y[o, p, q] = sum over c, r, s of w[o, c, r, s] * x[c, p + r - 1, q + s - 1]

    lanes    o, of which the filters are copied once so that they lie beside each other: [c, r, s, o]
    rows     q: an element of x is read where it lies, and broadcast
    taps     a line p + r - 1 outside of the image is left out; so is, of the first and the last pixels, a tap q + s - 1

The gradient of the filters is a sum over pixels, of which the cotangents are copied so that channels lie beside each other, and
the image with its border; its rows are taps, r and s as one axis. In three dims, the planes before the first and after the
last are left out.

With pixels on the lanes, each vector of pixels is copied for every tap, and serves the few channels alone; with many channels
that copy is cheap. For results and the gradient of x nothing of the image is
copied, and no border of zeros is multiplied: of 8 x 28 x 28 pixels and
3 x 3 x 3 taps a tenth of the products.
"""

from __future__ import annotations

from dataclasses import replace

from uol.backends.cpu.collapse_axes import collapsed
from uol.backends.cpu.operands.channel_blocks import in_blocks
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.packing import copied, dims_to_copy
from uol.backends.cpu.operands.panels import with_joined_columns
from uol.backends.cpu.operands.pixel_lines import MOST_ROWS, is_of_lines, is_of_taps
from uol.backends.cpu.operands.source_dims import source_dims
from uol.backends.cpu.schedules.cost import size
from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Contract, KernelSpec, Pack, Within
from uol.ir.program.nodes import Const
from uol.ir.program.walk import variables

FEWEST_PRODUCTS = 1 << 20
"""Multiply-adds that are worth a copy of the filters."""


def by_channels(spec: Contract) -> tuple[KernelSpec, ...] | None:
    """The copy of the filters and the product over lines of pixels; or the copies of cotangents and image, and the product over
    taps. None for any other contraction."""
    if (size(spec.axes) or 0) < FEWEST_PRODUCTS or spec.a != the_read(spec.a):
        return None
    blocks = in_blocks(spec)
    if blocks is not None or is_of_lines(spec):
        return _with_channels_last(blocks or spec)
    dims = dims_to_copy(spec, "b") if is_of_taps(spec) else None
    found = None if dims is None else _with_channels_last(spec)
    if dims is None or found is None:
        return None
    cotangents, product = found
    image, padded = copied(product, "b", dims)
    return (cotangents, image, _with_flat_taps(collapsed(_without_planes_of_zeros(padded, product))))


def _without_planes_of_zeros(padded: Contract, spec: Contract) -> Contract:
    """The product over a padded image, under those guards of the image that are the same for all taps of a tile and all pixels
    of a line: a plane beyond the first and the last is left out."""
    varying = {axis.name for axis in (*spec.n[-2:], spec.k[-1])}
    kept = tuple(g for g in the_read(spec.b).guard if isinstance(g, Within) and not variables(g.value) & varying)
    read = the_read(padded.b)
    return replace(padded, b=replace(read, guard=kept, fill=Const(0, read.dtype))) if kept else padded


def _with_flat_taps(spec: Contract) -> Contract:
    """The spec with as many taps as one axis as there are rows in a tile."""
    while len(spec.n) > 1 and (size(spec.n[-2:]) or 0) <= MOST_ROWS and (flat := with_joined_columns(spec)) is not None:
        spec = flat
    return spec


def _with_channels_last(spec: Contract) -> tuple[Pack, Contract] | None:
    """The copy of a in which neighbouring rows lie beside each other, and the product that reads it."""
    channel, dims = spec.m[0].name, source_dims(the_read(spec.a), spec.axes, spec.dims)
    if dims is None or any(channel in dim.axes and coefficient(dim.index, channel) != 1 for dim in dims):
        return None
    return copied(spec, "a", tuple(sorted(dims, key=lambda dim: channel in dim.axes)))
