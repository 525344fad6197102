"""Split-K of a contraction.

    C = A * B   ->   W[i] = A[i] * B[i];  C = sum of W[i], where i are parts of k

Pure and mechanical, as `rewrites.py` is: the kernels compute the same values, joined by a workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import add, mul, static, substituted
from uol.codegen.names import unused
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Contract, Fold, Guard, Read, Reduce, Store, Within
from uol.codegen.specs.rewrites import (
    args_of,
    in_physical_order,
    ordered,
    over_axes,
    place_in,
    scalars_of,
    strides_over,
    workspace_over,
)
from uol.codegen.specs.traverse import names_of
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite
from uol.ir.types import INDEX


@verified
def split_terms(
    contract: Contract, divisions: Sequence[tuple[Axis, int]], multiple: int = 1, columns: tuple[Axis, ...] | None = None
) -> tuple[Contract, Reduce]:
    """The sums over so many parts of axes of k, stored in the accumulator's type over [parts, batch, m, n]; and their sum in
    the order of the parts, with the epilogue. Both operands are affine along these.
    Parts are of a `multiple` of places; where they do not make the axis, the last is shorter: elements beyond are 0.
    `columns`: the axes of n in the order in which the sums are stored, where it is not that of the result; what is beyond the
    result, of an axis that is longer there, is read by nobody."""
    buffers, numbers = [a.name for a in contract.args], [s.name for s in contract.scalars]
    taken = {*names_of(contract), *contract.dims, *buffers, *numbers, *(a.name for a in contract.axes)}
    cuts = []
    for axis, number in divisions:
        extent = static(axis.extent) or 0
        within = -(-extent // (number * multiple)) * multiple
        part = Axis(unused("part", taken), Const(-(-extent // within)))
        taken.add(part.name)
        cuts.append(_Cut(part, Axis(axis.name, Const(within)), extent))
    n = contract.n if columns is None else columns
    parts, axes = tuple(cut.part for cut in cuts), contract.batch + contract.m + n
    k = tuple(next((cut.within for cut in cuts if cut.within.name == a.name), a) for a in contract.k)
    batch = (*parts, *contract.batch)
    over = batch + contract.m + n + k
    workspace = workspace_over(f"{contract.name}_parts", contract.acc_dtype, (*parts, *axes))
    place, strides = place_in(workspace, (*parts, *axes), (*parts, *axes))
    names = tuple(a.name for a in (*parts, *axes))
    acc = Var(contract.acc, contract.acc_dtype)
    factors = (contract.a, contract.b)
    a, b = (strides_over(_by_parts(f, contract, cuts), [x.name for x in over]) for f in factors)
    product = replace(
        contract,
        name=f"{contract.name}_parts",
        args=(*args_of(contract, factors, ()), workspace),
        scalars=scalars_of(contract, factors),
        batch=batch,
        n=n,
        k=k,
        a=a,
        b=b,
        epilogue=(Store(workspace.name, place, strides, acc, contract.acc_dtype, names, contract.line),),
    )
    rows = in_physical_order(contract.batch + contract.m + contract.n, contract.epilogue)
    place, strides = place_in(workspace, (*parts, *axes), (*rows, *parts))
    read = Read(workspace.name, place, strides, (), None, contract.acc_dtype)
    fold = Fold(contract.acc, "sum", read, contract.acc_dtype, (), contract.line)
    steps = tuple(over_axes(s, rows) for s in contract.epilogue)
    written = tuple(s.value for s in steps)
    head = head_of(contract)
    head["args"] = ordered((*args_of(contract, written, steps), workspace))
    head["scalars"] = scalars_of(contract, written)
    return product, Reduce(**head, rows=rows, cols=parts, steps=(fold, *steps))


@dataclass(frozen=True, slots=True)
class _Cut:
    """An axis of an extent in parts: the number of a part, and the axis within it."""

    part: Axis
    within: Axis
    extent: int

    @property
    def place(self) -> Expr:
        """On the axis."""
        return add(mul(Var(self.part.name, INDEX), self.within.extent), Var(self.within.name, INDEX))

    @property
    def guards(self) -> tuple[Guard, ...]:
        """Where the last part is shorter: is a place of it one that there is?"""
        is_whole = (static(self.part.extent) or 0) * (static(self.within.extent) or 0) == self.extent
        return () if is_whole else (Within(self.place, None, Const(self.extent)),)


def _by_parts(factor: Expr, contract: Contract, cuts: Sequence[_Cut]) -> Expr:
    """A factor at index `part * extent within + within` of each axis that is cut."""
    places = {cut.within.name: cut.place for cut in cuts}

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        form = affine(node.offset, [a.name for a in contract.axes])
        assert form is not None
        guard = tuple(each.map_children(lambda e: substituted(e, places)) for each in node.guard)
        for cut in cuts:
            step = mul(form.factor(cut.within.name), cut.within.extent)
            offset = add(node.offset, mul(Var(cut.part.name), step))
            node = replace(node, offset=offset, strides=((cut.part.name, step), *node.strides))
            if cut.guards:
                assert node.fill is None or node.fill == Const(0, node.dtype), "a term beyond the last is none"
                guard, node = (*guard, *cut.guards), replace(node, fill=Const(0, node.dtype))
        return replace(node, guard=guard)

    return rewrite(factor, rule)
