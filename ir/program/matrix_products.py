"""Sums of a product of two factors as matrix products, so that the golden value of a real layer takes a moment.

Each factor is evaluated over its own indices only (for a convolution: image to columns), then one batched product of
float64 matrices sums over what both share.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.ir.program.nodes import Call, Expr, Reduce
from uol.ir.types import is_float

Array = NDArray[Any]


def factors(reduce: Reduce) -> tuple[Expr, Expr] | None:
    """The two factors of an unmasked float sum of a product; None for anything else."""
    if reduce.op != "sum" or reduce.where or not is_float(reduce.dtype):
        return None
    match reduce.body:
        case Call(fn="*", args=(a, b)):
            return a, b
    return None


def contract(a: Array, b: Array, shape: tuple[int, ...], kept: int) -> Array | None:
    """sum over the dimensions `kept` and beyond of a * b; both broadcast to `shape`, size 1 where they do not vary. None
    where a factor would be summed on its own and one is not finite: sum(a) * b is inf where a sum of a * b is NaN."""
    rank = len(shape)
    a, b = (x.reshape((1,) * (rank - x.ndim) + x.shape) for x in (a, b))
    varies = [(a.shape[n] > 1, b.shape[n] > 1) for n in range(rank)]
    apart = any(v != (True, True) for v in varies[kept:])
    if apart and not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    batch = [n for n in range(kept) if varies[n] == (True, True)]
    rows = [n for n in range(kept) if varies[n] == (True, False)]
    columns = [n for n in range(kept) if varies[n] == (False, True)]
    inner = [n for n in range(kept, rank) if varies[n] == (True, True)]
    a = _sum_alone(a, [n for n in range(kept, rank) if varies[n] == (True, False)])
    b = _sum_alone(b, [n for n in range(kept, rank) if varies[n] == (False, True)])
    nowhere = prod(shape[n] for n in range(kept, rank) if varies[n] == (False, False))
    left = _matrix(a, batch, rows, inner)
    right = _matrix(b, batch, columns, inner)
    product = left @ right.swapaxes(-1, -2) * float(nowhere)
    order = batch + rows + columns
    sizes = [a.shape[n] if n in batch or n in rows else b.shape[n] for n in order]
    out = product.reshape(sizes).transpose(sorted(range(len(order)), key=order.__getitem__))
    full = [1] * kept
    for n in order:
        full[n] = a.shape[n] if n not in columns else b.shape[n]
    return np.asarray(out.reshape(full))


def _sum_alone(x: Array, dims: list[int]) -> Array:
    """Sums over the dimensions that only this factor varies along."""
    return np.asarray(x.sum(tuple(dims), keepdims=True)) if dims else x


def _matrix(x: Array, batch: list[int], outer: list[int], inner: list[int]) -> Array:
    """[batch, outer, inner], each flattened."""
    rest = [n for n in range(x.ndim) if n not in batch + outer + inner]
    sizes = [prod(x.shape[n] for n in group) for group in (batch, outer, inner)]
    return x.transpose(batch + outer + inner + rest).reshape(sizes)
