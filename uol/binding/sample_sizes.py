"""Sizes for dims that are open, on which a kernel is tried: small ones that the operator admits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING

from uol.binding.instance import Instance, OpenSize
from uol.codegen.indexing.arithmetic import over_dims, value_at
from uol.ir.errors import ShapeError
from uol.ir.program.nodes import Expr

if TYPE_CHECKING:
    from uol.compiler import Compiled

SIZES = (7, 12, 33, 4, 64, 2, 1)
"""Odd ones, one beyond a vector, and multiples of what sizes are often divided by."""

ATTEMPTS = 2000


def samples_of(compiled: Compiled) -> Iterator[Instance]:
    """Sizes on which to try: some for dims that are open, else those that it was compiled for."""
    instance, graph = compiled.request.instance, compiled.module.graph
    if instance.open_dims:
        return sample_instances(instance, over_dims(graph.checks, graph.dims))
    return iter([instance])


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
        if _is_admitted(at) and all(value_at(c, instance.seen_by_kernels(at).flat_dims) for c in checks):
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
