"""What a case owes as it lies in a pack, small: of a result of floats its golden value as the type's nearest number and what
that leaves of it, bounds as how many numbers they are away from there.

    golden.NAME    the golden value; of floats the nearest number of the type, as a buffer holds it
    rest.NAME      of floats, what is left in units in the last place, as f16: errors are told by it, no verdict rests on it
    low0.NAME, high0.NAME    the bounds; of floats as a distance from the nearest number, by count of the type's numbers
    places0.NAME   as bits, the candidates that are admitted

Where the golden value is finite and beyond the type's numbers, all is stored as it is, the value as f64, without `rest`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from uol.conformance.packs.runner.judge import Bounds, Owed
from uol.conformance.packs.runner.numbers import STORAGE, Array, decoded, is_float, nearest, spacing

Json = Mapping[str, Any]


def stored(owed: Owed) -> Iterator[tuple[str, Array]]:
    """The arrays of a result, by name."""
    near = _nearest(owed)
    if near is None:
        yield f"golden.{owed.name}", owed.golden
    else:
        yield f"golden.{owed.name}", near
        yield f"rest.{owed.name}", _rest(owed.golden, decoded(near, owed.dtype), owed.dtype)
    for number, bounds in enumerate(owed.alternatives):
        if bounds.places is not None:
            yield f"places{number}.{owed.name}", np.packbits(bounds.places)
        elif bounds.low is not None and bounds.high is not None:
            for end, edge in (("low", bounds.low), ("high", bounds.high)):
                yield f"{end}{number}.{owed.name}", edge if near is None else _away(edge, near)


def form_of(owed: Owed) -> list[Json]:
    """What pack.json says of the alternatives."""
    return [{} if b.places is None else {"places": list(b.places.shape), "distinct": b.distinct} for b in owed.alternatives]


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


def _nearest(owed: Owed) -> Array | None:
    """The golden value in the type; None of what is not of floats, or is lost there."""
    if not is_float(owed.dtype):
        return None
    value = nearest(owed.golden, owed.dtype)
    if (np.isinf(value) & ~np.isinf(owed.golden)).any():
        return None
    if owed.dtype != "bf16":
        return np.asarray(value, STORAGE[owed.dtype])
    return np.asarray(value.astype(np.float32).view(np.uint32) >> np.uint32(16), np.uint16)


def _rest(golden: Array, near: Array, dtype: str) -> Array:
    """Rounded towards 0: what is nearest to it stays nearest."""
    with np.errstate(invalid="ignore"):
        left = (golden - near) / spacing(near, dtype)
    left = np.where(np.isfinite(left), left, 0.0)
    found = left.astype(np.float16)
    return np.asarray(np.where(np.abs(found) > np.abs(left), np.nextafter(found, np.float16(0)), found))


def _away(edge: Array, near: Array) -> Array:
    """How many of the type's numbers further up a bound is, in the least type of integers that holds all; -0 is 0."""
    steps = _ordinals(edge) - _ordinals(near)
    if near.itemsize == 8:  # modulo 2**64, as they are added again
        return steps
    ends = [np.min_scalar_type(-1 - abs(int(end))) for end in (steps.min(initial=0), steps.max(initial=0))]
    return steps.astype(np.result_type(*ends))


def _back(steps: Array, near: Array) -> Array:
    ordinals = _ordinals(near) + steps.astype(np.int64)
    signed = np.dtype(f"i{near.itemsize}")
    return np.asarray(_folded(ordinals, signed).astype(signed).view(near.dtype))


def _ordinals(array: Array) -> Array:
    """Of a type's numbers, as a buffer holds them, int64 in their order: neighbours are one apart."""
    signed = np.dtype(f"i{array.itemsize}")
    bits = np.ascontiguousarray(array).view(signed).reshape(array.shape).astype(np.int64)
    return _folded(bits, signed)


def _folded(bits: Array, signed: np.dtype[Any]) -> Array:
    """Of floats' bits, a sign and a magnitude, the ordinals; and back."""
    with np.errstate(over="ignore"):  # of those that are not taken
        return np.asarray(np.where(bits < 0, np.iinfo(signed).min - bits, bits))
