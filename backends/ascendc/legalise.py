"""Specs that the machine runs in place of one.

A Contract becomes up to four kernels, joined by workspaces in global memory (the only path between vector and cube cores):

    pack a, pack b   vector kernels, for operands that the cube cannot fetch as they are
    product          the cube, with what Fixpipe can do on the way out: one conversion
    epilogue         a vector kernel, for anything more

Fixpipe's relu is not used: what it makes of a NaN is not documented, and the language's max propagates it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from uol.backends.ascendc.cube.operands import CUBE_TYPES, operand_of, operand_type, packed_form
from uol.backends.ascendc.transfers.indices import Indices, extent
from uol.codegen.specs.collapse_axes import collapsed
from uol.codegen.specs.nodes import Contract, KernelSpec, Let, Store
from uol.codegen.specs.rewrites import Side, as_reduce, pack_operand, split_epilogue, without_terms
from uol.ir.program.nodes import Axis, Call, Expr, Var
from uol.ir.program.walk import substitute


def legalised(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    """The kernels that take a spec's place, in launch order."""
    if not isinstance(spec, Contract) or _size(spec.batch + spec.m + spec.n) == 0:
        return (spec,)
    if _size(spec.k) == 0:
        return (without_terms(spec),)
    if spec.acc_dtype != "f32":
        return (as_reduce(spec),)
    small = collapsed(spec)
    assert isinstance(small, Contract)
    packs: list[KernelSpec] = []
    dtype = operand_type(small)
    sides: tuple[Side, ...] = ("a", "b")
    for side in sides:
        if operand_of(small, side) is None:
            pack, small = pack_operand(small, side, k_last=packed_form(small, side) == "rows_k", dtype=dtype)
            packs.append(pack)
    if converted_store(small) is not None:
        return (*packs, _joined(small))
    product, rest = split_epilogue(small)
    return (*packs, _joined(product), rest)


def _joined(contract: Contract) -> Contract:
    """With as few axes as the operands' final layouts allow."""
    result = collapsed(contract)
    assert isinstance(result, Contract)
    return result


def _size(axes: Iterable[Axis]) -> int:
    return prod(extent(a) for a in axes)


def converted_store(contract: Contract) -> Store | None:
    """The store of an epilogue that is the accumulator and at most one conversion, to where Fixpipe can write it."""
    stores = [s for s in contract.epilogue if isinstance(s, Store)]
    if len(stores) != 1:
        return None
    value: Expr = stores[0].value
    for let in reversed([s for s in contract.epilogue if isinstance(s, Let)]):
        value = substitute(value, {let.name: let.value})
    if isinstance(value, Call) and value.fn == "cast" and value.dtype in CUBE_TYPES:
        value = value.args[0]
    if value != Var(contract.acc, contract.acc_dtype) or not _reachable(contract, stores[0]):
        return None
    return replace(stores[0], value=Var(contract.acc, contract.acc_dtype))


def _reachable(contract: Contract, store: Store) -> bool:
    """Rows of contiguous elements, a constant pitch apart."""
    indices = Indices.over(contract.axes, {})
    slopes = [indices.slope(store.offset, a.name) for a in (*contract.batch, *contract.m, *contract.n)]
    if any(s is None for s in slopes):
        return False
    if contract.n and indices.slope(store.offset, contract.n[-1].name) != 1:
        return extent(contract.n[-1]) == 1
    if not contract.m or not contract.n:
        return True
    pitch = indices.slope(store.offset, contract.m[-1].name)
    return pitch is not None and pitch >= extent(contract.n[-1])
