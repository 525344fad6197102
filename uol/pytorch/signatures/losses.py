"""Rewrites of losses that are several texts here: elements are computed one after the other, and reduced at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.orders import distance


def _elements(call: Call, name: str, each: Callable[[], Any]) -> None:
    """Makes the call these elements, reduced as it says. `name`: an argument that is a tensor."""
    how, x = call.args["reduction"], call.args[name]
    call.text, call.tensors, call.attributes = "cast", [name], {"dtype": "reduction"}
    call.args["reduction"] = x.dtype
    call.finishes.append(lambda _: each() if how == "none" else getattr(texts, how)(each(), dim=None))


@rewrite
def by_rate(call: Call) -> None:
    """The loss of a rate, which is given by its logarithm unless `log_input=False`; `full=True` adds Stirling's approximation
    of the target's factorial, where the target is above 1."""
    x, t, logarithm, full = (call.args[name] for name in ("input", "target", "log_input", "full"))
    if logarithm and not full:
        return

    def each() -> Any:
        loss = texts.exp(x) if logarithm else x
        loss = texts.sub(loss, texts.mul(t, x if logarithm else texts.log(texts.add(x, float(call.args["eps"])))))
        if not full:
            return loss
        some = texts.gt(t, 1)
        above = texts.choose(some, t, 2)
        half = texts.mul(texts.log(texts.mul(above, 2 * math.pi)), 0.5)
        stirling = texts.add(texts.sub(texts.mul(above, texts.log(above)), above), half)
        return texts.add(loss, texts.choose(some, stirling, 0))

    _elements(call, "input", each)


@rewrite
def of_three(call: Call) -> None:
    """Distances of another order, or to the nearer of the positive and the anchor (`swap=True`); rows of any number."""
    anchor, positive, negative, p, eps = (call.args[name] for name in ("anchor", "positive", "negative", "p", "eps"))
    if p == 2 and eps == 1e-6 and not call.args["swap"] and anchor.dim() == positive.dim() == negative.dim() == 2:
        return

    def each() -> Any:
        near, far = distance(anchor, positive, p, eps), distance(anchor, negative, p, eps)
        if call.args["swap"]:
            far = texts.minimum(far, distance(positive, negative, p, eps))
        return texts.relu(texts.add(texts.sub(near, far), float(call.args["margin"])))

    _elements(call, "anchor", each)
