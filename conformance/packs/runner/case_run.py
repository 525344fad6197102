"""One case on a card: memory, launches, results, and the time of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from uol.backends.loading.card import Card, Kind
from uol.conformance.packs.runner.contents import BadInputError, Json, Pack
from uol.conformance.packs.runner.judge import Seen, judged
from uol.conformance.packs.runner.numbers import STORAGE, Array
from uol.conformance.packs.runner.stored import owed_by
from uol.conformance.packs.runner.timing import Stopwatch, Times

UNWRITTEN, OTHERWISE = 0xFF, 0x55
"""What results and workspaces are filled with before the first run, NaN in every type of floats, and before the second: what a
kernel leaves unwritten, or reads before it is written, shows in a difference."""
FENCE_BYTES = 256
"""Behind every buffer, of which a kernel may write nothing."""
MOST_SETS = 16
"""Of buffers that take turns while a case is timed, so that none is in a cache when its turn comes."""


@dataclass(slots=True)
class Buffers:
    """The memory of one call: where each tensor and workspace lies, by name."""

    card: Card
    places: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, size_bytes: int) -> None:
        self.places[name] = self.card.allocate(size_bytes + FENCE_BYTES)
        self.sizes[name] = size_bytes
        self.card.fill(self.places[name], UNWRITTEN, size_bytes + FENCE_BYTES)

    def broken(self) -> list[str]:
        """The buffers that were written beyond their ends."""
        found = []
        for name, place in self.places.items():
            fence = np.zeros(FENCE_BYTES, np.uint8)
            self.card.read(place + self.sizes[name], fence)
            if not (fence == UNWRITTEN).all():
                found.append(name)
        return found

    def free(self) -> None:
        while self.places:
            self.card.free(self.places.popitem()[1])


@dataclass(frozen=True, slots=True)
class Ran:
    """What a case gave: the verdict, which binary ran, whether a second run gave the same bits, and the time of a call."""

    seen: Seen
    binary: Kind
    repeatable: bool
    time: Times | None


def run_case(card: Card, pack: Pack, case: Json, stopwatch: Stopwatch | None) -> Ran:
    """Runs a case twice, judges the first run, holds the second against it, and times further ones. Raises CardError where the
    driver does, and leaves what it holds: after that, a process can do no more with the card than end."""
    arrays = pack.arrays(case)
    kind = card.kind_for(pack.fields["architecture"])
    functions = _functions(card, pack, case, kind)
    sets = [_filled(card, case, arrays)]
    call = partial(_launch, card, case, functions, sets[0])
    first, second = (_results(card, case, sets[0], call, held) for held in (UNWRITTEN, OTHERWISE))
    seen = judged(first, owed_by(case["tensors"], arrays))
    if seen.ok and (broken := sets[0].broken()):
        seen = Seen(False, f"written beyond the end of {', '.join(broken)}", seen.elements)
    alike = all(first[name].tobytes() == second[name].tobytes() for name in first)
    if seen.ok and not alike:
        seen = replace(seen, ok=False, reason="a second run, on memory that held something else, gave other bits")
    time = _timed(card, case, arrays, functions, sets, stopwatch) if stopwatch is not None and seen.ok else None
    for each in sets:
        each.free()
    card.unload()
    return Ran(seen, kind, alike, time)


def _functions(card: Card, pack: Pack, case: Json, kind: Kind) -> Mapping[str, object]:
    file = case["binaries"].get(kind)
    if file is None:
        raise BadInputError(f"{case['name']} has no binary for this card")
    shared = {k["symbol"]: k["shared_bytes"] for k in case["kernels"]}
    return card.functions(pack.bytes_of(file), list(shared), shared)


def _filled(card: Card, case: Json, arrays: Mapping[str, Array]) -> Buffers:
    """Memory for all tensors, the inputs in it."""
    buffers = Buffers(card)
    for tensor in case["tensors"]:
        storage = STORAGE[tensor["dtype"]]
        memory = np.frombuffer(bytes([UNWRITTEN]) * span_bytes(tensor), dtype=storage).copy()
        buffers.add(tensor["name"], memory.nbytes)
        if tensor["role"] == "in":
            viewed(memory, tensor)[...] = arrays[f"in.{tensor['name']}"]
            card.write(buffers.places[tensor["name"]], memory)
    buffers.add("", case["workspace_bytes"])
    return buffers


def span_bytes(tensor: Json) -> int:
    """From the first element to the last.

    >>> span_bytes({"shape": [2, 3], "strides": [4, 1], "dtype": "f32"})
    28
    """
    if 0 in tensor["shape"]:
        return 0
    last = sum((size - 1) * stride for size, stride in zip(tensor["shape"], tensor["strides"], strict=True))
    return int(last + 1) * np.dtype(STORAGE[tensor["dtype"]]).itemsize


def viewed(memory: Array, tensor: Json) -> Array:
    """The elements of a tensor in its memory."""
    strides = tuple(stride * memory.itemsize for stride in tensor["strides"])
    return np.lib.stride_tricks.as_strided(memory, tuple(tensor["shape"]), strides)


def _launch(card: Card, case: Json, functions: Mapping[str, object], buffers: Buffers) -> None:
    """All kernels of the operator, in order."""
    places = buffers.places
    values = {**places, **{name: places[""] + offset for name, offset in case["workspaces"].items()}, **case["scalars"]}
    for kernel in case["kernels"]:
        if 0 not in kernel["grid"]:
            given = [(kind, values[name]) for kind, name in kernel["parameters"]]
            card.launch(functions[kernel["symbol"]], kernel["grid"], kernel["block"], kernel["shared_bytes"], given)


def _results(card: Card, case: Json, buffers: Buffers, call: Callable[[], None], held: int) -> dict[str, Array]:
    """The results of one run, on memory every byte of which held the same."""
    results = [tensor for tensor in case["tensors"] if tensor["role"] == "out"]
    for name in ("", *(tensor["name"] for tensor in results)):
        card.fill(buffers.places[name], held, buffers.sizes[name])
    call()
    card.synchronise()
    found = {}
    for tensor in results:
        name, storage = tensor["name"], np.dtype(STORAGE[tensor["dtype"]])
        memory = np.zeros(buffers.sizes[name] // storage.itemsize, storage)
        card.read(buffers.places[name], memory)
        found[name] = viewed(memory, tensor).copy()
    return found


def _timed(
    card: Card,
    case: Json,
    arrays: Mapping[str, Array],
    functions: Mapping[str, object],
    sets: list[Buffers],
    stopwatch: Stopwatch,
) -> Times:
    """The time of a call on sets of buffers that take turns; `sets` has the first, and holds all that are made."""
    size = sum(sets[0].sizes.values()) + 1
    while len(sets) < MOST_SETS and len(sets) * size < 2 * card.cache_bytes:
        sets.append(_filled(card, case, arrays))
    calls: Sequence[Callable[[], None]] = [partial(_launch, card, case, functions, each) for each in sets]
    return stopwatch.times(calls)
