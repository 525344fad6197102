"""Rewrites of functions that count or rank: medians, quantiles, distinct values, histograms, places among edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from uol.ir.errors import ShapeError, TypeCheckError
from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.placing import is_known
from uol.pytorch.signatures.shapes import place
from uol.pytorch.signatures.types import cast

ROUNDED = {"lower": ("floor",), "higher": ("ceil",), "nearest": ("round",), "midpoint": ("floor", "ceil")}
"""Which of two neighbours a quantile is; the middle of both."""


def ranked(rows: Tensor, order: Tensor, ranks: Any) -> tuple[Tensor, Tensor]:
    """The elements of these ranks in each row, and where they stood: NaN, which comes last, where there is one. `order`: the
    row's places in ascending order."""
    chosen = texts.gather(order, ranks)
    if rows.is_floating_point():
        last = order[..., -1:]
        chosen = texts.choose(texts.isnan(texts.gather(rows, last)), last, chosen)
    return texts.gather(rows, chosen), chosen


@rewrite
def middle(call: Call) -> None:
    """The value in the middle of each row, and where it stood; NaN, which comes last, where there is one."""
    x, keep = call.args["input"], call.args["keepdim"]
    dim = place(call.name, call.args["dim"], x.dim())

    def finish(at: Any) -> Any:
        rows, order, half = x.movedim(dim, -1), at.movedim(dim, -1), (x.shape[dim] - 1) // 2
        ranks = torch.full((*order.shape[:-1], 1), half, device=x.device)
        found = tuple(y.movedim(-1, dim) for y in ranked(rows, order, ranks))
        return found if keep else tuple(y.squeeze(dim) for y in found)

    call.finishes.append(finish)


@rewrite
def quantiles(call: Call) -> None:
    """Quantiles are of rows along a dim, or of all elements. Their fractions `q` come first in the result: a number has no dim
    there, and a kept dim stands behind that of several."""
    x, q, dim = call.args["input"], call.args["q"], call.args["dim"]
    keep, rank = call.args["keepdim"], x.dim()
    q = q if isinstance(q, torch.Tensor) else torch.tensor(q, dtype=x.dtype, device=x.device)
    if is_known(q) and not bool(((q >= 0) & (q <= 1)).all()):
        raise ShapeError(f"{call.name}: q is not between 0 and 1", hint="a fraction, or a tensor of them")
    rows = x.reshape(-1) if dim is None or not rank else x.movedim(dim, -1)
    call.args |= {"q": q.reshape(-1), "input": rows}

    def finish(r: Any) -> Any:
        if keep and rank:
            r = r.reshape(-1, *[1] * rank) if dim is None else r.unsqueeze(place(call.name, dim, rank) + 1)
        return r if q.dim() else r[0]

    call.finishes.append(finish)
    if call.args["interpolation"] != "linear":
        call.text, call.tensors = "argsort", ["input"]
        call.finishes.append(lambda order: _between(rows, order, q.reshape(-1), ROUNDED[call.args["interpolation"]]))


def _between(rows: Tensor, order: Tensor, q: Tensor, rounded: Sequence[str]) -> Any:
    """The neighbours to which a quantile's rank is rounded, or the middle of both: [quantiles, ...]."""
    at = texts.mul(q, float(rows.shape[-1] - 1))
    ranks = [cast(getattr(texts, how)(at), torch.int64).expand(*rows.shape[:-1], -1) for how in rounded]
    found = [ranked(rows, order, each)[0].movedim(-1, 0) for each in ranks]
    return found[0] if len(found) == 1 else texts.lerp(found[0], found[1], 0.5)


@rewrite
def distinct(call: Call) -> None:
    """As many values as there are, where each stood, and how often."""
    x = call.args["input"]
    call.args["input"] = x.reshape(-1)

    def finish(found: Any) -> Any:
        values, counts, number = found
        kept = int(number)
        inverse = [_ranks(values[:kept], x)] if call.args["return_inverse"] else []
        results = (values[:kept], *inverse, *([counts[:kept]] if call.args["return_counts"] else []))
        return results[0] if len(results) == 1 else results

    call.finishes.append(finish)


