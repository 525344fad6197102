"""A graph before it is grouped: aliases go; a product of rows that were flattened, and are spread again, has its dims back."""

from __future__ import annotations

from typing import Any

from torch import fx

from uol.pytorch.graph.views import FLATTENING
from uol.pytorch.graph.words import aten, product_of_rows, shape, value_of

ALIASES = {aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default}


def tidy(graph: fx.Graph) -> None:
    """Changes the graph in place."""
    for n in list(graph.nodes):
        if n.target in ALIASES:
            n.replace_all_uses_with(n.args[0])
            graph.erase_node(n)
        elif str(n.target) == "prims.fma.default":  # dynamo's, which is there only once it was needed
            _in_two_steps(graph, n)
    for n in list(graph.nodes):
        if n.target is aten.mm.default or (n.target is aten.addmm.default and not n.kwargs):
            _with_its_dims(graph, n)
    graph.eliminate_dead_code()


def _in_two_steps(graph: fx.Graph, n: fx.Node) -> None:
    """a * b + c."""
    a, b, c = n.args
    with graph.inserting_before(n):
        product = graph.call_function(aten.mul.Tensor, (a, b))
        total = graph.call_function(aten.add.Tensor, (product, c))
    product.meta["val"] = total.meta["val"] = value_of(n)
    n.replace_all_uses_with(total)
    graph.erase_node(n)


def _with_its_dims(graph: fx.Graph, n: fx.Node) -> None:
    c: Any
    a: Any
    c, a, b = (None, *n.args) if n.target is aten.mm.default else n.args
    if a.target not in FLATTENING or len(shape(a.args[0])) < 3 or shape(a.args[0])[-1] != shape(a)[-1]:
        return
    want = (*shape(a.args[0])[:-1], shape(n)[-1])
    spread = [user for user in n.users if user.target in FLATTENING and shape(user) == want]
    if not spread or (c is not None and len(shape(c)) != 1):
        return
    with graph.inserting_before(n):
        wide = graph.call_function(product_of_rows, (a.args[0], b, c))
    wide.meta["val"] = value_of(n).new_empty(want)
    for user in spread:
        user.replace_all_uses_with(wide)
        graph.erase_node(user)
    if n.users:
        with graph.inserting_before(n):
            flat = graph.call_function(aten.view.default, (wide, list(shape(n))))
        flat.meta["val"] = value_of(n)
        n.replace_all_uses_with(flat)
    graph.erase_node(n)
