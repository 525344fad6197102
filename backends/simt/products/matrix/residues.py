"""The data gradient of a strided convolution, and a transposed convolution, as a product for each residue of its places: then
no product has a factor that is zero because a stride has no element there (`codegen/specs/residues.py`)."""

from __future__ import annotations

from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.legality import tiles_for, unit_for
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract, KernelSpec
from uol.codegen.specs.residues import by_residues
from uol.codegen.specs.rewrites import as_contract, as_reduce, without_terms


def products_of_residues(spec: Contract, machine: Machine) -> tuple[KernelSpec, ...] | None:
    """The kernels of a contraction of known sizes, one for each residue; None where there are no residues, or matrix units do
    not take each that has terms. One without any is a map of zeros."""
    if spec.dims or spec.segments is not None or spec.more or spec.sums or unit_for(spec, machine) is None:
        return None
    parts = by_residues(as_reduce(spec))
    if len(parts) == 1:
        return None
    products = [product for part in parts if (product := as_contract(part)) is not None]
    kernels = [_with_terms(product) for product in products]
    taken = (bool(tiles_for(without_unit_axes(each), machine)) for each in kernels if isinstance(each, Contract))
    return tuple(kernels) if len(products) == len(parts) and all(taken) else None


def _with_terms(product: Contract) -> KernelSpec:
    """The product, or what it is without terms."""
    return without_terms(product) if any(static(axis.extent) == 0 for axis in product.k) else product
