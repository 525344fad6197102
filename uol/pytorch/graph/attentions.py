"""PyTorch's attention and its gradient in a graph, as calls of the library.

PyTorch keeps one value of a row for the gradient, the log-sum-exp of its scores; the library keeps two, which lose less of
them. In a graph that has forward and gradient both are replaced as a pair. Where each has a graph of its own, what goes over
from one to the other is PyTorch's.
"""

from __future__ import annotations

import operator
from contextlib import suppress
from math import isclose
from typing import Any

import torch
from torch import fx

from uol.pytorch.graph.calls import Writer, parts_read
from uol.pytorch.graph.operators import gradient_of, library_op, saving_op
from uol.pytorch.graph.words import TYPES, Unsaid, aten, shape, value_of

FORWARD = aten._scaled_dot_product_flash_attention_for_cpu.default
BACKWARD = aten._scaled_dot_product_flash_attention_for_cpu_backward.default
QKV = ("q", "k", "v")
LSE = 5
"""Which argument of the gradient is the log-sum-exp."""


def put_pairs_in(graph: fx.Graph) -> None:
    """Attentions whose gradient is in the same graph, with it. What has a form that the library has not is left as it is."""
    for gradient in graph.find_nodes(op="call_function", target=BACKWARD):
        lse = gradient.args[LSE]
        attention = lse.args[0] if lse.target is operator.getitem else None
        if not isinstance(attention, fx.Node) or attention.target is not FORWARD or {*lse.users} != {gradient}:
            continue
        inputs = (*attention.all_input_nodes, *gradient.all_input_nodes)
        if all(isinstance(value_of(a), torch.Tensor) and value_of(a).dtype in TYPES for a in inputs):
            with suppress(Unsaid):
                _form(attention), _form(gradient)
                hi, z_inv = _put_forward(attention)
                _put_backward(gradient, hi, z_inv)


def put_forward(n: fx.Node) -> None:
    """An attention in a graph without its gradient."""
    if 1 in parts_read(n):
        _put_forward(n)
        return
    name, inputs = _form(n)
    write = Writer(n)
    write.replace_parts({0: write.call(library_op(name), inputs, n.meta["val"][0])})


def put_backward(n: fx.Node) -> None:
    """The gradient of an attention in a graph without that: exp(s - lse) is a probability, too, though with the rounding that
    lse has."""
    _form(n)
    lse: Any = n.args[LSE]
    _put_backward(n, lse, Writer(n).of(lse, aten.full_like.default, 1.0))


def _put_forward(n: fx.Node) -> tuple[fx.Node, fx.Node]:
    """Gives the two values of a row that the gradient reads; what else reads the log-sum-exp has it from them."""
    name, inputs = _form(n)
    y, lse = n.meta["val"]
    write, values = Writer(n), (y, lse, lse)
    made = write.call(saving_op(name, QKV), inputs, values)
    result, hi, z_inv = (write.node(operator.getitem, (made, at), value) for at, value in enumerate(values))
    z_log = write.of(z_inv, aten.log.default)
    write.replace_parts({0: result, 1: write.node(aten.sub.Tensor, (hi, z_log), lse)})
    return hi, z_inv


def _put_backward(n: fx.Node, hi: fx.Node, z_inv: fx.Node) -> None:
    name, (q, k, v, *masks) = _form(n)
    write, gradient = Writer(n), gradient_of(name, QKV)
    by_name: dict[str, Any] = dict(q=q, k=k, v=v, y=n.args[4], hi=hi, z_inv=z_inv, dy=n.args[0])
    by_name |= {name: each for each in masks for name in ("mask", "bias")}
    found = write.call(gradient, tuple(by_name[p.name] for p in gradient.params), n.meta["val"])
    write.replace_parts({at: write.node(operator.getitem, (found, at), value) for at, value in enumerate(n.meta["val"])})


def _form(n: fx.Node) -> tuple[str, tuple[fx.Node, ...]]:
    """The operator for an attention or its gradient, and what the attention reads."""
    parts_read(n)
    given: list[Any] = [*n.args]
    if n.target is BACKWARD:
        _, q, k, v, _, _, dropout, causal = given
    else:
        q, k, v, dropout, causal = given + [0.0, False][len(given) - 3 :]
    mask, scale = n.kwargs.get("attn_mask"), n.kwargs.get("scale")
    if dropout:
        raise Unsaid("attention with dropout")
    if scale is not None and not isclose(scale, shape(q)[-1] ** -0.5, rel_tol=1e-6):  # type: ignore[arg-type]  # a number of the graph
        raise Unsaid("attention with a scale of its own")
    if len(shape(q)) != 4 or any(0 in shape(x) for x in (q, k, v)):
        raise Unsaid("attention of another rank")
    if mask is None:
        return ("causal_attention" if causal else "attention"), (q, k, v)
    if causal:
        raise Unsaid("attention with a mask that is causal, too")
    assert isinstance(mask, fx.Node)
    if value_of(mask).dtype not in (torch.bool, value_of(q).dtype):
        raise Unsaid("a mask of another type")
    full = (*shape(q)[:3], shape(k)[2])
    wide = mask if shape(mask) == full else Writer(n).of(mask, aten.expand.default, list(full))
    return ("masked_attention" if value_of(mask).dtype is torch.bool else "biased_attention"), (q, k, v, wide)
