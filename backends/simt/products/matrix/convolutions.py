"""Convolutions as products that matrix units take.

    residues   the data gradient of a strided convolution, and a transposed convolution, as a product for each residue of its
               places: no product has a factor that is zero because a stride has no element there (`codegen/specs/residues.py`)
    copies     filters that lie otherwise than the pictures, [O, C, R, S] beside channels last, are copied as k runs; pictures
               of few channels, or whose channels are not last, with their zeros (`codegen/contractions/pack_places.py`)
    columns    gradients of such filters are summed with channels last, into the parts of split-K
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from uol.backends.simt.c_text.counters import typical
from uol.backends.simt.kernel.layouts import CHUNK_BYTES
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.legality import FACTORS, tiles_for, unit_for
from uol.backends.simt.products.matrix.operand import operands_of
from uol.backends.simt.products.splitting import may_be_cut, split_products, with_terms_joined
from uol.codegen.backend import Device
from uol.codegen.contractions.pack_places import pack_places
from uol.codegen.contractions.row_sums import split_with_sums
from uol.codegen.indexing.arithmetic import ONE, size, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract, KernelSpec, Pack, Read, Reduce
from uol.codegen.specs.residues import by_residues
from uol.codegen.specs.rewrites import Side, as_contract, as_reduce, pack_operand, without_terms
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.traverse import is_one_read, main_read
from uol.ir.program.nodes import Axis, Const
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES, NARROW

SIDES: tuple[Side, Side] = ("a", "b")
FEWEST_PRODUCTS = 1 << 18
"""Multiply-adds from which a sum that is no contraction is worth a launch for each residue: a block that folds a row at a time
takes some 10 us for them, as long as three launches."""


def products_of_residues(spec: Contract, machine: Machine, device: Device) -> tuple[KernelSpec, ...] | None:
    """The kernels of a contraction of known sizes, one for each residue; None where there are no residues, or matrix units do
    not take each that has terms. One without any is a map of zeros."""
    if spec.dims or spec.segments is not None or spec.more or spec.sums or unit_for(spec, machine) is None:
        return None
    parts = by_residues(as_reduce(spec))
    if len(parts) == 1:
        return None
    products = [product for part in parts if (product := as_contract(part)) is not None]
    taken = [kernels for product in products if (kernels := _taken(product, machine, device)) is not None]
    return tuple(kernel for kernels in taken for kernel in kernels) if len(taken) == len(parts) else None


def products_of_sum(spec: Reduce, machine: Machine, device: Device) -> tuple[KernelSpec, ...] | None:
    """The kernels of a sum of products whose terms depend on remainders of its rows, as of a transposed convolution of three
    taps and a stride of two: a contraction for each residue, by matrix units where they take it. None for any other sum, and
    for one of so few products that one launch is best."""
    if typical(size(spec.axes), spec.where) < FEWEST_PRODUCTS:
        return None
    parts = by_residues(spec)
    products = [product for part in parts if (product := as_contract(part)) is not None]
    if len(parts) == 1 or len(products) < len(parts):
        return None
    return tuple(kernel for product in products for kernel in _by_any_units(product, machine, device))


def _by_any_units(product: Contract, machine: Machine, device: Device) -> tuple[KernelSpec, ...]:
    """The product as matrix units take it, or as it is."""
    may_be_copied = not product.dims and unit_for(product, machine) is not None
    return (_taken(product, machine, device) if may_be_copied else None) or (product,)


def _taken(product: Contract, machine: Machine, device: Device) -> tuple[KernelSpec, ...] | None:
    """The product, with copies of operands before it where units need that, or what it is without terms; None where they do not
    take it."""
    if any(static(axis.extent) == 0 for axis in product.k):
        return (without_terms(product),)
    packs = (_packed(product, side) for side in SIDES)
    ways = itertools.chain([(product,)], ways_of_convolutions(product, device), packs)
    return next((way for way in ways if _are_taken(way, machine)), None)


def _are_taken(kernels: tuple[KernelSpec, ...], machine: Machine) -> bool:
    """Do matrix units take each product?"""
    return all(bool(tiles_for(without_unit_axes(each), machine)) for each in kernels if isinstance(each, Contract))


def _packed(spec: Contract, side: Side) -> tuple[Pack, Contract]:
    """The product with a copy of an operand along k before it."""
    factor = spec.a if side == "a" else spec.b
    return pack_operand(spec, side, k_last=True, dtype=main_read(factor).dtype)


def _is_of_matrices(spec: Contract) -> bool:
    """Do both operands lie in rows of whole accesses?"""
    operands = operands_of(without_unit_axes(spec))
    return operands is not None and all(operand.bytes_at_once(known_multiples(spec.where)) for operand in operands)


def ways_of_convolutions(spec: Contract, device: Device) -> Iterator[tuple[KernelSpec, ...]]:
    """The kernels of a product of known sizes with bounds on what one of its operands is read at, where they are no matrices as
    they lie: with copies of them before, or summed in another order of the result's columns."""
    found = [main_read(factor) for factor in (spec.a, spec.b)]
    windowed = [side for side, read in zip(SIDES, found, strict=True) if read.guard]
    are_stored = all(read.dtype in FACTORS for read in found) and is_one_read(spec.a) and is_one_read(spec.b)
    if spec.dims or spec.segments is not None or spec.more or spec.sums or len(windowed) != 1:
        return
    if not are_stored or spec.acc_dtype in NARROW or _is_of_matrices(spec):
        return
    yield from _with_the_other_moved(spec, windowed[0], device)
    for pack, product, channels in _with_pictures_copied(spec, windowed[0]):
        if _is_of_matrices(product):
            yield pack, product
        yield from ((pack, *way) for way in _with_the_other_moved(product, windowed[0], device, channels))


