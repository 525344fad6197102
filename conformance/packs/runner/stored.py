"""What a case owes as it lies in a pack, small: of a result of floats its golden value as the type's nearest number and what
that leaves of it, bounds as how many numbers they are away from there.

    golden.NAME    the golden value; of floats the nearest number of the type, as a buffer holds it
    rest.NAME      of floats, what is left in units in the last place, as f16: errors are told by it, no verdict rests on it
    low0.NAME, high0.NAME    the bounds; of floats as a distance from the nearest number, by count of the type's numbers
    places0.NAME   as bits, the candidates that are admitted

Where the golden value is finite and beyond the type's numbers, all is stored as it is, the value as f64, without `rest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from uol.conformance.packs.runner.judge import Bounds, Owed
from uol.conformance.packs.runner.numbers import Array, decoded, spacing

Json = Mapping[str, Any]


def owed_by(tensors: Sequence[Json], arrays: Mapping[str, Array]) -> list[Owed]:
    """What each result of a case is judged by."""
    return [_owed(tensor, arrays) for tensor in tensors if tensor["role"] == "out"]


def _owed(tensor: Json, arrays: Mapping[str, Array]) -> Owed:
    name, dtype = tensor["name"], tensor["dtype"]
    golden, rest, near = arrays[f"golden.{name}"], arrays.get(f"rest.{name}"), None
    if rest is not None:
        near = golden
        value = decoded(near, dtype)
        golden = np.where(rest == 0, value, value + rest.astype(np.float64) * spacing(value, dtype))
    each = [_bounds(name, number, form, arrays, near) for number, form in enumerate(tensor["owed"])]
    return Owed(name, dtype, golden, each)


def _bounds(name: str, number: int, form: Json, arrays: Mapping[str, Array], near: Array | None) -> Bounds:
    if "places" in form:
        bits = np.unpackbits(arrays[f"places{number}.{name}"], count=prod(form["places"]))
        return Bounds(places=bits.astype(bool).reshape(form["places"]), distinct=form["distinct"])
    low, high = arrays[f"low{number}.{name}"], arrays[f"high{number}.{name}"]
    return Bounds(low, high) if near is None else Bounds(_back(low, near), _back(high, near))


def _back(steps: Array, near: Array) -> Array:
    signed = np.dtype(f"i{near.itemsize}")
    moved = ordinals(near) + steps.astype(np.int64)
    return np.asarray(_folded(moved, signed).astype(signed).view(near.dtype))


def ordinals(array: Array) -> Array:
    """Of a type's numbers, as a buffer holds them, int64 in their order: neighbours are one apart."""
    signed = np.dtype(f"i{array.itemsize}")
    bits = np.ascontiguousarray(array).view(signed).reshape(array.shape).astype(np.int64)
    return _folded(bits, signed)


def _folded(bits: Array, signed: np.dtype[Any]) -> Array:
    """Of floats' bits, a sign and a magnitude, the ordinals; and back."""
    with np.errstate(over="ignore"):  # of those that are not taken
        return np.asarray(np.where(bits < 0, np.iinfo(signed).min - bits, bits))
