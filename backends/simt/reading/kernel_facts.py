"""What is found once of a kernel's text: its names, and the operations of its statements. A text of any size is read for many
grids, sizes, and numbers of turns, and nothing of this depends on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from uol.backends.simt.reading.facts import Facts, LoopFacts
from uol.backends.simt.reading.merged import Issue, merged
from uol.backends.simt.reading.syntax import KernelText
from uol.backends.simt.reading.units import memory_of, places_in, types_of, vectors_of

KEPT_KERNELS = 64


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """What is known of one kernel: its names, and facts by the identity of a statement, a condition or a loop. The facts of
    statements and loops are found as they are come to."""

    types: Mapping[str, str]
    vectors: Mapping[str, int]
    tensors: frozenset[str]
    places: frozenset[str]
    memory: frozenset[str]
    merged: Mapping[int, tuple[Issue, ...]]
    statements: dict[int, Facts] = field(default_factory=dict)
    loops: dict[int, LoopFacts] = field(default_factory=dict)


@lru_cache(maxsize=KEPT_KERNELS)
def facts_of_kernel(kernel: KernelText) -> KernelFacts:
    """The facts of a kernel, which is kept as long as they are: identities stay those of its parts."""
    types = types_of(kernel)
    tensors = frozenset(p.name for p in kernel.tensors)
    return KernelFacts(types, vectors_of(kernel), tensors, places_in(kernel), memory_of(kernel), merged(kernel, types))
