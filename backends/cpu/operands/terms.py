"""Products of few rows and columns over a long k: their terms in parts, which are summed apart, and then together. Nothing here
needs TVM.

A part is a product of a batch. Each core reads its own stretch of both operands, once, where tiles of one product would read
a again for every block of columns, and b for every block of rows; and there are parts for all cores, where there may not be
tiles. What it costs is that the sums of every part are written and read. The parts are added in their order: with the same
number of cores, the result is the same from run to run.
"""

from __future__ import annotations

from math import prod

from uol.backends.cpu.host import core_count
from uol.backends.cpu.operands.factors import accumulator_bytes, the_read
from uol.backends.cpu.operands.panels import LEAST_DEPTH
from uol.backends.cpu.schedules.cost import size
from uol.codegen.contractions.split_terms import split_terms
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Read, Reduce
from uol.ir.program.nodes import Axis
from uol.ir.program.walk import walk

PARTS_PER_CORE = 8
LONG = 16 * LEAST_DEPTH
"""Terms from which a sum is divided."""
MOST_TERMS = 4 * LEAST_DEPTH
"""Of a part."""
MOST_SUMS_BYTES = 512 * 1024
"""What the sums of a part may take: they are written and read once for each."""
PART_BYTES = 256 * 1024
"""What the operands of a part may take: half of a second-level cache of a usual size."""


def in_parts(spec: Contract) -> tuple[Contract, Reduce] | None:
    """The sums of the parts, and their sum; None where that does not pay, or no axis of k has a divisor for it."""
    results, terms = size(spec.batch + spec.m + spec.n), size(spec.k)
    if results is None or terms is None or terms < LONG or spec.segments is not None:
        return None
    if results * accumulator_bytes(spec) > MOST_SUMS_BYTES or not all(_is_plain(spec, the_read(f)) for f in (spec.a, spec.b)):
        return None
    wanted = _wanted(spec, terms)
    divisions = divided(spec, wanted)
    return None if 2 * prod(parts for _, parts in divisions) <= wanted else split_terms(spec, divisions)


def _wanted(spec: Contract, terms: int) -> int:
    """As many parts as keep the cores busy, and more where the operands of one would leave its cache, of so many terms that the
    sums of the parts are little beside their products."""
    lines = (size(spec.m) or 0) + (size(spec.n) or 0)
    kept = PART_BYTES // (accumulator_bytes(spec) * max(1, lines))
    tasks = -(-PARTS_PER_CORE * core_count() // (size(spec.batch) or 1))
    return min(max(tasks, -(-terms // min(max(kept, LEAST_DEPTH), MOST_TERMS))), terms // LEAST_DEPTH)


def _is_plain(spec: Contract, read: Read) -> bool:
    """Is an operand read without guards, at places that are affine in the axes?"""
    nested = any(isinstance(node, Read) for part in read.children for node in walk(part))
    return not read.guard and not nested and affine(read.offset, [a.name for a in spec.axes]) is not None


def divided(spec: Contract, most: int) -> tuple[tuple[Axis, int], ...]:
    """The axes of k that go into parts, outermost first, so that what a part reads lies together; and into how many, up to a
    number in all. An axis is divided where those outside of it are so as a whole, or where it alone makes more parts."""
    found: list[tuple[Axis, int]] = []
    left = most
    for axis in spec.k:
        parts = _divisor(axis, left)
        found.append((axis, parts))
        left //= parts
        if parts < (static(axis.extent) or 1):
            break
    alone = max(spec.k, key=lambda a: _divisor(a, most))
    if 2 * prod(parts for _, parts in found) <= _divisor(alone, most):
        found = [(alone, _divisor(alone, most))]
    return tuple((axis, parts) for axis, parts in found if parts > 1)


def _divisor(axis: Axis, most: int) -> int:
    """The largest divisor of the extent up to a number: parts are of one length."""
    extent = static(axis.extent) or 1
    return max((d for d in range(1, most + 1) if extent % d == 0), default=1)
