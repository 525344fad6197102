"""Cases of real size: inputs that a kernel draws on the card from a seed, results that are judged at a sample of places.

    draws       of the case, by input: the kernel, its launch, its scalars
    at.NAME, drawn.NAME       places of an input, and the values that are drawn there
    sampleD.NAME              the indices along dim D of a result at which it is judged
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from uol.backends.loading.card import Card, Kind
from uol.conformance.packs.runner.buffers import Buffers
from uol.conformance.packs.runner.contents import BadInputError, Json, Pack
from uol.conformance.packs.runner.numbers import STORAGE, Array, decoded

DRAWN = "x"
"""The parameter that a kernel which draws writes."""


def draw(card: Card, pack: Pack, case: Json, kind: Kind, buffers: Buffers) -> None:
    """Fills the inputs of a case that are drawn."""
    for name, launch in case["draws"].items():
        file = launch["binaries"].get(kind)
        if file is None:
            raise BadInputError(f"{case['name']} has no binary for this card that draws {name}")
        symbol, shared = launch["symbol"], launch["shared_bytes"]
        values = {**launch["values"], DRAWN: buffers.places[name]}
        given = [(parameter, values[own]) for parameter, own in launch["parameters"]]
        function = card.functions(pack.bytes_of(file), [symbol], {symbol: shared})[symbol]
        if 0 not in launch["grid"]:
            card.launch(function, launch["grid"], launch["block"], shared, given)
    card.synchronise()


def not_as_drawn(card: Card, case: Json, arrays: Mapping[str, Array], buffers: Buffers) -> str:
    """Which input holds another value than the pack says, at the places whose values travel; nothing where none does."""
    for tensor in case["tensors"]:
        name, storage = tensor["name"], np.dtype(STORAGE[tensor["dtype"]])
        if name not in case["draws"]:
            continue
        found = np.zeros(1, storage)
        for at, value in zip(arrays[f"at.{name}"], arrays[f"drawn.{name}"], strict=True):
            card.read(buffers.places[name] + int(at) * storage.itemsize, found)
            if found.tobytes() != value.tobytes():
                had, owed = (decoded(np.atleast_1d(each), tensor["dtype"])[0] for each in (found, value))
                return f"{name} was not drawn as the pack says: element {int(at)} is {had!s}, not {owed!s}"
    return ""


def sampled(results: Mapping[str, Array], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """What is judged of each result: all of it, or the elements at the indices of its sample."""
    found = {}
    for name, result in results.items():
        indices = [arrays.get(f"sample{number}.{name}") for number in range(result.ndim)]
        known = [index for index in indices if index is not None]
        found[name] = result[np.ix_(*known)] if known and len(known) == result.ndim else result
    return found
