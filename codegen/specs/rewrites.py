"""Specs as other specs, for machines that cannot do a fused form.

    split_epilogue   C = epilogue(A * B)   ->   W = A * B;  C = epilogue(W)
    with_plain_factors   C = f(A) * B      ->   W = f(A);  C = W * B
    pack_operand     C = A * B             ->   W = A in another layout;  C = W * B
    as_reduce        C = A * B             ->   the same sum as folds over k
    as_contract      the reverse, where folds over k are such a sum
    without_terms    a contraction over nothing is its epilogue at 0

Every function is pure and mechanical: the kernels compute the same values, joined by a workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from uol.codegen.indexing.affine import magnitude
from uol.codegen.indexing.arithmetic import ONE, ZERO, dense_strides, flat_offset, static
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import (
    Arg,
    Contract,
    Fold,
    KernelSpec,
    Map,
    Pack,
    Read,
    Reduce,
    Step,
    Store,
    Strides,
)
from uol.codegen.specs.residues import factors_of
from uol.codegen.specs.search import Search
from uol.codegen.specs.traverse import is_one_read, main_read, map_strides, values
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Call, Const, Expr, Scalar, Var
from uol.ir.program.walk import substitute, variables, walk

Side = Literal["a", "b"]


@verified
def split_epilogue(contract: Contract) -> tuple[Contract, Map]:
    """The bare contraction, stored in its accumulator's type over [batch, m, n], and its epilogue as a Map that reads it.

    The Map runs in the physical order of its first result.
    """
    axes = contract.batch + contract.m + contract.n
    workspace = workspace_over(f"{contract.name}_product", contract.acc_dtype, axes)
    offset, strides = place_in(workspace, axes, contract.axes)
    names = tuple(a.name for a in axes)
    acc = Var(contract.acc, contract.acc_dtype)
    store = Store(workspace.name, offset, strides, acc, contract.acc_dtype, names, contract.line)
    product = replace(
        contract,
        name=f"{contract.name}_product",
        args=args_of(contract, (contract.a, contract.b), ()) + (workspace,),
        scalars=scalars_of(contract, (contract.a, contract.b)),
        epilogue=(store,),
    )
    index = in_physical_order(axes, contract.epilogue)
    place, steps_strides = place_in(workspace, axes, index)
    read = Read(workspace.name, place, steps_strides, (), None, contract.acc_dtype)
    steps = tuple(over_axes(_exchanged(s, contract.acc, read), index) for s in contract.epilogue)
    values = tuple(s.value for s in steps)
    rest = Map(
        name=contract.name,
        args=ordered((*args_of(contract, values, steps), workspace)),
        scalars=scalars_of(contract, values),
        dims=contract.dims,
        facts=contract.facts,
        source=contract.source,
        index=index,
        steps=steps,
    )
    return product, rest


@verified
def with_plain_factors(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    """A contraction of factors that are one read each, behind kernels that make those that were computed, over [batch, rows, k]
    in the order in which the read that they are computed around lies in memory. Other specs are as they were."""
    if not isinstance(spec, Contract):
        return (spec,)
    kernels: list[KernelSpec] = []
    sides: tuple[Side, ...] = ("a", "b")
    for side in sides:
        if not is_one_read(spec.a if side == "a" else spec.b):
            made, spec = _made_before(spec, side)
            kernels.append(made)
    return (*kernels, spec)


def _made_before(contract: Contract, side: Side) -> tuple[Map, Contract]:
    factor = contract.a if side == "a" else contract.b
    read = main_read(factor)
    strides = dict(read.strides)
    seen = [axis for axis in contract.axes if axis.name in variables(factor)]
    known = all(strides.get(axis.name) is not None for axis in seen)
    index = tuple(sorted(seen, key=lambda axis: magnitude(strides[axis.name]), reverse=True) if known else seen)
    workspace = workspace_over(f"{contract.name}_factor_{side}", factor.type, index)
    offset, own = place_in(workspace, index, index)
    names = tuple(axis.name for axis in index)
    store = Store(workspace.name, offset, own, strides_over(factor, names), factor.type, names, contract.line)
    made = Map(
        name=f"{contract.name}_factor_{side}",
        args=(*args_of(contract, (factor,), ()), workspace),
        scalars=scalars_of(contract, (factor,)),
        dims=contract.dims,
        facts=contract.facts,
        source=contract.source,
        index=index,
        steps=(store,),
    )
    place, over_all = place_in(workspace, index, contract.axes)
    plain = Read(workspace.name, place, over_all, (), None, factor.type)
    rest = replace(contract, a=plain) if side == "a" else replace(contract, b=plain)
    used = args_of(contract, tuple(values(rest)), rest.epilogue)
    return made, replace(rest, args=ordered((*used, workspace)), scalars=scalars_of(contract, tuple(values(rest))))


@verified
def pack_operand(contract: Contract, side: Side, *, k_last: bool, dtype: str) -> tuple[Pack, Contract]:
    """A kernel that copies one operand into a dense workspace of type `dtype`, over [batch, rows, k] (`k_last`) or
    [batch, k, rows], and the contraction that reads it there. Guards and fills end in the copy."""
    factor = contract.a if side == "a" else contract.b
    rows = contract.m if side == "a" else contract.n
    seen = variables(factor)
    batch = tuple(x for x in contract.batch if x.name in seen)
    index = (*batch, *rows, *contract.k) if k_last else (*batch, *contract.k, *rows)
    workspace = workspace_over(f"{contract.name}_packed_{side}", dtype, index)
    offset, strides = place_in(workspace, index, index)
    value = _narrowed(factor, dtype)
    names = tuple(a.name for a in index)
    copy = Store(workspace.name, offset, strides, strides_over(value, names), dtype, names, contract.line)
    pack = Pack(
        name=f"{contract.name}_pack_{side}",
        args=(*args_of(contract, (factor,), ()), workspace),
        scalars=scalars_of(contract, (factor,)),
        dims=contract.dims,
        facts=contract.facts,
        source=contract.source,
        index=index,
        steps=(copy,),
    )
    place, over_all = place_in(workspace, index, contract.axes)
    read: Expr = Read(workspace.name, place, over_all, (), None, dtype)
    if dtype != contract.acc_dtype:
        read = Call("cast", (read,), contract.acc_dtype)
    a, b = (read, contract.b) if side == "a" else (contract.a, read)
    packed = replace(contract, a=a, b=b)
    return pack, replace(packed, args=ordered((*args_of(contract, tuple(values(packed)), packed.epilogue), workspace)))


@verified
def as_reduce(contract: Contract) -> Reduce:
    """The contraction as folds: rows are batch, m and n in the physical order of the result, cols are k."""
    axes = in_physical_order(contract.batch + contract.m + contract.n, contract.epilogue)
    names = [a.name for a in axes + contract.k]
    product = strides_over(Call("*", (contract.a, contract.b), contract.acc_dtype), names)
    fold = Fold(contract.acc, "sum", product, contract.acc_dtype, (), contract.line)
    steps = (fold, *(over_axes(s, axes) for s in contract.epilogue))
    return Reduce(**head_of(contract), rows=axes, cols=contract.k, steps=steps)


@verified
def as_contract(spec: Reduce) -> Contract | None:
    """The sum of products that a kernel is around, as a contraction; m is empty where one factor has no row of its own. None
    where an axis of the sum is in one factor alone (but for one of a single term), or a row in none, or the result is not
    contiguous along a row of one."""
    factors = factors_of(spec)
    fold = next((s for s in spec.steps if isinstance(s, Fold)), None)
    rest = tuple(s for s in spec.steps if s is not fold)
    rows, sums = {a.name for a in spec.rows}, {a.name for a in spec.cols if a.extent != ONE}
    if factors is None or fold is None or fold.where or not all(isinstance(s, Fold) or set(s.axes) <= rows for s in rest):
        return None
    a, b = factors
    ordered = in_physical_order(spec.rows, rest)
    if not ordered or ordered[-1].name in variables(a) & variables(b):
        return None
    if ordered[-1].name in variables(a):
        a, b = b, a
    of_a, of_b = variables(a), variables(b)
    m, n = (tuple(x for x in ordered if x.name in own) for own in (of_a - of_b, of_b - of_a))
    if not (n and sums <= of_a & of_b and rows <= of_a | of_b):
        return None
    batch = tuple(x for x in ordered if x.name in of_a & of_b)
    axes = batch + m + n + spec.cols
    a, b = (strides_over(factor, [x.name for x in axes]) for factor in (a, b))
    return Contract(
        **head_of(spec),
        batch=batch,
        m=m,
        n=n,
        k=spec.cols,
        a=a,
        b=b,
        acc=fold.name,
        acc_dtype=fold.dtype,
        line=fold.line,
        epilogue=tuple(over_axes(step, axes) for step in rest),
    )


@verified
def without_terms(contract: Contract) -> Map:
    """The epilogue at an accumulator of 0: what a contraction over an empty k is."""
    index = in_physical_order(contract.batch + contract.m + contract.n, contract.epilogue)
    zero = Const(0, contract.acc_dtype)
    steps = tuple(over_axes(_exchanged(s, contract.acc, zero), index) for s in contract.epilogue)
    values = tuple(s.value for s in steps)
    head = head_of(contract)
    head["args"], head["scalars"] = args_of(contract, values, steps), scalars_of(contract, values)
    return Map(**head, index=index, steps=steps)


def workspace_over(name: str, dtype: str, axes: Sequence[Axis]) -> Arg:
    """A dense buffer with one dim an axis."""
    shape = tuple(a.extent for a in axes)
    return Arg(name, dtype, shape, dense_strides(shape), "workspace")


def place_in(arg: Arg, own: Sequence[Axis], axes: Sequence[Axis]) -> tuple[Expr, tuple[tuple[str, Expr | None], ...]]:
    """The offset of a workspace over its own axes, and its strides along the axes of a spec."""
    strides = dict(zip((a.name for a in own), arg.strides, strict=True))
    offset = flat_offset([Var(a.name) for a in own], arg.shape, arg.strides)
    return offset, tuple((a.name, strides.get(a.name, Const(0))) for a in axes)


def read_of(array: Arg, own: Sequence[Axis], axes: Sequence[Axis]) -> Read:
    """What a workspace over its own axes holds, in a spec over others."""
    offset, strides = place_in(array, own, axes)
    return Read(array.name, offset, strides, (), None, array.dtype)


def in_physical_order(axes: tuple[Axis, ...], steps: Sequence[Step]) -> tuple[Axis, ...]:
    """Axes in the order in which the first result lies in memory."""
    store = next((s for s in steps if isinstance(s, Store)), None)
    if store is None:
        return axes
    strides = dict(store.strides)
    if any(strides.get(a.name, ZERO) is None for a in axes):
        return axes

    def place(axis: Axis) -> tuple[int, int, bool]:
        degree, factor = magnitude(strides.get(axis.name))
        return -degree, -factor, static(axis.extent) != 1

    return tuple(sorted(axes, key=place))


def _exchanged(step: Step, name: str, value: Expr) -> Step:
    """The step with a variable exchanged in what it computes."""
    return replace(step, value=substitute(step.value, {name: value}))


def over_axes(step: Step, axes: Sequence[Axis]) -> Step:
    """The step with its axes, and the strides of its accesses, in the order of a spec's axes."""
    names = [a.name for a in axes]
    value = strides_over(step.value, names)
    if isinstance(step, Fold):
        return replace(step, value=value)
    own = tuple(n for n in names if n in step.axes)
    if isinstance(step, Store):
        strides = dict(step.strides)
        return replace(step, value=value, axes=own, strides=tuple((n, strides[n]) for n in own if n in strides))
    return replace(step, value=value, axes=own)


