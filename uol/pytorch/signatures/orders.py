"""Rewrites of norms and distances by their order: 0 counts what is not 0; 1, 2 and the infinities have texts of their own."""

from __future__ import annotations

import math
from typing import Any

from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite

OWN = {None: "l2_norm", "fro": "l2_norm", 1: "l1_norm", 2: "l2_norm", math.inf: "max_norm"}
"""The orders that have texts."""


@rewrite
def order(call: Call, name: str) -> None:
    """The text of a norm by its order."""
    call.without(name)
    _norm_of(call, "input", call.args[name], name)


def _norm_of(call: Call, x: str, p: Any, name: str) -> None:
    """Makes the call the norm of one of its arguments. `name`: the order's, to be refused by."""
    call.tensors = [x]
    if p in OWN:
        call.text = OWN[p]
    elif isinstance(p, str):
        raise call.refuse(f"{name}={p!r}", "the singular values' norm: torch.linalg.svdvals(x).sum(-1)")
    elif p == 0:
        call.text, call.args[x] = "sum", _one_where_not_zero(call.args[x])
    elif p == -math.inf:
        call.text, call.args[x] = "amin", texts.abs(call.args[x])
    else:
        call.text = "vector_norm"
        call.attributes["p"] = f"{float(p)!r}"


def _one_where_not_zero(x: Any) -> Any:
    """1 where an element is not 0, NaN among them; its gradient is 0."""
    return texts.choose(texts.ne(x, 0), 1, texts.mul(x, 0))


@rewrite
def by_norm(call: Call, order: str) -> None:
    """By a norm of another order than 2: the quotient by it, which is `eps` at least."""
    p, x = call.args[order], call.args["input"]
    if p == 2:
        return
    call.attributes = {"dim": "dim", "keepdim": "True"}
    _norm_of(call, "input", p, order)
    call.finishes.append(lambda r: texts.div(x, texts.maximum(r, float(call.args["eps"]))))


def distance(a: Any, b: Any, p: Any, eps: float) -> Any:
    """The distance of rows."""
    if p == 2:
        return texts.pairwise_distance(a, b, eps=float(eps))
    difference = texts.add(texts.sub(a, b), float(eps))
    if p in OWN:
        return getattr(texts, OWN[p])(difference)
    return texts.vector_norm(difference, p=float(p))


@rewrite
def apart(call: Call, order: str, left: str, right: str) -> None:
    """A distance of rows of another order than 2 is a norm of their difference, to which `eps` is added."""
    p = call.args[order]
    if p == 2:
        return
    call.args[left] = texts.add(texts.sub(call.args[left], call.args[right]), float(call.args["eps"]))
    call.attributes = {"dim": "-1", "keepdim": "keepdim"}
    _norm_of(call, left, p, order)


@rewrite
def distances(call: Call, order: str, left: str, right: str) -> None:
    """Distances of another order than 2 are norms of the differences of all pairs of rows; that of order 0 counts the
    differences that are not 0, and is NaN where one is."""
    p, a, b = call.args[order], call.args[left], call.args[right]
    if p == 2:
        return
    if p < 0:
        raise call.refuse(f"{order}={p!r}", "an order of 0 or more")
    call.args[left] = between = texts.sub(a[:, :, None], b[:, None])
    call.attributes = {"dim": "-1"}
    _norm_of(call, left, p, order)
    if p == 0:
        call.args[left] = texts.choose(texts.isnan(between), between, call.args[left])
