"""Workloads of an operator that the library does not know: small, awkward sizes for every dim that its text leaves open.

Sizes are drawn, the same on every machine, until the `where` clauses hold, every tensor has elements and none is large.
A dim that a clause ties to another (`C == D*groups`) is found by drawing again, not by solving.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from random import Random

from uol.binding.named_binding import bind_names, free_dims
from uol.ir.errors import ShapeError
from uol.ir.syntax.surface import Attribute, Op
from uol.operators.registry import find_operator
from uol.ops.references.gradients import forward_of
from uol.ops.workloads import Extent, Workload, cases_of

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 33, 65)
"""Around the widths of vectors and warps, and what divides nothing."""

RANKS = (1, 2, 0, 3, 1)
"""Dims of the packs, workload by workload."""

DRAWS = 4000
LARGEST = (1 << 14, 1 << 24)
"""Elements of the largest tensor: what a twin runs in a moment, or, where nothing so small fits, what it runs at all."""


def workloads_for(op: str) -> tuple[Workload, ...]:
    """The workloads of any operator, the representative one first: those that are written for it or that it was registered
    with, else drawn ones; a gradient has its forward's. Raises ShapeError where no small sizes fit."""
    known, forward = cases_of(op), forward_of(op)
    if known is not None:
        return known.workloads
    if forward is not None:
        return tuple(replace(w, op=op) for w in default_workloads(forward))
    return default_workloads(find_operator(op))


def default_workloads(op: Op) -> tuple[Workload, ...]:
    """One workload for each of `RANKS`, and one of the smallest sizes, each once: an operator of fixed sizes has one.

    Raises ShapeError where no small sizes fit the operator.

    >>> from uol.ir import parse
    >>> print(*default_workloads(parse("op total(x: f32[N]) -> (y: f32[]) { y[] = sum[n](x[n]) }")[0]))
    total[N=65] total[N=3] total[N=1] total[N=4] total[N=5] total[N=2]
    """
    found: list[Workload] = []
    for number, (rank, sizes) in enumerate([*((rank, SIZES) for rank in RANKS), (1, (1, 1, 1, 2, 3))]):
        found += _fitting(op, rank, sizes, Random(number), found)
    if not found:
        hint = "check sizes of your own: `uol run OP --dims ...`"
        raise ShapeError(f"no small sizes were found that fit {op.name}", hint=hint)
    return tuple(found)


def _fitting(op: Op, rank: int, sizes: tuple[int, ...], random: Random, known: list[Workload]) -> list[Workload]:
    """A workload that fits and is not among `known`, where one is drawn."""
    drawn = [w for w in _drawn(op, rank, sizes, random) if w not in known]
    return next(([w] for limit in LARGEST for w in drawn if 0 < _largest(op, w) <= limit), [])


def _drawn(op: Op, rank: int, sizes: tuple[int, ...], random: Random) -> Iterator[Workload]:
    packs, names = free_dims(op)
    needed = [a for a in op.attributes if a.default is None]
    for _ in range(DRAWS):
        dims: dict[str, Extent] = {pack: tuple(random.choice(sizes) for _ in range(rank)) for pack in packs}
        dims |= {name: random.choice(sizes) for name in names}
        yield Workload(op.name, dims, {a.name: _number(a, random) for a in needed}, "drawn")


def _number(attribute: Attribute, random: Random) -> int | float:
    return random.choice((1, 2, 3)) if attribute.type == "int" else random.choice((0.5, 1.0, 2.0))


def _largest(op: Op, workload: Workload) -> int:
    """Elements of the largest tensor; 0 where the operator does not admit the sizes, or has a tensor of no elements."""
    types = {s.variable: s.types[0] for s in op.domain}
    try:
        instance = bind_names(op, types, workload.dims, workload.attrs)
        elements = [prod(instance.shape(param)) for param in (*op.params, *op.results)]
    except ShapeError:
        return 0
    return max(elements) if all(elements) else 0
