"""Which cases go into which part of a pack: parts of about one size, by the bytes of the cases' tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, prod

from uol.codegen.indexing.arithmetic import value_at
from uol.conformance.packs.cases import Subject
from uol.ir.errors import UolError
from uol.ir.program.nodes import Tensor
from uol.ir.types import DTYPES

OWED_BYTES = 3
"""Of an element of a result beside its golden value: what that leaves (2), and two bounds, most of which compress."""
OWN_BYTES = 100_000
"""Of a case beside its tensors: binaries and its entry."""
DRAWN_BYTES = 100_000
"""Of a sample of a result, its golden values and where it lies."""


def part_of(subjects: Sequence[Subject], number: int, of: int) -> list[Subject]:
    """The cases of part `number` of `of`, counted from 1, in their order: the largest first, each goes to the part that is
    the smallest then."""
    if of == 1:
        return list(subjects)
    estimates = [estimated_bytes(subject) for subject in subjects]
    filled = [0] * of
    chosen = []
    for index in sorted(range(len(subjects)), key=lambda i: -estimates[i]):
        least = filled.index(min(filled))
        filled[least] += estimates[index]
        if least == number - 1:
            chosen.append(index)
    return [subjects[index] for index in sorted(chosen)]


def estimated_bytes(subject: Subject) -> int:
    """Of a case in a pack, without building it; of one that is refused, what an empty one takes, and of one whose inputs are
    drawn what samples do."""
    if subject.whole is not None:
        return OWN_BYTES + DRAWN_BYTES
    try:
        program = subject.program()
    except UolError:
        return OWN_BYTES
    return OWN_BYTES + _bytes(program.by_role("in"), 0) + _bytes(program.by_role("out"), OWED_BYTES)


def _bytes(tensors: Iterable[Tensor], owed: int) -> int:
    return sum(prod(int(value_at(n, {})) for n in t.shape) * (DTYPES[t.dtype].bytes + owed) for t in tensors)


def parts_needed(subjects: Sequence[Subject], made: Sequence[Subject], made_bytes: int, most_bytes: int) -> int:
    """Into how many parts all cases fit, by what those that are made take."""
    scale = made_bytes / sum(map(estimated_bytes, made))
    return max(2, ceil(sum(map(estimated_bytes, subjects)) * scale / (0.9 * most_bytes)))
