"""Specs that the machine runs in place of one, normalised, with what was decided about them.

A Contract becomes up to five kernels, joined by workspaces in global memory (the only path between vector and cube cores):

    pack a, pack b   vector kernels, for operands that the cube cannot fetch as they are
    product          the cube, with what Fixpipe can do on the way out: one conversion; of parts where tiles are few
    sum              a vector kernel, of these parts
    epilogue         a vector kernel, for anything more, and for a result in another order than the operands'

Fixpipe's relu is not used: what it makes of a NaN is not documented, and the language's max propagates it.
"""

from __future__ import annotations

from math import prod

from uol.backends.ascendc.arithmetic.int64_arithmetic import in_words
from uol.backends.ascendc.cube.product import cube_product, is_conversion, with_packed_operands
from uol.backends.ascendc.cube.row_order import with_runs_last
from uol.backends.ascendc.cube.split_k import split as split_k
from uol.backends.ascendc.transfers.fills import with_fills_of_copies
from uol.backends.ascendc.transfers.indices import extent
from uol.backends.ascendc.vector.splitting import split
from uol.codegen.backend import Device
from uol.codegen.specs.collapse_axes import collapsed
from uol.codegen.specs.nodes import Contract, KernelSpec
from uol.codegen.specs.rewrites import as_reduce, split_epilogue, without_terms


def legalised(spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
    """The kernels that take a spec's place, in launch order. A Contract among them that is no CubeProduct has no kernel."""
    parts = (each for part in _parts(spec, device) for each in split(collapsed(part), device))
    return tuple(_decided(in_words(collapsed(with_fills_of_copies(part)))) for part in parts)


def _decided(spec: KernelSpec) -> KernelSpec:
    """A contraction with the forms of its operands; any other spec as it is."""
    return (cube_product(spec) or spec) if isinstance(spec, Contract) else spec


def _parts(spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
    if not isinstance(spec, Contract):
        return (spec,)
    if prod(extent(a) for a in spec.axes) == 0:
        return (without_terms(spec),)
    if spec.acc_dtype != "f32":
        return (as_reduce(spec),)
    contract = collapsed(spec)
    assert isinstance(contract, Contract)
    contract, *stored = with_runs_last(contract)
    packs, product = with_packed_operands(contract)
    parts = split_k(collapsed(product), device)
    if len(parts) > 1:
        return (*packs, *parts, *stored)
    if is_conversion(product):
        return (*packs, product, *stored)
    return (*packs, *split_epilogue(product))