def _with_pictures_copied(spec: Contract, windowed: Side) -> Iterator[tuple[Pack, Contract, Axis]]:
    """The operand with bounds as a copy of the pictures with their zeros, channels side by side: so many that they are whole
    accesses, of 16 bytes or of 8."""
    read = main_read(spec.a if windowed == "a" else spec.b)
    channels = _channels(read, spec.k, spec.m if windowed == "a" else spec.n)
    if channels is None:
        return
    multiples = (width // DTYPES[read.dtype].bytes for width in (CHUNK_BYTES, CHUNK_BYTES // 2))
    for wide in dict.fromkeys(-(-(static(channels.extent) or 0) // multiple) * multiple for multiple in multiples):
        found = pack_places(spec, windowed, channels.name, wide)
        if found is not None:
            yield *found, replace(channels, extent=Const(wide))


def _channels(read: Read, *groups: Sequence[Axis]) -> Axis | None:
    """The axis of channels of a read with bounds: of those that go over the window, of fewer places than the pictures have, the
    one of which no bounds ask along which elements lie closest."""
    asked = frozenset().union(*(variables(child) for guard in read.guard for child in guard.children))
    window = min(groups, key=lambda axes: static(size([axis for axis in axes if axis.name in asked])) or 0)
    steps = {name: static(step) for name, step in read.strides if step is not None}
    axes = [axis for axis in window if steps.get(axis.name) and axis.name not in asked and axis.extent != ONE]
    return min(axes, key=lambda axis: abs(steps[axis.name] or 0), default=None)


def _with_the_other_moved(
    spec: Contract, windowed: Side, device: Device, channels: Axis | None = None
) -> Iterator[tuple[KernelSpec, ...]]:
    """With a copy of the operand that no bounds concern; or with sums in another order of the result's columns, the last of
    which are `channels`, where they are given; or with both, where neither alone will do."""
    moved = list(_with_columns_moved(spec, device, channels))
    yield from moved
    pack, packed = _packed(spec, "b" if windowed == "a" else "a")
    if _is_of_matrices(packed):
        yield pack, packed
    elif not moved:
        yield from ((pack, *way) for way in _with_columns_moved(packed, device, channels))


def _with_columns_moved(spec: Contract, device: Device, channels: Axis | None) -> Iterator[tuple[KernelSpec, ...]]:
    """With sums whose last columns are those along which elements of an operand lie side by side; in parts, or in one."""
    strides = dict(main_read(spec.b).strides)
    last = [axis for axis in spec.n if strides.get(axis.name) == ONE]
    joined = with_terms_joined(spec)
    if len(last) != 1 or not may_be_cut(joined, joined.k[0]):
        return
    wide = channels if channels is not None and channels.name == last[0].name else last[0]
    columns = (*(axis for axis in spec.n if axis != last[0]), wide)
    whole, total = split_with_sums(joined, [(joined.k[0], 1)], columns=columns)
    if isinstance(whole, Contract) and _is_of_matrices(whole):
        yield whole, total
        yield from split_products(spec, device, columns)
