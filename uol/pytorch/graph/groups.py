"""Which neighbours of a graph become one text.

In topological order a node joins the groups of its producers where

  - nothing that leaves the group comes back to it;
  - maps join maps over any view that is index arithmetic;
  - a reduction over the last dims makes a group of rows: further reductions over the same dims, maps of the domain's shape and
    maps of the rows' shape join it (softmax, norms, their gradients);
  - a reduction over other dims, or of few rows, ends a group: it takes maps that nobody else reads out of the group they are
    in, and only maps of its own shape follow;
  - a product or a convolution takes the maps behind it where all its readers are such maps.
"""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from torch import fx

from uol.pytorch.graph.moves import MOVES, SPREADS
from uol.pytorch.graph.views import VIEWS
from uol.pytorch.graph.words import (
    CASTS,
    CONSTANTS,
    CONVOLUTION,
    MAPS,
    PRODUCTS,
    REDUCTIONS,
    SCAN,
    TYPES,
    aten,
    is_tensor,
    reduced,
    shape,
    value_of,
)

Kind = Literal["map", "view", "constant", "reduction", "anchor", "alone", "other"]
"""An anchor is a product or a convolution; "alone" is what has a text of its own."""

FEW_ROWS = 32
"""Rows below which a reduction over the last dims is computed as one of a whole tensor is."""


def kind(n: fx.Node) -> Kind:
    """What a node is to the partition; the graph is not changed any more."""
    found: Kind | None = n.meta.get("uol_kind")
    if found is None:
        found = n.meta["uol_kind"] = _kind(n)
    return found


def _kind(n: fx.Node) -> Kind:
    if n.op != "call_function" or not is_tensor(n) or value_of(n).dtype not in TYPES or 0 in shape(n):
        return "other"
    device = value_of(n).device
    for a in n.all_input_nodes:
        if not is_tensor(a) or value_of(a).dtype not in TYPES or 0 in shape(a) or value_of(a).device != device:
            return "other"
    t = n.target
    if t in VIEWS:
        return "view"
    if t in CONSTANTS:
        return "constant"
    if t in MAPS or t in CASTS or (t in MOVES and (t not in SPREADS or _is_spread(n))):
        return "map"
    if t in REDUCTIONS:
        return "reduction"
    if t in PRODUCTS or t is CONVOLUTION:
        return "anchor"
    return "alone" if t is SCAN else "other"


def _is_spread(n: fx.Node) -> bool:
    """Does a scatter write one place a row, onto a number that is the same everywhere (the gradient of a `gather`)? Then it is
    a map of where the place is."""
    if n.target not in SPREADS or n.kwargs:
        return False
    onto, dim, at, source = n.args
    assert isinstance(onto, fx.Node) and isinstance(dim, int)
    if onto.target not in (aten.full.default, aten.full_like.default) or (
        n.target is aten.scatter_add.default and onto.args[1] != 0
    ):
        return False
    sizes, of = shape(at), shape(onto)
    if not sizes or (isinstance(source, fx.Node) and shape(source) != sizes):
        return False
    dim %= len(sizes)
    return sizes[dim] == 1 and all(sizes[d] == of[d] for d in range(len(sizes)) if d != dim)


def base(n: fx.Node) -> fx.Node:
    """The node that a view, of a view, is a view of."""
    while kind(n) == "view":
        n = n.args[0]  # type: ignore[assignment]
    return n


def readers(n: fx.Node) -> list[fx.Node]:
    """Who reads a value, views looked through."""
    found: list[fx.Node] | None = n.meta.get("uol_readers")
    if found is None:
        found = []
        for user in n.users:
            found += readers(user) if kind(user) == "view" else [user]
        n.meta["uol_readers"] = found
    return found


