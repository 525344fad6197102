"""Scatter into few places: a block adds up in shared memory, and at its end to the tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of, typical
from uol.backends.simt.c_text.printer import Printer, literal
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.elements.map_plan import COUNTERS, one_element
from uol.backends.simt.schedules import THREADS, Bins
from uol.codegen.backend import Device, Launch
from uol.codegen.indexing.arithmetic import mul, product, size, static
from uol.codegen.specs.nodes import Scatter
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
    is what a place begins at."""

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


def places_of(spec: Scatter) -> int | None:
    """How many a block may have, where the tensor has no more and there are points enough; else None."""
    shape = next(arg.shape for arg in spec.args if arg.name == spec.add.tensor)
    found = static(product(shape))
    if not found or found * DTYPES[spec.add.dtype].bytes > MOST_BYTES:
        return None
    return found if typical(size(spec.index), spec.where) >= LEAST_POINTS * found else None


def bins_bytes(spec: Scatter) -> int:
    """Shared memory of a block."""
    return (places_of(spec) or 0) * DTYPES[spec.add.dtype].bytes


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
    names = legalise(spec, [BINS, "slot", "first"])
    free = [c for c in COUNTERS if c not in names.all()] or COUNTERS[-1:]
    counter = Counter.over(spec.index, f"${free[0]}")
    printer = counter.known(Printer(names, Proofs.of(spec), index.ctype))
    own = replace(printer, names=replace(printer.names, tensors={**printer.names.tensors, spec.add.tensor: BINS}))
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
    )
