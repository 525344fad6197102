"""The keys of a contraction whose rows or terms fall into segments by data, where every segment has as many as any other.

    y[m] = sum[k](x[m, k] * w[key[m], k])        key[m] = m * segments / rows, rounded down

The sizes say how many rows there are, and how many segments; which row is of which one is data. What a kernel costs is known
only with that: it is counted for these keys, with all that it does for them, its runs of rows and its predicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, KernelSpec, Segments, Within
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Var
from uol.ir.types import INDEX


def balanced_keys(spec: KernelSpec) -> Mapping[str, Sequence[int]]:
    """The keys, by the tensor that holds them; none where nothing falls into segments, or their number is not known.

    Of 8 rows in 3 segments they are 0 0 0 1 1 1 2 2.
    """
    if not isinstance(spec, Contract) or spec.segments is None:
        return {}
    axis = next(a for a in (*spec.m, *spec.k) if a.name == spec.segments.at)
    number, length, key = _number(spec, spec.segments), static(axis.extent), next(reads(spec.segments.key))
    if not number or not length or coefficient(key.offset, axis.name) != 1:
        return {}
    return {key.tensor: [at * number // length for at in range(length)]}


def _number(spec: Contract, segments: Segments) -> int | None:
    """How many segments there are: the extent of their axis, or what the read that looks one up is guarded by."""
    for axis in spec.batch:
        if axis.name == segments.of:
            return static(axis.extent)
    guards = (guard for read in reads(spec.b) for guard in read.guard)
    highs = (g.high for g in guards if isinstance(g, Within) and g.value == Var(segments.of, INDEX))
    return next((static(high) for high in highs if high is not None), None)
