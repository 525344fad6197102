"""`embedding_bag`: rows of a table that are added up, bag by bag."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from uol.ir.errors import ShapeError
from uol.ops import text as texts
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.types import cast


@rewrite
def bags(call: Call) -> None:
    """Bags are rows of a matrix of places; those of a list, which begin at `offsets=`, are as long as the longest. What a bag
    lacks and what `padding_idx=` names counts nothing."""
    at, weights, mode = call.args["input"], call.args["per_sample_weights"], call.args["mode"]
    table, padding = call.args["weight"], call.args["padding_idx"]
    if weights is not None and (mode != "sum" or weights.shape != at.shape):
        message = f"{call.name}: per_sample_weights with mode={mode!r}, {list(weights.shape)}"
        raise ShapeError(message, hint="mode='sum', and a weight for each place")
    counts = None
    if at.dim() == 1:
        at, counts, weights = _bagged(call, at, weights)
    if padding is not None:
        kept = texts.ne(at, padding % table.shape[0])
        counts = kept if counts is None else texts.logical_and(counts, kept)
    call.args["input"] = at
    if counts is None and weights is None and mode != "max":
        if mode == "mean" and at.shape[-1]:
            call.finishes.append(lambda r: texts.div(r, float(at.shape[-1])))
        return
    call.text = "embedding"
    call.finishes.append(lambda rows: _together(rows, counts, weights, mode))


def _bagged(call: Call, at: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Places by bags, which of them there are, and their weights."""
    if call.args["offsets"] is None:
        raise ShapeError(f"{call.name}: input has one dim, and there are no offsets", hint="offsets= says where bags begin")
    first = cast(call.args["offsets"], torch.int64)
    ends = first.new_full((1,), len(at))
    ends = first[1:] if call.args["include_last_offset"] else texts.concat([first[1:], ends])
    first = first[: len(ends)]
    size = int(texts.amax(texts.sub(ends, first))) if len(ends) else 0
    places = texts.add(first[:, None], torch.arange(size, device=at.device))
    within = texts.lt(places, ends[:, None])
    places = texts.choose(within, places, 0)
    own = None if weights is None else texts.take(weights, places)
    return texts.take(at, places), within, own


def _together(rows: Tensor, counts: Tensor | None, weights: Tensor | None, mode: str) -> Any:
    """Rows [bags, places, width] by bags."""
    if weights is not None:
        rows = texts.mul(rows, weights[..., None])
    if mode == "max":
        return _largest(rows, counts)
    if counts is None:
        return texts.sum(rows, dim=1)
    total = texts.sum(texts.choose(counts[..., None], rows, 0), dim=1)
    if mode == "sum":
        return total
    many = texts.maximum(texts.sum(cast(counts, rows.dtype), dim=1), 1)
    return texts.div(total, many[:, None])


def _largest(rows: Tensor, counts: Tensor | None) -> Any:
    """The first of the largest; 0 of a bag without places."""
    if not rows.shape[1]:
        return rows.new_zeros(rows.shape[0], rows.shape[2])
    if counts is None:
        return texts.max_with_index(rows, dim=1)[0]
    largest = texts.max_with_index(texts.choose(counts[..., None], rows, -torch.inf), dim=1)[0]
    return texts.choose(texts.any(counts, dim=1)[:, None], largest, 0)
