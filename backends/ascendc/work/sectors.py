"""Sectors of 32 bytes of global memory that the bursts of a copy touch.

    sectors = floor((start + bytes - 1) / 32) - floor(start / 32) + 1

A burst that is known to start with a sector touches as many as it fills; one of which this is not known, one more at most.
Where the starts are asked for one by one, the count is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from uol.backends.ascendc.instructions import Instr, Place
from uol.backends.ascendc.machine import BLOCK_BYTES
from uol.backends.ascendc.work.divisors import divisor
from uol.backends.ascendc.work.scalars import Numbers, Range, exactly, scalar
from uol.backends.ascendc.work.walk import Iterations


@dataclass(frozen=True, slots=True)
class Starts:
    """What is known of where bursts start: what divides the kernel's integers, or, `one_by_one`, every place."""

    divisors: Mapping[str, int]
    one_by_one: bool = False

    def numbers(self, instr: Instr) -> tuple[str, ...]:
        """The C texts of an instruction whose values are needed."""
        places = (instr.place.start,) if instr.place is not None and self.one_by_one else ()
        return instr.amount + places

    def touched(self, instr: Instr, at: Iterations, blocks: Range) -> Range:
        """Sectors that a copy touches at each iteration, of which its bursts fill `blocks`."""
        place = instr.place
        assert place is not None
        bursts, size = (at.range(text) for text in instr.amount)
        if self._is_aligned(place, single=bursts.most.max(initial=0) <= 1):
            return blocks
        start = at.range(place.start) if self.one_by_one else None
        if start is not None and start.is_known and bursts.is_known and size.is_known:
            return exactly(_counted(place, start.least, bursts.least, size.least))
        return Range(blocks.least, _most(place, bursts.most, size.most))

    def _is_aligned(self, place: Place, *, single: bool) -> bool:
        steps = (divisor(scalar(place.start), self.divisors), 0 if single else place.stride)
        return all(step * place.element_bytes % BLOCK_BYTES == 0 for step in steps)


def _counted(place: Place, start: Numbers, bursts: Numbers, size: Numbers) -> Numbers:
    """Burst by burst."""
    counts = np.maximum(bursts, 0).astype(np.intp)
    of = np.repeat(np.arange(len(start)), counts)
    number = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = (start[of] + number * place.stride) * place.element_bytes
    touched = np.floor((first + size[of] - 1) / BLOCK_BYTES) - np.floor(first / BLOCK_BYTES) + 1
    counted: Numbers = np.bincount(of, np.where(size[of] > 0, touched, 0.0), len(start)).astype(np.float64)
    return counted


def _most(place: Place, bursts: Numbers, size: Numbers) -> Numbers:
    """Where every burst starts with the last element of a sector."""
    length = np.maximum(size, 0.0)
    over = np.floor((length + BLOCK_BYTES - place.element_bytes - 1) / BLOCK_BYTES) + (length > 0)
    most: Numbers = np.maximum(bursts, 0.0) * over
    return most