def squeezed(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes without dims of 1."""
    return tuple(d for d in sizes if d != 1)


class Group:
    """Nodes that one text computes. `rows`: the shape that its reductions read, and the dims that they fold; `ended`: nothing
    of the domain's shape may follow; `anchor`: its product or convolution."""

    def __init__(self, n: fx.Node) -> None:
        self.nodes = {n}
        self.rows: tuple[tuple[int, ...], tuple[int, ...]] | None = None
        self.ended = kind(n) == "alone"
        self.anchor = n if kind(n) == "anchor" else None
        self.domain = shape(n)
        if kind(n) == "reduction":
            self.note(n)

    def note(self, n: fx.Node) -> None:
        """The first reduction settles the domain."""
        source, (dims, _) = shape(n.args[0]), reduced(n)
        self.domain = source
        self.rows = (source, dims)
        self.ended = not is_of_rows(n)

    def joined(self, own: Group, n: fx.Node) -> None:
        """Takes another group in, to which n has come."""
        self.nodes |= own.nodes
        if own.rows and not self.rows:
            self.rows, self.ended, self.domain = own.rows, own.ended, own.domain
        elif kind(n) == "reduction" and not self.rows:
            self.note(n)
        elif not self.rows and prod(shape(n)) > prod(self.domain):
            self.domain = shape(n)


def is_of_rows(n: fx.Node) -> bool:
    """Does a reduction fold the last dims of many rows?"""
    source, (dims, _) = shape(n.args[0]), reduced(n)
    first = len(source) - len(dims)
    return dims == tuple(range(first, len(source))) and prod(source[:first]) >= FEW_ROWS


class Partition:
    """The groups of a graph. `first`: nodes that join nobody's group, because a text with them was refused; `apart`: those that
    are in none, because they were refused alone."""

    def __init__(self, graph: fx.Graph, first: set[fx.Node], apart: set[fx.Node]) -> None:
        self.of: dict[fx.Node, Group] = {}
        for n in graph.nodes:
            if n in apart or kind(n) not in ("map", "reduction", "anchor", "alone"):
                continue
            own = Group(n)
            if kind(n) == "reduction" and own.ended:
                self._steal(n, own)
            elif kind(n) in ("map", "reduction") and n not in first:
                own = self._join(n, own)
            for member in own.nodes:
                self.of[member] = own

    def groups(self) -> list[Group]:
        """Each once."""
        return list(dict.fromkeys(self.of.values()))

    def _join(self, n: fx.Node, own: Group) -> Group:
        """The group that n is in, after it has joined its producers."""
        found = [self.of[base(a)] for a in n.all_input_nodes if base(a) in self.of]
        producers = list(dict.fromkeys(found))
        producers.sort(key=lambda g: (-prod(g.domain), g.anchor is not None, -len(g.nodes)))
        for g in producers:
            if not _fits(n, g) or (len(own.nodes) > 1 and not _go_together(own, g)):
                continue
            if self._comes_back(g.nodes | own.nodes):
                continue
            g.joined(own, n)
            for member in own.nodes:
                self.of[member] = g
            own = g
        return own

    def _steal(self, n: fx.Node, own: Group) -> None:
        """Maps that a reduction alone reads are computed with it, but where what they read would then have to be written."""
        todo = [n]
        while todo:
            for a in todo.pop().all_input_nodes:
                b = base(a)
                g = self.of.get(b)
                if g is None or g is own or kind(b) != "map" or g.anchor is not None:
                    continue
                if any(r not in own.nodes for r in readers(b)) or prod(shape(b)) > prod(own.domain):
                    continue
                if any(base(i) in g.nodes and prod(shape(base(i))) > prod(shape(b)) for i in b.all_input_nodes):
                    continue
                g.nodes.discard(b)
                if self._comes_back(own.nodes | {b}):
                    g.nodes.add(b)
                    continue
                own.nodes.add(b)
                self.of[b] = own
                todo.append(b)

    def _comes_back(self, nodes: set[fx.Node]) -> bool:
        """Would something that leaves these nodes come back to them? Groups run as one."""
        seen: set[fx.Node] = set()
        todo: list[fx.Node] = []

        def leave(n: fx.Node) -> None:
            for user in n.users:
                if user not in nodes and user not in seen:
                    seen.add(user)
                    todo.append(user)

        for member in nodes:
            leave(member)
        while todo:
            n = todo.pop()
            inner = kind(n) == "view" and base(n) in nodes  # a view of what is within may be read from within
            if not inner and any(user in nodes for user in n.users):
                return True
            leave(n)
            for member in self.of[n].nodes if n in self.of else ():
                if member not in nodes and member not in seen:
                    seen.add(member)
                    todo.append(member)
        return False


def _go_together(own: Group, g: Group) -> bool:
    """May a group that a node has joined join another one?"""
    if (own.rows and g.rows and own.rows != g.rows) or own.ended != g.ended:
        return False
    if g.anchor is not None or own.anchor is not None:
        return False
    return squeezed(g.domain) == squeezed(own.domain) or not (own.rows or g.rows)


def _follows(n: fx.Node, g: Group) -> bool:
    """A map that could stand behind the product of g."""
    return kind(n) == "map" and n.target not in MOVES and prod(shape(n)) == prod(g.domain)


def _fits(n: fx.Node, g: Group) -> bool:
    """May n, which reads a value of g, be computed with it?"""
    if any(kind(m) == "alone" for m in g.nodes):
        return False
    if g.anchor is not None:
        return _follows(n, g) and all(len(readers(m)) == 1 or all(_follows(r, g) for r in readers(m)) for m in g.nodes)
    if kind(n) == "map":
        return _map_fits(n, g)
    if not is_of_rows(n):
        return False  # `_steal` looks after it
    source, (dims, _) = shape(n.args[0]), reduced(n)
    if g.rows is not None:
        return not g.ended and g.rows == (source, dims)
    own = squeezed(source)
    rows = squeezed(source[: len(source) - len(dims)])
    members = [squeezed(shape(m)) for m in g.nodes]
    return own in members and all(m in (own, (), rows) or m == own[len(own) - len(m) :] for m in members)


def _map_fits(n: fx.Node, g: Group) -> bool:
    if g.rows is None:
        return True
    rows = squeezed(tuple(d for i, d in enumerate(g.rows[0]) if i not in g.rows[1]))
    own: Any = squeezed(shape(n))
    return own == rows or (not g.ended and own == squeezed(g.rows[0]))
