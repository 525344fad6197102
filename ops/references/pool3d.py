"""Pooling in three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uol.ops.references.pool import avg_pool, max_pool

REFERENCES: Mapping[str, Callable[..., object]] = {
    "max_pool3d": max_pool(3),
    "avg_pool3d": avg_pool(3),
    "global_avg_pool3d": lambda x: x.mean((2, 3, 4)),
}
