"""Convolutions as products that matrix units take.

    residues   the data gradient of a strided convolution, and a transposed convolution, as a product for each residue of its
               places: no product has a factor that is zero because a stride has no element there (`codegen/specs/residues.py`)
    packs      filters that lie otherwise than the pictures, [O, C, R, S] beside channels last, are copied as k runs
    columns    gradients of such filters are summed with channels last, into the parts of split-K
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.legality import FACTORS, tiles_for, unit_for
from uol.backends.simt.products.matrix.operand import operands_of
from uol.backends.simt.products.splitting import may_be_cut, split_products, with_terms_joined
from uol.codegen.backend import Device
from uol.codegen.contractions.row_sums import split_with_sums
from uol.codegen.indexing.arithmetic import ONE, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract, KernelSpec, Pack
from uol.codegen.specs.residues import by_residues
from uol.codegen.specs.rewrites import Side, as_contract, as_reduce, pack_operand, without_terms
from uol.codegen.specs.traverse import main_read
from uol.ir.types import NARROW

SIDES: tuple[Side, Side] = ("a", "b")


def products_of_residues(spec: Contract, machine: Machine) -> tuple[KernelSpec, ...] | None:
    """The kernels of a contraction of known sizes, one for each residue; None where there are no residues, or matrix units do
    not take each that has terms. One without any is a map of zeros."""
    if spec.dims or spec.segments is not None or spec.more or spec.sums or unit_for(spec, machine) is None:
        return None
    parts = by_residues(as_reduce(spec))
    if len(parts) == 1:
        return None
    products = [product for part in parts if (product := as_contract(part)) is not None]
    taken = [kernels for product in products if (kernels := _taken(product, machine)) is not None]
    return tuple(kernel for kernels in taken for kernel in kernels) if len(taken) == len(parts) else None


def _taken(product: Contract, machine: Machine) -> tuple[KernelSpec, ...] | None:
    """The product, with a copy of an operand before it where units need that, or what it is without terms; None where they do
    not take it."""
    if any(static(axis.extent) == 0 for axis in product.k):
        return (without_terms(product),)
    if tiles_for(without_unit_axes(product), machine):
        return (product,)
    ways = (way for side in SIDES if (way := _packed(product, side)) is not None)
    return next((way for way in ways if tiles_for(without_unit_axes(way[1]), machine)), None)


def _packed(spec: Contract, side: Side) -> tuple[Pack, Contract] | None:
    """The product with a copy of one operand along k before it; None where that makes no product of two matrices."""
    factor = spec.a if side == "a" else spec.b
    pack, packed = pack_operand(spec, side, k_last=True, dtype=main_read(factor).dtype)
    return None if operands_of(without_unit_axes(packed)) is None else (pack, packed)


def ways_of_convolutions(spec: Contract, device: Device) -> Iterator[tuple[KernelSpec, ...]]:
    """The kernels of a product of known sizes with bounds on what its operands are read at, where an operand is no matrix as it
    lies: with a copy of the other one, which bounds do not concern, or summed in another order of the result's columns."""
    found = [main_read(factor) for factor in (spec.a, spec.b)]
    plain = [side for side, read in zip(SIDES, found, strict=True) if not read.guard]
    is_narrow = all(read.dtype in FACTORS for read in found)
    if spec.dims or spec.segments is not None or spec.more or spec.sums or len(plain) != 1 or not is_narrow:
        return
    if operands_of(without_unit_axes(spec)) is not None:
        return
    if (way := _packed(spec, plain[0])) is not None:
        yield way
    last = [axis for axis in spec.n if dict(main_read(spec.b).strides).get(axis.name) == ONE]
    if len(last) == 1 and spec.acc_dtype not in NARROW:
        columns = (*(axis for axis in spec.n if axis != last[0]), last[0])
        joined = with_terms_joined(spec)
        if not may_be_cut(joined, joined.k[0]):
            return
        whole, total = split_with_sums(joined, [(joined.k[0], 1)], columns=columns)
        if isinstance(whole, Contract) and operands_of(without_unit_axes(whole)) is not None:
            yield whole, total
            yield from split_products(spec, device, columns)
