"""Rewrites of functions that are several texts here: places beside running extrema, medians with places, distinct values."""

from __future__ import annotations

import math
from typing import Any

import torch

from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.shapes import place


@rewrite
def middle(call: Call) -> None:
    """The value in the middle of each row, and where it stood; NaN, which comes last, where there is one."""
    x, keep = call.args["input"], call.args["keepdim"]
    dim = place(call.name, call.args["dim"], x.dim())

    def finish(at: Any) -> Any:
        rows, places = x.movedim(dim, -1), at.movedim(dim, -1)
        size = x.shape[dim]
        chosen = places[..., (size - 1) // 2 : (size - 1) // 2 + 1]
        if x.is_floating_point():
            last = places[..., -1:]
            chosen = texts.choose(texts.isnan(texts.gather(rows, last)), last, chosen)
        found = (texts.gather(rows, chosen).movedim(-1, dim), chosen.movedim(-1, dim))
        return found if keep else tuple(y.squeeze(dim) for y in found)

    call.finishes.append(finish)


@rewrite
def running_place(call: Call) -> None:
    """The extremum so far, and the last place where it stood."""
    x, kind = call.args["input"], torch.return_types.cummax if call.name == "cummax" else torch.return_types.cummin
    dim = place(call.name, call.args["dim"], x.dim())
    call.args["input"] = x.detach()

    def finish(extremum: Any) -> Any:
        own = texts.eq(x.detach(), extremum)
        if x.is_floating_point():
            own = texts.logical_or(own, texts.isnan(x.detach()))
        counted = torch.arange(x.shape[dim], device=x.device).reshape(-1, *[1] * (x.dim() - dim - 1))
        at = texts.cummax(texts.choose(own, counted.expand(x.shape), 0), dim=dim)
        values = texts.gather(x.movedim(dim, -1), at.movedim(dim, -1)).movedim(-1, dim)
        return values, at

    call.finishes.insert(0, lambda r: kind(tuple(r)))
    call.finishes.append(finish)


@rewrite
def distinct(call: Call) -> None:
    """As many values as there are, where each stood, and how often."""
    x = call.args["input"]
    call.args["input"] = x.reshape(-1)

    def finish(found: Any) -> Any:
        values, counts, number = found
        kept = int(number)
        inverse = [texts.searchsorted(values[:kept], x)] if call.args["return_inverse"] else []
        results = (values[:kept], *inverse, *([counts[:kept]] if call.args["return_counts"] else []))
        return results[0] if len(results) == 1 else results

    call.finishes.append(finish)


@rewrite
def with_edges(call: Call) -> None:
    """Counts in the type of the input, beside the edges."""
    x, edges = call.args["input"], call.args["bins"]
    if not isinstance(edges, torch.Tensor):
        raise call.refuse("a number of bins", "their edges: torch.linspace(low, high, bins + 1)")
    call.args["input"] = x.reshape(-1)
    kind: Any = torch.return_types.histogram
    call.finishes.append(lambda r: kind((texts.cast(r, dtype=x.dtype), edges)))


@rewrite
def times_over(call: Call, number: str) -> None:
    """The text runs so many times, the last time last."""
    count, options = call.args[number], {"dim": call.args["dim"]}
    if count == 0:
        call.text, call.attributes = "cast", {"dtype": number}
        call.args[number] = call.args["input"].dtype
    for _ in range(count - 1):
        call.finishes.append(lambda r: getattr(texts, call.name)(r, **options))


@rewrite
def by_norm(call: Call, order: str) -> None:
    """By a norm of another order than 2: the quotient by it, which is `eps` at least."""
    p, x = call.args[order], call.args["input"]
    if p == 2:
        return
    if p <= 0:
        raise call.refuse(f"{order}={p!r}", "an order above 0")
    known = {1: "l1_norm", math.inf: "max_norm"}
    call.text = known.get(p, "vector_norm")
    call.attributes = {"dim": "dim", "keepdim": "True"} | ({} if p in known else {"p": f"{float(p)!r}"})
    call.finishes.append(lambda r: texts.div(x, texts.maximum(r, float(call.args["eps"]))))


@rewrite
def divided(call: Call, axes: str) -> None:
    """`divisor_override=`: the sum of a window, by this."""
    by = call.args["divisor_override"]
    if by is None:
        return
    if call.args["ceil_mode"] or by == 0:
        raise call.refuse(f"divisor_override={by} with ceil_mode={call.args['ceil_mode']}", "uol.ops.mul of what it gives")
    call.args["count_include_pad"] = True
    kernel = call.args["kernel_size"]
    sizes = [kernel] * int(axes) if isinstance(kernel, int) else list(kernel) * (int(axes) if len(kernel) == 1 else 1)
    call.finishes.append(lambda r: texts.mul(r, math.prod(sizes) / by))


@rewrite
def averaged(call: Call, mode: str, name: str) -> None:
    """The mean of what is a sum in the text."""
    count = call.args[name].shape[-1]
    if call.args[mode] == "mean" and count:
        call.finishes.append(lambda r: texts.div(r, float(count)))


@rewrite
def fixed_row(call: Call, row: str, name: str) -> None:
    """A row that has no gradient."""
    at, fixed = call.args[name], call.args[row]
    if fixed is not None:
        fixed = fixed % call.args["weight"].shape[0]
        call.finishes.append(lambda r: texts.choose(texts.eq(at, fixed)[..., None], r.detach(), r))


@rewrite
def drawn(call: Call, seed: str) -> None:
    """A seed from PyTorch's generator, where none is given; nothing is drawn outside of training."""
    if not call.args["training"]:
        call.text, call.attributes = "cast", {"dtype": seed}
        call.args[seed] = call.args["input"].dtype
    elif call.args[seed] is None:
        call.args[seed] = int(torch.randint(2**62, ()))


@rewrite
def to_decimals(call: Call, name: str) -> None:
    """A number is rounded to this many digits behind the point, or before it where they are negative: times a power of ten it
    is rounded to a whole number."""
    digits = call.args[name]
    if digits:
        ten = float(10 ** abs(digits))
        there, back = (texts.mul, texts.div) if digits > 0 else (texts.div, texts.mul)
        call.args["input"] = there(call.args["input"], ten)
        call.finishes.append(lambda r: back(r, ten))


@rewrite
def over_last(call: Call, left: str, right: str) -> None:
    """Rows of one tensor against rows of another; a tensor without dims is a factor of each element."""
    a, b = call.args[left], call.args[right]
    if a.dim() == 0 or b.dim() == 0:
        call.text = "mul"
        return
    lead = (*a.shape[:-1], *b.shape[:-1])
    call.args |= {left: a.reshape(-1, a.shape[-1]), right: b.reshape(-1, b.shape[-1]).t()}
    call.finishes.append(lambda r: r.reshape(lead))
