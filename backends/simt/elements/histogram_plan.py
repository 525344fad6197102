"""Scatter into few places: a block adds up in shared memory, and at its end to the tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of, typical
from uol.backends.simt.c_text.printer import Printer, literal
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.elements.map_plan import COUNTERS, one_element
from uol.backends.simt.elements.schedule import Bins
from uol.backends.simt.machine.limits import THREADS
from uol.codegen.backend import Device, Launch
from uol.codegen.indexing.arithmetic import ONE, mul, product, size, static
from uol.codegen.specs.nodes import Arg, Scatter
from uol.codegen.specs.traverse import searched
from uol.ir.program.nodes import Const, zero_of
from uol.ir.types import DTYPES

BINS = "bins"
MOST_BYTES = 1 << 13
"""Of a block's places: as many blocks fit a core as without them."""
LEAST_POINTS = 16
"""For every place: fewer additions meet seldom, and a block adds all its places to the tensor."""
BLOCKS_A_CORE = 8


@dataclass(frozen=True, slots=True)
class HistogramPlan:
    """What `histogram.j2` reads. `body` are the statements of a point, of which a block has those from `first` to `end`; `zero`
    is what a place begins at; `keys` come to shared memory first."""

    template: ClassVar[str] = "histogram.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    ctype: str
    places: int
    zero: str
    counter: str
    first: str
    end: str
    body: tuple[str, ...]
    tensor: str
    keys: tuple[Keys, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """A tensor of `count` elements that points look for a value in, and the array where a block has all of it: every step of a
    search is an access somewhere, which shared memory answers for many lanes at once."""

    tensor: str
    array: str
    ctype: str
    count: int


def places_of(spec: Scatter) -> int | None:
    """How many a block may have, where the tensor has no more and there are points enough; else None."""
    shape = next(arg.shape for arg in spec.args if arg.name == spec.add.tensor)
    found = static(product(shape))
    if not found or found * DTYPES[spec.add.dtype].bytes > MOST_BYTES:
        return None
    return found if typical(size(spec.index), spec.where) >= LEAST_POINTS * found else None


def bins_bytes(spec: Scatter) -> int:
    """Shared memory of a block."""
    return _places_bytes(spec) + sum(_bytes(arg) for arg in keys_at_hand(spec))


def _places_bytes(spec: Scatter) -> int:
    return (places_of(spec) or 0) * DTYPES[spec.add.dtype].bytes


def keys_at_hand(spec: Scatter) -> tuple[Arg, ...]:
    """The tensors that points look for values in, as many as a block has room for beside its places: all that is read of them
    is in its copy."""
    found: list[Arg] = []
    left = MOST_BYTES - _places_bytes(spec)
    for search in dict.fromkeys(searched(spec)):
        arg = spec.arg(search.tensor)
        if arg.strides == (ONE,) and arg not in found and 0 < _bytes(arg) <= left:
            found.append(arg)
            left -= _bytes(arg)
    return tuple(found)


def _bytes(arg: Arg) -> int:
    """0 where the size is an argument."""
    return (static(product(arg.shape)) or 0) * DTYPES[arg.dtype].bytes


def bins(spec: Scatter, device: Device) -> Bins:
    """Some blocks for every core, of which each has at least a point a place."""
    points, places = typical(size(spec.index), spec.where), places_of(spec) or 1
    turns = max(points // (THREADS * BLOCKS_A_CORE * device.cores), -(-places // THREADS), 1)
    return Bins(THREADS, turns)


def plan_histogram(spec: Scatter, schedule: Bins) -> HistogramPlan:
    """The kernel of a Scatter into few places."""
    threads, count, of_block = schedule.threads, size(spec.index), schedule.threads * schedule.turns
    blocks, end = parts_of(count, of_block), f"first + {of_block}"
    index = index_type(spec, [mul(blocks, Const(of_block))], data_apart=True)
    at_hand = keys_at_hand(spec)
    arrays = {arg.name: f"${arg.name}_keys" for arg in at_hand}
    names = legalise(spec, [BINS, "slot", "first"]).with_locals(arrays.values())
    free = [c for c in COUNTERS if c not in names.all()] or COUNTERS[-1:]
    counter = Counter.over(spec.index, f"${free[0]}")
    printer = counter.known(Printer(names, Proofs.of(spec), index.ctype))
    here = {spec.add.tensor: BINS} | {tensor: names.variables[array] for tensor, array in arrays.items()}
    own = replace(printer, names=replace(printer.names, tensors={**printer.names.tensors, **here}))
    places = places_of(spec) or 0
    return HistogramPlan(
        title=f"{printer.value(count)} points into {places} places, {schedule.turns} a thread",
        signature=signature(spec, kernel_symbol(spec), names, threads, index),
        launch=Launch((as_count(blocks), 1, 1), (threads, 1, 1)),
        index_type=index.ctype,
        ctype=STORAGE[spec.add.dtype],
        places=places,
        zero=literal(zero_of(spec.add.dtype)),
        counter=printer.names.variable(counter.name),
        first=f"{index.cast}blockIdx.x * {of_block}",
        end=end if is_multiple(count, of_block) else f"uol::min({end}, {printer.argument(count)})",
        body=tuple(one_element(spec, counter, own)),
        tensor=printer.names.tensor(spec.add.tensor),
        keys=tuple(
            Keys(printer.names.tensor(arg.name), here[arg.name], STORAGE[arg.dtype], static(product(arg.shape)) or 0)
            for arg in at_hand
        ),
    )
