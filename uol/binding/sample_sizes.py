"""Sizes for dims that are open, on which a kernel is tried: small ones that the operator admits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from math import prod
from random import Random
from typing import TYPE_CHECKING

from uol.binding.instance import Instance, OpenSize
from uol.codegen.indexing.arithmetic import over_dims, value_at
from uol.ir.errors import ShapeError
from uol.ir.program.nodes import Const, Expr
from uol.ir.program.walk import variables, walk

if TYPE_CHECKING:
    from uol.compiler import Compiled

SIZES = (7, 12, 33, 4, 64, 2, 1)
"""Odd ones, one beyond a vector, and multiples of what sizes are often divided by."""

SMALLEST = (1, 2, 3, 4)
FEW = (2, 1)
"""Of the dims that the conditions of a kernel do not name, where more of them are too many points."""

ATTEMPTS = 2000
DRAWS = 4000
"""Of sizes, for conditions that few of them meet."""
CHOICE = 16
"""Of which the smallest are taken."""
MOST_POINTS = 1 << 18
"""Of a product of the sizes: kernels for more alone take a twin minutes."""
POWERS = tuple(1 << n for n in range(8, MOST_POINTS.bit_length()))
"""For conditions whose numbers are no sizes, as of a window that is a share of a dim."""
SIDE_BY_SIDE = 16
"""The most elements that go together."""


def samples_of(compiled: Compiled) -> Iterator[Instance]:
    """Sizes on which to try: some for dims that are open, else those that it was compiled for."""
    instance, graph = compiled.request.instance, compiled.module.graph
    if instance.open_dims:
        return sample_instances(instance, over_dims(graph.checks, graph.dims))
    return iter([instance])


def samples_for_every_kernel(compiled: Compiled, first: int) -> Iterator[Instance]:
    """So many of `samples_of`, and for each kernel that is launched at none of them sizes near the bounds of its own, where
    such are found that are not too large."""
    samples = list(islice(samples_of(compiled), first))
    yield from samples
    yield from further_sizes(compiled, samples)


def further_sizes(compiled: Compiled, samples: Sequence[Instance]) -> Iterator[Instance]:
    """For each kernel that is launched at none of `samples`, and none of these, sizes near the bounds of its own; not for one
    for which only large sizes are found, or none."""
    made_for = compiled.request.instance
    seen = [made_for.seen_by_kernels(at).flat_dims for at in samples]
    for kernel in compiled.module.kernels:
        if any(_all_hold(kernel.launch.where, dims) for dims in seen):
            continue
        found = _smallest_launching(compiled, seen[0], kernel.launch.where)
        if found is not None:
            seen.append(made_for.seen_by_kernels(found).flat_dims)
            yield found


def _smallest_launching(compiled: Compiled, seen: Mapping[str, int], where: Sequence[Expr]) -> Instance | None:
    """Of the first sizes found at which these conditions hold, the smallest; None where none are, or it is too large."""
    made_for, graph = compiled.request.instance, compiled.module.graph
    checks = over_dims(graph.checks, graph.dims)
    bases = (seen, *(dict(seen) | dict.fromkeys(graph.dims, few) for few in FEW))
    for further, base in product(((), POWERS), bases):
        holding = (at for at in _launching(made_for, base, where, further) if _holds(made_for, at, checks))
        found = min(islice(holding, CHOICE), key=_points, default=None)
        if found is not None and _points(found) <= MOST_POINTS:
            return found
    return None


def _points(at: Instance) -> int:
    return prod(at.flat_dims.values())


def _launching(
    made_for: Instance, base: Mapping[str, int], where: Sequence[Expr], further: Sequence[int]
) -> Iterator[Instance]:
    """Sizes for which conditions hold: the base, with the open dims that they name drawn from small sizes, those about the
    numbers in the conditions, and further ones, always the same ones. By turns all of them are; or all but one are the
    smallest, as a bound on a product of them wants."""
    numbers = sorted({int(e.value) for condition in where for e in walk(condition) if isinstance(e, Const)})
    near = [size for n in numbers for step in (0, 1, *(m for m in numbers if 1 < m <= SIDE_BY_SIDE)) if (size := n + step) > 0]
    named = {name for condition in where for name in variables(condition)}
    random, likely = Random(0), (*SIZES, *near, *further)
    for number in range(DRAWS):
        large = named if number % 2 else {random.choice(sorted(named))}
        drawn = {name: random.choice(likely if name in large else SMALLEST) for name in sorted(named)}
        sizes = {name: drawn.get(name, base[name]) for name in made_for.open_dims}
        if _all_hold(where, {**base, **sizes}):
            yield _with_sizes(made_for, iter(sizes.values()))


def _holds(made_for: Instance, at: Instance, conditions: Sequence[Expr]) -> bool:
    return _is_admitted(at) and _all_hold(conditions, made_for.seen_by_kernels(at).flat_dims)


def _all_hold(conditions: Sequence[Expr], dims: Mapping[str, int]) -> bool:
    return all(value_at(condition, dims) for condition in conditions)


def sample_instances(instance: Instance, checks: Sequence[Expr] = ()) -> Iterator[Instance]:
    """The operator at sizes that its `where` clause admits, and for which `checks` of its kernels hold: first with one size for
    all that is open (as matrices and channels that must agree want it), then with every choice of them.

    Raises ShapeError where none of them fit.
    """
    known = [size for size in instance.flat_dims.values() if size]
    candidates = tuple(dict.fromkeys((*SIZES, *known)))
    count = len(instance.open_dims)
    choices = (*((size,) * count for size in candidates), *islice(product(candidates, repeat=count), ATTEMPTS))
    found = False
    for choice in dict.fromkeys(choices):
        at = _with_sizes(instance, iter(choice))
        if _holds(instance, at, checks):
            found = True
            yield at
    if not found:
        names = ", ".join(instance.open_dims)
        hint = f"give sizes, for example {instance.open_dims[0]}=64"
        raise ShapeError(f"{instance.op.name}: no sizes for {names} were found that the operator admits", hint=hint)


def _with_sizes(instance: Instance, sizes: Iterator[int]) -> Instance:
    def closed(size: OpenSize) -> int:
        return next(sizes) if size is None else size

    dims = {name: closed(size) for name, size in instance.dims.items()}
    packs = {name: tuple(map(closed, given if given is not None else (None,))) for name, given in instance.packs.items()}
    return replace(instance, dims=dims, packs=packs)


def _is_admitted(instance: Instance) -> bool:
    try:
        instance.require_admitted()
    except ShapeError:
        return False
    return True
