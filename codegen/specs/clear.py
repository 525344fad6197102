"""A Scatter adds to a tensor that starts at 0: the kernel that makes it 0, for machines whose threads add where it lies."""

from __future__ import annotations

from uol.codegen.indexing.arithmetic import product
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Map, Scatter, Store
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Const, Var, zero_of


@verified
def cleared(scatter: Scatter) -> Map:
    """`y[...] = 0` over all elements of the tensor that a Scatter adds to."""
    result = scatter.arg(scatter.add.tensor)
    element = Axis(unused("element", {a.name for a in scatter.args}), product(result.shape))
    place = Var(element.name)
    zero = zero_of(result.dtype)
    store = Store(result.name, place, ((element.name, Const(1)),), zero, result.dtype, (element.name,), scatter.add.line)
    name = f"{scatter.name}_clear"
    return Map(name, (result,), (), scatter.dims, scatter.facts, scatter.source, (element,), (store,))