def _ranks(values: Tensor, x: Tensor) -> Any:
    """Which of the values each element is. Every NaN is one of its own, which no comparison finds: its place in order does."""
    if not x.is_floating_point() or not x.numel():
        return texts.searchsorted(values, x)
    order = texts.argsort(x.reshape(-1))
    row = texts.gather(x.reshape(-1), order)
    new = cast(texts.ne(row[1:], row[:-1]), torch.int64)
    ranks = texts.cumsum(texts.concat([torch.zeros_like(order[:1]), new]))
    return texts.index_copy(torch.zeros_like(ranks)[:, None], order, ranks[:, None]).reshape(x.shape)


@rewrite
def counted_at_least(call: Call, name: str, of: str) -> None:
    """As many bins as the largest says, and as are asked for."""
    at = call.args[of]
    call.args[name] = max(call.args[name], int(at.max()) + 1 if at.numel() else 0)


@rewrite
def with_edges(call: Call) -> None:
    """Counts in the type of the input, or sums of weights, beside the edges. `density=True` makes of them a density."""
    x, weight = call.args["input"].reshape(-1), call.args["weight"]
    call.args |= {"input": x, "bins": _edges(call, x)}
    edges = call.args["bins"]
    kind: Any = torch.return_types.histogram
    call.finishes.append(lambda r: kind((r, edges)))
    if call.args["density"]:
        widths = texts.sub(edges[1:], edges[:-1])
        call.finishes.append(lambda r: texts.div(texts.div(r, texts.sum(r)), widths))
    if weight is None:
        call.finishes.append(lambda r: cast(r, x.dtype))
        return
    if weight.numel() != x.numel():
        raise ShapeError(f"{call.name}: weight is {list(weight.shape)}", hint="one for each element of the input")
    last = len(edges) - 1
    reached = texts.searchsorted_right(edges, x)
    own = texts.choose(texts.eq(x, edges[-1:].expand(x.shape)), last - 1, -1)
    call.args |= {"input": texts.choose(texts.eq(reached, last + 1), own, texts.sub(reached, 1)), "weight": weight.reshape(-1)}
    call.text, call.tensors, call.attributes = "weighted_bincount", ["input", "weight"], {"bins": f"{last}"}


def _edges(call: Call, x: Tensor) -> Tensor:
    """The edges that are given; for a number of bins as many of one width, over the range or over what there is, as numpy has
    it."""
    bins, span = call.args["bins"], call.args["range"]
    if isinstance(bins, Tensor):
        if span is not None:
            raise TypeCheckError(f"{call.name}: range beside edges", hint="write a number of bins with range=")
        return bins
    low, high = span or ((float(texts.amin(x)), float(texts.amax(x))) if x.numel() else (0.0, 1.0))
    if not math.isfinite(low) or not math.isfinite(high) or low > high:
        raise ShapeError(
            f"{call.name}: the range is {low} to {high}", hint="finite numbers, the lower first: range=(low, high)"
        )
    if low == high:
        low, high = low - 0.5, high + 0.5
    return torch.linspace(low, high, bins + 1, dtype=x.dtype, device=x.device)


@rewrite
def among_edges(call: Call, edges: str, name: str, right: str) -> None:
    """Edges may be in an order of their own (`sorter=`), and have rows, each for a row of values: then those before a value are
    counted."""
    each, x, sorter = call.args[edges], call.args[name], call.args.get("sorter")
    if sorter is not None:
        each = call.args[edges] = texts.gather(each, sorter)
    if each.dim() == 1:
        return
    if each.shape[:-1] != x.shape[:-1]:
        message = f"{call.name}: {edges} is {list(each.shape)}, {name} {list(x.shape)}"
        raise ShapeError(message, hint="a row of edges, or one for each row of values")
    behind = texts.le if call.args[right] or call.args.get("side") == "right" else texts.lt
    before = behind(each[..., None, :], x[..., None])
    if x.is_floating_point():
        before = texts.logical_or(before, texts.isnan(x)[..., None])
    call.text, call.tensors, call.args[name] = "sum", [name], cast(before, torch.int64)
