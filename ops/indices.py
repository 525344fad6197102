"""Which inputs of an operator hold indices that must lie inside: `indices.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import DataError


def require_inside(op: str, inputs: Mapping[str, NDArray[Any]]) -> None:
    """Raises DataError where an index of an operator lies outside of the dim that it indexes.

    >>> require_inside("embedding", {"w": np.zeros((3, 2)), "at": np.array([0, 3])})
    Traceback (most recent call last):
    uol.ir.errors.DataError: `embedding`: at[1] = 3 lies outside of dim 0 of w, which is 3
      help: outside of checked mode it reads 0 in silence
    """
    for name, (tensor, dim) in indexed_dims(op).items():
        at, size = inputs[name], inputs[tensor].shape[dim]
        outside = np.argwhere((at < 0) | (at >= size))
        if len(outside):
            place = tuple(int(i) for i in outside[0])
            which = dim % inputs[tensor].ndim
            message = f"`{op}`: {name}{list(place)} = {at[place]} lies outside of dim {which} of {tensor}, which is {size}"
            raise DataError(message, hint="outside of checked mode it reads 0 in silence")


def indexed_dims(op: str) -> Mapping[str, tuple[str, int]]:
    """By input that holds indices: the tensor that it indexes, and the dim."""
    return {name: (tensor, dim) for name, (tensor, dim) in _table().get(op, {}).items()}


@cache
def _table() -> dict[str, dict[str, tuple[str, int]]]:
    return tomllib.loads(files("uol.ops").joinpath("indices.toml").read_text(encoding="utf-8"))
