"""The keys of a contraction whose rows or terms fall into segments by data, for a kind of routing that is assumed.

    y[m] = sum[k](x[m, k] * w[key[m], k])

    balanced    key[m] = m * segments / rows, rounded down: every segment has as many rows as any other
    Zipf        segment s (from 1) has a share of rows in proportion to 1 / s, and one row at least

The sizes say how many rows there are, and how many segments; which row is of which one is data. What a kernel costs is known
only with that: it is counted for these keys, with all that it does for them, its runs of rows and its predicates. Where rows of
a factor are gathered, each segment has its own from all over the tensor (`rows_by`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, KernelSpec, Segments, Within
from uol.codegen.specs.traverse import products_in, reads
from uol.ir.program.nodes import Var
from uol.ir.types import INDEX

Routing = Literal["balanced", "Zipf"]
SAYS: Mapping[Routing, str] = {
    "balanced": "each expert has as many tokens as any other",
    "Zipf": "the tokens of the experts are as 1, 1/2, 1/3, ..., at least one each",
}
"""What a kind of routing assumes, for people."""


def keys_of(spec: KernelSpec, routing: Routing) -> Mapping[str, Sequence[int]]:
    """The keys, by the tensor that holds them, and the bounds of their segments, where a kernel has looked for those; none
    where nothing falls into segments, or their number is not known."""
    if not isinstance(spec, Contract) or spec.segments is None:
        return {}
    axis = next(a for a in (*spec.m, *spec.k) if a.name == spec.segments.at)
    number, length, key = _number(spec, spec.segments), static(axis.extent), next(reads(spec.segments.key))
    if not number or not length or coefficient(key.offset, axis.name) != 1:
        return {}
    keys = keys_by(routing, length, number)
    bounds = [0, *(bisect_left(keys, segment) for segment in range(number + 1)), length]
    rows = {name: rows_by(keys, count) for name, count in _gathered(spec, spec.segments.at)}
    return {key.tensor: keys} | ({spec.segments.bounds: bounds} if spec.segments.bounds else {}) | rows


def keys_by(routing: Routing, rows: int, segments: int) -> list[int]:
    """The segment of each row, in order.

    >>> keys_by("balanced", 8, 3), keys_by("Zipf", 8, 3)
    ([0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1, 2, 2])
    """
    if routing == "balanced" or rows < segments:
        return [at * segments // rows for at in range(rows)]
    return [segment for segment, count in enumerate(zipf_counts(rows, segments)) for _ in range(count)]


def rows_by(keys: Sequence[int], count: int) -> list[int]:
    """Which of `count` rows of a tensor each row of the segments is, where a segment has rows from all over it, in order, and
    others than its neighbours.

    >>> rows_by([0, 0, 0, 1, 1], 9)
    [0, 3, 6, 1, 5]
    """
    lengths = {key: bisect_right(keys, key) - bisect_left(keys, key) for key in set(keys)}
    return [(key + (at - bisect_left(keys, key)) * count // lengths[key]) % count for at, key in enumerate(keys)]


def _gathered(spec: Contract, at: str) -> Iterator[tuple[str, int]]:
    """The tensors that say which rows of a factor are multiplied, and how many rows that has."""
    for read in (found for pair in products_in(spec) for factor in pair for found in reads(factor)):
        count = static(spec.arg(read.tensor).shape[0]) if spec.arg(read.tensor).shape else None
        for number in reads(read.offset):
            if count and coefficient(number.offset, at) == 1:
                yield number.tensor, count


def zipf_counts(rows: int, segments: int) -> list[int]:
    """Rows of each segment, as 1 / s of the s-th: the shares rounded down, one more where most was cut off. One that would have
    none has one of those that have most.

    >>> zipf_counts(100, 4), zipf_counts(5, 4)
    ([48, 24, 16, 12], [2, 1, 1, 1])
    """
    total = sum(1 / s for s in range(1, segments + 1))
    shares = [rows / s / total for s in range(1, segments + 1)]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(segments), key=lambda s: counts[s] - shares[s])
    for s in by_remainder[: rows - sum(counts)]:
        counts[s] += 1
    for s in [s for s in range(segments) if not counts[s]]:
        counts[max(range(segments), key=lambda one: (counts[one], one))] -= 1
        counts[s] = 1
    return counts


def _number(spec: Contract, segments: Segments) -> int | None:
    """How many segments there are: the extent of their axis, or what the read that looks one up is guarded by."""
    for axis in spec.batch:
        if axis.name == segments.of:
            return static(axis.extent)
    guards = (guard for read in reads(spec.b) for guard in read.guard)
    highs = (g.high for g in guards if isinstance(g, Within) and g.value == Var(segments.of, INDEX))
    return next((static(high) for high in highs if high is not None), None)
