"""What a kernel moves and issues on a machine with threads: its text is rendered and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from uol.backends.simt.choosing.cache_hits import again_bytes
from uol.backends.simt.choosing.occupancy import resident_blocks
from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.reading.by_block import BlockReading
from uol.backends.simt.reading.counts import Counts, sample, sample_in_order
from uol.backends.simt.reading.lanes import Value
from uol.backends.simt.reading.parse import read_kernels
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.syntax import KernelText
from uol.codegen.backend import Device, Kernel
from uol.codegen.cost import middle
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.work import Issued, compulsory
from uol.ir.integers.intervals import Interval
from uol.ir.types import DTYPES

FEW_BLOCKS, MOST_THREADS = 3, 1 << 16
"""Whose part of a launch is read, at least and at most."""
FEW_TURNS, LEAST_TURNS, MOST_TURNS = 3, 12, 64
"""Of a loop whose turns differ: what shows what it costs to read them, and what is counted, at the least and at the most."""
BLOCKS_KEPT = 64
"""Of a launch, whose sectors are kept until each ends."""
WIDTHS = (32, 64)
"""Lanes of a warp on the machines that there are: most texts are common to them, and are read for all at once."""
KEPT_READINGS = 256
MOST_VISITS = 1 << 15
"""Expressions that a reading may evaluate, a few us each; of loops, fewer turns are read where it would be more."""
EVALUATED = 1 << 24
"""Values, of all threads together, that a reading may cost: some tenths of a second."""
WORKING, TURNS, LONGEST = ("block", "working"), ("block", "turns"), ("block", "longest")
"""The names of counts that data decides: the blocks that do not leave at once; the turns, of all blocks and of the one with the
most, of loops of which some blocks have more turns than others."""
FEW_TIMES = 4
"""Blocks more than are read otherwise, of which all are: where every other one leaves at once, a sample says little."""
MOST_TURNS_OF_DATA = 512
"""The most turns that are read of a loop whose end known data decides. Each is read: a turn that stands for others would not
know the data that it looks up."""


Data = Mapping[str, Sequence[int]]
"""The integers that tensors hold, of those of which they are known, by the names that a spec has for them."""
NO_DATA: Data = {}
Found = Mapping[tuple[str, str], Interval]
"""By kind and name."""


def issued_by(kernel: Kernel, device: Device, lanes: int, dims: Mapping[str, int], data: Data = NO_DATA) -> Issued:
    """The counts of a rendered kernel, on warps of so many lanes, at these sizes of dims that are arguments, and for what is
    known of the data of its tensors."""
    grid, _, _ = kernel.launch.blocks(dims)
    held = _held(kernel, data)
    found = _read(kernel.text, grid, kernel.launch.block[0], _sizes(kernel, dims), held)[lanes] if grid else {}
    must, resident = compulsory(kernel.spec, dims), resident_blocks(kernel, _parsed(kernel.text), device)
    again = 0 if data else _again(kernel, device, found, lanes, dims, resident)
    working = min(grid, round(middle(found[WORKING]))) if WORKING in found else grid
    return Issued(
        must.memory_bytes,
        _total(found, "load"),
        _total(found, "store"),
        _total(found, "scratch"),
        operations=_by_name(found, "operation"),
        primitives=_by_name(found, "primitive"),
        statements=_by_name(found, "statement"),
        accesses=_accesses(kernel, found),
        blocks=grid,
        waves=-(-working // device.cores),
        resident=resident,
        again_bytes=again,
        waits=_waits(found, working),
        launches=1 if grid else 0,
        leaving=grid - working,
        longest=_longest(found),
    )


@lru_cache(maxsize=KEPT_READINGS)
def _read(
    text: str, grid: int, threads: int, sizes: tuple[tuple[int, int], ...], held: tuple[tuple[str, bytes], ...] = ()
) -> Mapping[int, Found]:
    """By the lanes of a warp. As many threads as their number of values allows, by what a first reading has cost. `sizes`: what
    parameters are, by their places; `held`: the integers that tensors hold, by their names in the text."""
    kernel = _parsed(text)
    values: dict[str, Value] = {kernel.parameters[place].name: np.array([[size]], np.int64) for place, size in sizes}
    widths = [width for width in WIDTHS if threads % width == 0]
    data = {name: np.frombuffer(integers, np.int64) for name, integers in held}

    def reading(chosen: Sequence[int], turns: int) -> Reading:
        return Reading(kernel, np.array(chosen, np.int64), grid, threads, widths, turns, dict(values), data)

    def visits(turns: int) -> int:
        first = reading(sample(grid, FEW_BLOCKS), turns)
        first.run()
        return first.visits

    if data:
        number = max(FEW_BLOCKS, MOST_THREADS // threads)
        chosen = sample_in_order(grid, grid if grid <= FEW_TIMES * number else number)
        longest, of_data = _read_alike(reading, chosen)
        one = {LONGEST: Interval(longest, longest)}
        return {width: counts.of_grid(chosen, grid, in_order=True) | one for width, counts in of_data.items()}
    cost = visits(FEW_TURNS)
    chosen = sample(grid, max(FEW_BLOCKS, min(MOST_THREADS, EVALUATED // cost) // threads))
    found = reading(chosen, _turns_read(visits, cost)).run()
    return {width: counts.of_grid(chosen, grid) for width, counts in found.items()}


def _read_alike(reading: Callable[[Sequence[int], int], Reading], chosen: Sequence[int]) -> tuple[int, Mapping[int, Counts]]:
    """The most turns of one, and the counts, of blocks whose loops go on as far as data says: those whose longest loop has
    about as many turns are read together, turn by turn. A first reading finds out how many these are."""
    first = reading(chosen, FEW_TURNS)
    first.run()
    blocks, parts = np.array(chosen), []
    classes = np.ceil(np.log2(np.maximum(first.longest, LEAST_TURNS)))
    for each in np.unique(classes):
        places = np.flatnonzero(classes == each)
        turns = min(int(first.longest[places].max()), MOST_TURNS_OF_DATA)
        parts.append((reading(blocks[places].tolist(), max(turns, MOST_TURNS)).run(), places))
    widths = parts[0][0]
    of_data = {width: Counts.joined([(found[width], places) for found, places in parts], len(blocks)) for width in widths}
    for counts in of_data.values():
        for (kind, name), each in ((WORKING, np.minimum(first.staying, 1)), (TURNS, first.uneven)):
            counts.add(kind, name, (each, each))
    return int(first.uneven.max(initial=0)), of_data


@lru_cache(maxsize=KEPT_READINGS)
def _parsed(text: str) -> KernelText:
    (kernel,) = read_kernels(text)
    return kernel


def _held(kernel: Kernel, data: Data) -> tuple[tuple[str, bytes], ...]:
    """What tensors hold, by their names in the text."""
    if not data:
        return ()
    named = zip(_parsed(kernel.text).parameters, kernel.params, strict=True)
    return tuple((called.name, np.asarray(data[p.name], np.int64).tobytes()) for called, p in named if p.name in data)


def _sizes(kernel: Kernel, dims: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    """What parameters are, by their places."""
    return tuple((place, dims[p.name]) for place, p in enumerate(kernel.params) if p.kind == "dim")


def bytes_by_block(kernel: Kernel, lanes: int, dims: Mapping[str, int]) -> int:
    """Bytes of global memory of a rendered kernel, each sector once for every block that touches it."""
    grid, _, _ = kernel.launch.blocks(dims)
    if not grid:
        return 0
    chosen = sample(grid, BLOCKS_KEPT)
    each = _by_blocks(kernel, lanes, dims, chosen).run_blocks()
    if len(chosen) == grid:
        return int(each.sum())
    return int(each[0] + each[-1] + (grid - 2) * each[1:-1].mean())


def _together(kernel: Kernel, lanes: int, dims: Mapping[str, int]) -> Mapping[str, float]:
    """The same by tensor, as the text calls it, each sector once for neighbouring blocks, which run together."""
    grid, _, _ = kernel.launch.blocks(dims)
    number = min(grid, BLOCKS_KEPT)
    chosen = range((grid - number) // 2, (grid + number) // 2)
    return {t: float(each.mean()) * grid for t, each in _by_blocks(kernel, lanes, dims, chosen).run_tensors(True).items()}


def _by_blocks(kernel: Kernel, lanes: int, dims: Mapping[str, int], chosen: Sequence[int]) -> BlockReading:
    """A reading of some blocks, which is not carried out yet."""
    grid, _, _ = kernel.launch.blocks(dims)
    text, threads = _parsed(kernel.text), kernel.launch.block[0]
    values: dict[str, Value] = {text.parameters[place].name: np.array([[size]]) for place, size in _sizes(kernel, dims)}
    reading = BlockReading(text, np.array(chosen, np.int64), grid, threads, [lanes], MOST_TURNS, values)
    reading.room = _sectors_of(kernel, text, dims)
    return reading


def _again(kernel: Kernel, device: Device, found: Found, lanes: int, dims: Mapping[str, int], resident: int) -> int:
    """Bytes that pass the memory more than once."""
    loaded = {tensor: middle(count) for tensor, count in _by_name(found, "load").items()}
    sectors = _sectors_of(kernel, _parsed(kernel.text), dims)
    return again_bytes(kernel, device, loaded, sectors, lambda: _together(kernel, lanes, dims), resident, dims)


def _sectors_of(kernel: Kernel, text: KernelText, dims: Mapping[str, int]) -> Mapping[str, int]:
    """How many each tensor of a kernel has, by its name in the text."""
    found: dict[str, int] = {}
    args = {arg.name: arg for arg in kernel.spec.args}
    for param, called in zip(kernel.params, text.parameters, strict=False):
        if param.kind == "buffer":
            arg = args[param.name]
            sizes, strides = ([value_at(e, dims) for e in each] for each in (arg.shape, arg.strides))
            last = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
            found[called.name] = -(-(last + 1) * DTYPES[arg.dtype].bytes // SECTOR_BYTES)
    return found


def _turns_read(visits: Callable[[int], int], cost: int) -> int:
    """How many turns of a loop are counted. `visits`: what a reading of so many evaluates, `cost`: one of the fewest. Loops
    within loops cost by their turns to the power of their number; where more turns cost no more, there are no more."""
    turns, more = LEAST_TURNS, visits(LEAST_TURNS)
    while cost < more <= MOST_VISITS and turns < MOST_TURNS:
        cost, more, turns = more, visits(2 * turns), 2 * turns
    if cost == more:
        return MOST_TURNS
    return min(MOST_TURNS, max(LEAST_TURNS, turns // 2 if more > MOST_VISITS else turns))


def _accesses(kernel: Kernel, found: Found) -> dict[tuple[str, int], Interval]:
    """By tensor, as the spec calls it, and bytes of an access."""
    text = _parsed(kernel.text)
    tensors = {name.name: p.name for name, p in zip(text.parameters, kernel.params, strict=True)}
    tensors |= {own.name: tensors[own.within] for own in text.own}
    parts = ((name.split(), count) for name, count in _by_name(found, "access").items())
    return {(tensors[array], int(size)): count for (array, size), count in parts}


def _waits(found: Found, grid: int) -> int:
    """A block waits for memory this often, on an average: once a turn of its loops, and once for what is loaded beside them."""
    count = found.get(("wait", "memory"))
    return 1 if count is None or not grid else 1 + round(middle(count) / grid)


def _longest(found: Found) -> float:
    """The share of all turns that one block has, where data decides how many there are."""
    turns = middle(found.get(TURNS, Interval(0, 0)))
    return middle(found[LONGEST]) / turns if turns else 0.0


def _by_name(found: Found, kind: str) -> dict[str, Interval]:
    return {name: count for (of, name), count in sorted(found.items()) if of == kind}


def _total(found: Found, kind: str) -> Interval:
    return sum(_by_name(found, kind).values(), Interval(0, 0))
