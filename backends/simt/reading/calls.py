"""What the calls of the device header issue: folds over threads, barriers, a search among keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from uol.backends.simt.c_text.types import STORAGE_BYTES
from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.reading.counts import Counts, Ends
from uol.backends.simt.reading.lanes import Active, Value, lanes_of, range_of
from uol.backends.simt.reading.lookups import found_by, most_sectors
from uol.backends.simt.reading.syntax import Name, Operation, walk
from uol.backends.simt.reading.units import class_of, members, type_of
from uol.ir.integers.intervals import EVERYTHING, Interval


@dataclass(slots=True)
class Reader:
    """Where counts on warps of `width` lanes go, and what they depend on: the threads of a block, the types of names, which of
    them are tensors, and which of these hold indices and are not written (`places`)."""

    width: int
    threads: int
    types: Mapping[str, str]
    tensors: frozenset[str]
    places: frozenset[str]
    counts: Counts = field(default_factory=Counts)

    def apart(self) -> Reader:
        """The same with counts of its own."""
        return replace(self, counts=Counts())


def issue(call: Operation, args: tuple[Value, ...], active: Active, reader: Reader) -> Value | None:
    """Counts what a call of the header issues, and gives what is known of its value; None where it is an operation only."""
    if call.fn in ("is_aligned", "are_finite"):  # tensors that begin elsewhere, and sums of what is infinite, are not counted
        return np.array([[1]], np.int64)
    if call.fn == "uniform":
        return args[0]
    if call.fn == "__syncthreads":
        _barriers(1, active, reader)
        return EVERYTHING
    if call.fn.startswith("block_scan") or call.fn == "block_recurrence":
        _block_scan(call, active, reader)
        return EVERYTHING
    if call.fn == "block_merge":
        _block_merge(call, args, active, reader)
        return EVERYTHING
    if call.fn.startswith("block_"):
        _block_fold(call, active, reader)
        if call.fn not in FOLDS or not isinstance(args[0], np.ndarray):
            return EVERYTHING
        of_threads = np.broadcast_to(args[0], active.maybe.shape)
        return np.asarray(FOLDS[call.fn](of_threads, axis=-1, keepdims=True), np.int64)
    if call.fn == "take_place":
        _shuffles(replace(call, args=call.args[1:]), int(call.parameters[0]) - 1, active, reader)
        least, most = times(bytes_of("int"), active.lanes)  # of lanes that are valid; one of those with a slot stores
        reader.counts.add("scratch", "load", (0 * least, most))
        reader.counts.add("scratch", "store", (0 * least, most))
        return EVERYTHING
    if call.fn == "group_fold":
        _shuffles(call, int(call.parameters[0]).bit_length() - 1, active, reader)
        return EVERYTHING
    if call.fn == "strided_fold":
        _shuffles(call, (reader.width // int(call.parameters[0])).bit_length() - 1, active, reader)
        return EVERYTHING
    return None


def _barriers(number: int, active: Active, reader: Reader) -> None:
    reader.counts.add("primitive", "barrier", times(number, active.blocks))


def _shuffles(call: Operation, steps: int, active: Active, reader: Reader) -> None:
    """A pick is two values; each step of a fold computes once."""
    parts = members(type_of(call.args[0], reader.types))
    values = 2 if "arg" in call.fn else len(parts)
    reader.counts.add("primitive", "shuffle", times(steps * values, active.warps(reader.width)))
    unit = class_of(parts[0])
    reader.counts.add("operation", unit, times(steps * reader.width, active.warps(reader.width)))


def _block_fold(call: Operation, active: Active, reader: Reader) -> None:
    """By shuffles within warps; then one thread of each warp writes, and all read the values of all warps."""
    _shuffles(call, reader.width.bit_length() - 1, active, reader)
    warps = reader.threads // reader.width
    if warps == 1:
        return
    dtypes = [type_of(a, reader.types) for a in (call.args[:2] if "arg" in call.fn else call.args[:1])]
    size = sum(bytes_of(d) for d in dtypes)
    reader.counts.add("scratch", "store", times(size, active.warps(reader.width)))
    reader.counts.add("scratch", "load", times(warps * size, active.lanes))
    unit = class_of(dtypes[0])
    reader.counts.add("operation", unit, times((warps - 1) * reader.width, active.warps(reader.width)))
    _barriers(2, active, reader)


def _block_scan(call: Operation, active: Active, reader: Reader) -> None:
    """By shuffles within warps; then the last lane of each writes, and all go over the values of all warps."""
    width, dtype = reader.width, type_of(call.args[0], reader.types)
    parts = members(dtype)
    warps, active_warps = reader.threads // width, active.warps(width)
    steps, further = width.bit_length() - 1, int(call.fn != "block_scan")
    reader.counts.add("primitive", "shuffle", times((steps + further) * len(parts), active_warps))
    reader.counts.add("operation", class_of(parts[0]), times((steps + warps + 1) * width, active_warps))
    size = sum(map(bytes_of, parts))
    reader.counts.add("scratch", "store", times(size, active_warps))
    reader.counts.add("scratch", "load", times(warps * size, active.lanes))
    _barriers(2, active, reader)


def _block_merge(call: Operation, args: tuple[Value, ...], active: Active, reader: Reader) -> None:
    """Every element of the runs is read once and written once, but for what is not kept; besides, it is searched for in the
    other run. All of it is one statement: a warp moves a sector once at least, one for every lane and step at most."""
    runs, length, kept = (range_of(value).high or 0 for value in args[2:5])
    steps, most_kept = length.bit_length() + 1, -(-runs // 2) * min(kept, 2 * length)
    least, most = active.blocks
    for tensor in call.args[:2]:
        assert isinstance(tensor, Name)
        size = bytes_of(reader.types[tensor.name])
        reader.counts.add("load", tensor.name, (least * runs * length * size, most * runs * length * steps * SECTOR_BYTES))
        reader.counts.add("store", tensor.name, (least * most_kept * size, most * most_kept * SECTOR_BYTES))
    dtype = type_of(call.args[0], reader.types)
    reader.counts.add("operation", class_of(dtype), times(runs * length * steps, active.blocks))
    _barriers(1, active, reader)


def search(call: Operation, args: tuple[Value, ...], active: Active, reader: Reader) -> Value:
    """Halves `count` keys until one is left; all of it is one statement. Lanes that look for one value look at the same keys;
    others each at one of those that so many steps may lead to, of as many sectors as the keys have at most."""
    keys, whole = keys_of(call, args, reader.types)
    count = range_of(args[-2]).high or 0
    found = found_by(f"{call.fn} {keys}", args, Interval(0, count))
    low, high = active.warps(reader.width)
    steps = count.bit_length()
    if keys in reader.tensors:
        touched = high * sum(min(1 << step, reader.width, whole) for step in range(steps))
        lanes = active.maybe
        searches = lanes_of(lanes) if found is None else most_sectors([(found, lanes)], SECTOR_BYTES, reader.width)
        most = np.minimum(touched, searches * active.most * steps)
        reader.counts.add("load", keys, (low * (SECTOR_BYTES if count else 0), most * SECTOR_BYTES))
    else:
        size, (least, most) = bytes_of(reader.types[keys]), active.lanes
        reader.counts.add("scratch", "load", (least * size * (count > 0), most * size * steps))
    unit = class_of(reader.types[keys])
    reader.counts.add("operation", unit, times(steps * reader.width, (0 * low, high)))
    return Interval(0, count) if found is None or keys not in reader.places else found


def keys_of(call: Operation, args: tuple[Value, ...], types: Mapping[str, str]) -> tuple[str, int]:
    """The tensor that a search looks in, and how many sectors its keys have at most."""
    keys = next(node.name for node in walk(call.args[0]) if isinstance(node, Name) and node.name in types)
    stride, count = (range_of(value).high or 0 for value in args[-3:-1])
    return keys, count * stride * bytes_of(types[keys]) // SECTOR_BYTES + 2


FOLDS: Mapping[str, Callable[..., object]] = {"block_max": np.max, "block_min": np.min, "block_sum": np.sum}
"""Of what each thread of a block is known to have."""
SEARCHES = ("lower_bound", "upper_bound")
"""Calls that look for a value among keys in memory."""


def times(number: int, ends: Ends) -> Ends:
    """So many for each."""
    return ends[0] * number, ends[1] * number


def bytes_of(dtype: str) -> int:
    """Of a C type of elements, as `parse` reads it: without its namespace, signed or not; of a pointer, of what it
    points to."""
    return BYTES[dtype.removeprefix("unsigned ").rstrip("*")]


BYTES = {ctype.removeprefix("uol::"): size for ctype, size in STORAGE_BYTES.items()} | {"unsigned": 4, "char": 1}
