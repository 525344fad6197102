"""One case on a card: memory, launches, results, and the time of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from uol.backends.loading.card import Card, Kind
from uol.conformance.packs.runner.buffers import UNWRITTEN, Buffers, span_bytes, viewed
from uol.conformance.packs.runner.contents import BadInputError, Json, Pack
from uol.conformance.packs.runner.drawn import draw, not_as_drawn, sampled
from uol.conformance.packs.runner.judge import Seen, judged
from uol.conformance.packs.runner.numbers import STORAGE, Array
from uol.conformance.packs.runner.stored import owed_by
from uol.conformance.packs.runner.turns import Timed

OTHERWISE = 0x55
"""What results and workspaces are filled with before the second run, `UNWRITTEN` before the first: what a kernel leaves
unwritten, or reads before it is written, shows in a difference."""
MOST_SETS = 16
"""Of buffers that take turns while a case is timed, so that none is in a cache when its turn comes."""

Calls = Sequence[Callable[[], None]]
Timer = Callable[[Json, Callable[[], Mapping[str, Array]], Calls], Timed]
"""Times calls of a case that do the same on memory of their own; the second argument gives the arrays of its inputs."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a case gave: the verdict, which binary ran, whether a second run gave the same bits, and the time of a call."""

    seen: Seen
    binary: Kind
    repeatable: bool
    timed: Timed | None


@dataclass(frozen=True, slots=True)
class _Case:
    """A case on a card: its kernels, its arrays, and what draws the inputs that have none."""

    card: Card
    pack: Pack
    entry: Json
    kind: Kind
    arrays: Mapping[str, Array]
    functions: Mapping[str, object]

    def filled(self) -> Buffers:
        """Memory for all tensors, the inputs in it."""
        buffers = _filled(self.card, self.entry, self.arrays)
        draw(self.card, self.pack, self.entry, self.kind, buffers)
        return buffers

    def inputs(self, buffers: Buffers) -> dict[str, Array]:
        """All arrays of the case, those of inputs that were drawn read back."""
        drawn = [tensor for tensor in self.entry["tensors"] if tensor["name"] in self.entry["draws"]]
        return {**self.arrays, **{f"in.{tensor['name']}": buffers.read(tensor) for tensor in drawn}}


def run_case(card: Card, pack: Pack, entry: Json, timer: Timer | None) -> Ran:
    """Runs a case twice, judges the first run, holds the second against it, and times further ones. Raises CardError where the
    driver does, and leaves what it holds: after that, a process can do no more with the card than end."""
    kind = card.kind_for(pack.fields["architecture"])
    case = _Case(card, pack, entry, kind, pack.arrays(entry), _functions(card, pack, entry, kind))
    sets = [case.filled()]
    if said := not_as_drawn(card, entry, case.arrays, sets[0]):
        seen, alike = Seen(False, said, 0), False
    else:
        seen, alike = _judged(case, sets[0])
    timed = _timed(case, sets, timer) if timer is not None and seen.ok else None
    for each in sets:
        each.free()
    card.unload()
    return Ran(seen, kind, alike, timed)


def _judged(case: _Case, buffers: Buffers) -> tuple[Seen, bool]:
    """The verdict on a run, and whether a second one gave the same bits."""
    call = partial(_launch, case.card, case.entry, case.functions, buffers)
    first, second = (_results(case.card, case.entry, buffers, call, held) for held in (UNWRITTEN, OTHERWISE))
    seen = judged(sampled(first, case.arrays), owed_by(case.entry["tensors"], case.arrays))
    if seen.ok and (broken := buffers.broken()):
        seen = Seen(False, f"written beyond the end of {', '.join(broken)}", seen.elements)
    alike = all(first[name].tobytes() == second[name].tobytes() for name in first)
    if seen.ok and not alike:
        seen = replace(seen, ok=False, reason="a second run, on memory that held something else, gave other bits")
    return seen, alike


def _functions(card: Card, pack: Pack, case: Json, kind: Kind) -> Mapping[str, object]:
    file = case["binaries"].get(kind)
    if file is None:
        raise BadInputError(f"{case['name']} has no binary for this card")
    shared = {k["symbol"]: k["shared_bytes"] for k in case["kernels"]}
    return card.functions(pack.bytes_of(file), list(shared), shared)


def _filled(card: Card, case: Json, arrays: Mapping[str, Array]) -> Buffers:
    """Memory for all tensors, the inputs that travel in it."""
    buffers = Buffers(card)
    for tensor in case["tensors"]:
        if tensor["name"] in case["draws"]:
            buffers.add(tensor["name"], span_bytes(tensor))
            continue
        storage = STORAGE[tensor["dtype"]]
        memory = np.frombuffer(bytes([UNWRITTEN]) * span_bytes(tensor), dtype=storage).copy()
        buffers.add(tensor["name"], memory.nbytes)
        if tensor["role"] == "in":
            viewed(memory, tensor)[...] = arrays[f"in.{tensor['name']}"]
            card.write(buffers.places[tensor["name"]], memory)
    buffers.add("", case["workspace_bytes"])
    return buffers


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
    return {tensor["name"]: buffers.read(tensor) for tensor in results}


def _timed(case: _Case, sets: list[Buffers], timer: Timer) -> Timed:
    """The time of a call on sets of buffers that take turns; `sets` has the first, and holds all that are made."""
    size = sum(sets[0].sizes.values()) + 1
    while len(sets) < MOST_SETS and len(sets) * size < 2 * case.card.cache_bytes:
        sets.append(case.filled())
    calls = [partial(_launch, case.card, case.entry, case.functions, each) for each in sets]
    return timer(case.entry, partial(case.inputs, sets[0]), calls)