def strides_over(expr: Expr, names: Sequence[str]) -> Expr:
    """The expression with each read's strides along the axes of the spec, in their order; reads within reads alike."""

    def ordered(given: Strides) -> Strides:
        strides = dict(given)
        return tuple((n, strides[n]) for n in names if n in strides)

    return map_strides(expr, ordered)


def _narrowed(factor: Expr, dtype: str) -> Expr:
    """The factor in the workspace's type: its read as it is where that is the type already."""
    if isinstance(factor, Call) and factor.fn == "cast" and factor.args[0].type == dtype and isinstance(factor.args[0], Read):
        return factor.args[0]
    return factor if factor.type == dtype else Call("cast", (factor,), dtype)


def args_of(spec: KernelSpec, values: Sequence[Expr], steps: Sequence[Step]) -> tuple[Arg, ...]:
    """The args that expressions read and steps write, in the order of the spec."""
    names = {n.tensor for v in values for n in walk(v) if isinstance(n, Read | Search)}
    names |= {s.tensor for s in steps if isinstance(s, Store)}
    return tuple(a for a in spec.args if a.name in names)


def ordered(args: tuple[Arg, ...]) -> tuple[Arg, ...]:
    """Inputs, results, workspaces."""
    return tuple(a for role in ("in", "out", "workspace") for a in args if a.role == role)


def scalars_of(spec: KernelSpec, values: Sequence[Expr]) -> tuple[Scalar, ...]:
    used = frozenset().union(*(variables(v) for v in values)) if values else frozenset()
    return tuple(s for s in spec.scalars if s.name in used)
