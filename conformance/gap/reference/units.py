"""Which products of a graph are one, and what may be computed beside them without passing memory.

units        products that share an operand and what they sum over, or that are only added, and what is one by nature
own          what follows a unit's results in their index space: elements, rows, totals
operands     the ways in which a product's operand may be read: itself, or one tensor that it is made of by elements
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from uol.conformance.gap.reference.graph import Graph, Tensor, is_vector

Reads = frozenset[Tensor]


def units_of(graph: Graph) -> list[tuple[Tensor, ...]]:
    """The products of a graph, those that are one together, in order."""
    products = [t for t in graph.tensors if t.kind == "product"]
    before = ancestors(graph)
    leader = {t: t for t in products}

    def find(t: Tensor) -> Tensor:
        while leader[t] is not t:
            t = leader[t]
        return t

    def independent(a: Tensor, b: Tensor) -> bool:
        ones, others = ([t for t in products if find(t) is find(each)] for each in (a, b))
        return not any(x in before[y] or y in before[x] for x in ones for y in others)

    readers = Counter(i for t in graph.tensors for i in t.inputs)
    added = [t.inputs for t in graph.tensors if t.kind == "elements" and _is_sum_of_products(t, readers)]
    for a, b in combinations(products, 2):
        alike = a.unit == b.unit or (a.reduced == b.reduced and set(a.inputs) & set(b.inputs))
        together = any(a in terms and b in terms for terms in added)
        if a.phase == b.phase and (alike or together) and independent(a, b):
            leader[find(b)] = find(a)
    return [tuple(t for t in products if find(t) is first) for first in products if find(first) is first]


def _is_sum_of_products(t: Tensor, readers: Mapping[Tensor, int]) -> bool:
    return len(t.inputs) > 1 and all(i.kind == "product" and readers[i] == 1 for i in t.inputs)


def ancestors(graph: Graph) -> dict[Tensor, frozenset[Tensor]]:
    """The tensors that each one is computed from, by however many steps."""
    found: dict[Tensor, frozenset[Tensor]] = {}
    for t in graph.tensors:
        found[t] = frozenset(t.inputs).union(*(found[i] for i in t.inputs))
    return found


def own_of(unit: Sequence[Tensor], graph: Graph, before: Mapping[Tensor, frozenset[Tensor]]) -> list[Tensor]:
    """The tensors that may be computed from a unit's results as they are made: in their index space, not behind a total."""
    made, own = set(unit), []
    for t in graph.tensors:
        if t.kind not in ("elements", "row", "total") or t.phase != unit[0].phase:
            continue
        near = [i for i in t.inputs if i in made]
        late = any(i not in made and not before[i].isdisjoint(unit) for i in t.inputs)
        if not near or late or any(i.kind == "total" for i in near):
            continue
        if t.kind != "elements" or all(i.axes == t.axes or is_vector(i, t) for i in near):
            made.add(t)
            own.append(t)
    return own


def ways_to_read(operand: Tensor) -> list[Reads]:
    """The sets of tensors of which one has to be in memory for a product to read an operand: itself; or a tensor that it is
    made of element by element, with vectors."""
    found = [frozenset([operand])]
    if operand.kind not in ("elements", "gather"):
        return found
    full = [i for i in operand.inputs if not is_vector(i, operand)]
    if len(full) != 1:
        return found
    vectors = frozenset(i for i in operand.inputs if i is not full[0])
    return found + [way | vectors for way in ways_to_read(full[0])]


def must_be_stored(graph: Graph) -> set[Tensor]:
    """Results; and operands that a product can only read as they are."""
    found = set(graph.results)
    for t in graph.tensors:
        if t.kind == "product":
            found |= {i for i in t.inputs if i.kind != "given" and len(ways_to_read(i)) == 1}
    return {t.inputs[0] if t.kind == "part" else t for t in found} - {t for t in graph.tensors if t.kind == "given"}


def closure(tensors: Sequence[Tensor], stops: set[Tensor]) -> Iterator[Tensor]:
    """The tensors and what they may be computed from, down to what can only be read."""
    waiting, seen = list(tensors), set(tensors)
    while waiting:
        t = waiting.pop()
        yield t
        if t in stops and t not in tensors:
            continue
        new = [i for i in t.inputs if i not in seen]
        seen.update(new)
        waiting += new
