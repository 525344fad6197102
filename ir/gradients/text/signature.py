"""The head of a gradient: the inputs, attributes, types and conditions that its body and its results need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.ir.gradients.text.substitution import tensors_of
from uol.ir.syntax.surface import Apply, Attribute, Expr, Name, Node, Op, Pack, Param, Statement, below
from uol.ir.types import base_type


def assemble(op: Op, cotangents: tuple[Param, ...], results: tuple[Param, ...], body: tuple[Statement, ...]) -> Op:
    """`<op>_grad` with the inputs and results of the forward that are needed, then the cotangents. An input is needed
    where it is read, or where it alone says how large a dim or which type a result is."""
    read = frozenset(t for s in body for t in tensors_of(s))
    candidates = (*op.params, *op.results)
    kept = [p for p in (*candidates, *cotangents) if p.name in read]
    needed = [*_nodes(kept), *_nodes(results), *_body_nodes(body)]
    wanted = _dims(needed) & _dims(_nodes((*candidates, *cotangents)))
    for param in (*cotangents, *candidates):  # a cotangent costs nothing: it is there anyway
        missing = wanted - _named_dims(kept)
        types_missing = {base_type(p.type) for p in (*results, *kept)} - {p.type for p in kept}
        if param not in kept and (_named_dims([param]) & missing or (param.type in types_missing and param in op.params)):
            kept.append(param)
    params = tuple(p for p in (*candidates, *cotangents) if p in kept)
    attributes = _attributes(op, [*_nodes(params), *_nodes(results), *_body_nodes(body)])
    known = _named_dims(params) | {a.name for a in attributes} | {p.name for p in params}
    where = tuple(w for w in op.where if _leaves(w) <= known)
    variables = {base_type(p.type) for p in (*params, *results)} | {n.fn for n in _calls(body)}
    domain = tuple(t for t in op.domain if t.variable in variables)
    return Op(f"{op.name}_grad", params, attributes, results, domain, where, body)


def _nodes(params: Iterable[Param]) -> list[Node]:
    return [d for p in params for d in p.dims]


def _body_nodes(body: Iterable[Statement]) -> list[Node]:
    return [n for s in body for n in (s.value, *(i for t in s.targets for i in t.index))]


def _calls(body: Iterable[Statement]) -> list[Apply]:
    return [n for s in body for n in below(s.value) if isinstance(n, Apply)]


def _leaves(node: Expr) -> set[str]:
    return {n.id if isinstance(n, Name) else f"*{n.id}" for n in below(node) if isinstance(n, Name | Pack)}


def _dims(nodes: Iterable[Node]) -> set[str]:
    """Every dim (`C`) and pack of dims (`*S`) that is mentioned."""
    return {n.id if isinstance(n, Name) else f"*{n.id}" for node in nodes for n in below(node) if isinstance(n, Name | Pack)}


def _named_dims(params: Iterable[Param]) -> set[str]:
    """The dims that a parameter fixes: where they stand alone."""
    return {d.id if isinstance(d, Name) else f"*{d.id}" for p in params for d in p.dims if isinstance(d, Name | Pack)}


def _attributes(op: Op, nodes: Iterable[Node]) -> tuple[Attribute, ...]:
    """The attributes that are used, and those from which they take their defaults."""
    used = {n.id for node in nodes for n in below(node) if isinstance(n, Name)}
    kept: list[Attribute] = []
    for attribute in reversed(op.attributes):
        if attribute.name in used:
            kept.insert(0, replace(attribute))
            if attribute.default is not None:
                used |= {n.id for n in below(attribute.default) if isinstance(n, Name)}
    return tuple(kept)
