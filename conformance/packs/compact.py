"""What a case owes, as the arrays that `runner/stored.py` describes and reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from uol.conformance.packs.runner.judge import Owed
from uol.conformance.packs.runner.numbers import Array, decoded, is_float, nearest, spacing
from uol.conformance.packs.runner.stored import ordinals
from uol.ir.program.dtype_encoding import encode


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


def form_of(owed: Owed) -> list[Mapping[str, object]]:
    """What pack.json says of the alternatives."""
    return [{} if b.places is None else {"places": list(b.places.shape), "distinct": b.distinct} for b in owed.alternatives]


def _nearest(owed: Owed) -> Array | None:
    """The golden value in the type; None of what is not of floats, or is lost there."""
    if not is_float(owed.dtype):
        return None
    value = nearest(owed.golden, owed.dtype)
    if (np.isinf(value) & ~np.isinf(owed.golden)).any():
        return None
    return encode(value, owed.dtype)


def _rest(golden: Array, near: Array, dtype: str) -> Array:
    """Rounded towards 0: what is nearest to it stays nearest."""
    with np.errstate(invalid="ignore"):
        left = (golden - near) / spacing(near, dtype)
    left = np.where(np.isfinite(left), left, 0.0)
    found = left.astype(np.float16)
    return np.asarray(np.where(np.abs(found) > np.abs(left), np.nextafter(found, np.float16(0)), found))


def _away(edge: Array, near: Array) -> Array:
    """How many of the type's numbers further up a bound is, in the least type of integers that holds all; -0 is 0."""
    steps = ordinals(edge) - ordinals(near)
    if near.itemsize == 8:  # modulo 2**64, as they are added again
        return steps
    ends = [np.min_scalar_type(-1 - abs(int(end))) for end in (steps.min(initial=0), steps.max(initial=0))]
    return steps.astype(np.result_type(*ends))
