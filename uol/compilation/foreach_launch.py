"""One launch of an elementwise operator over many flat runs of memory, each of its own length.

The length is an argument of the kernel, or, on a machine with threads, what a table says of a block's run. A long run is cut
into chunks, so that the tasks of a launch are alike: what is launched is a table with a row of addresses a chunk, and a table
of lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from uol.binding.named_binding import bind_open_names
from uol.codegen.extensions import ForeachBackend
from uol.compilation.pipeline import artifact_of, module_of
from uol.compilation.request import Request, Target
from uol.operators.registry import find_operator

CHUNK = 1 << 14
"""Elements: long enough to hide what a task costs, and four tensors of f32 stay in a second-level cache."""

KNOWN_LENGTHS = 64
"""Lists of lengths whose chunks are known: those of a model's parameters come at every step."""

Table = NDArray[np.int64]
Sizes = tuple[int, ...]
Types = str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ForeachKernel:
    """`call` takes the two tables and the run-time attributes, whose names are `scalars`, in order."""

    call: Callable[..., None]
    scalars: tuple[str, ...]

    def launch(self, addresses: Table, lengths: tuple[int, ...], element_bytes: Sizes, options: Mapping[str, float]) -> None:
        """Runs it: `addresses` has a row of pointers (inputs, then results) a run, `lengths` counts a run's elements, each of
        which has `element_bytes` of these tensors."""
        table, sizes = in_chunks(addresses, lengths, element_bytes)
        self.call(table, sizes, *[options[name] for name in self.scalars])


def foreach_kernel(
    name: str, target: Target, dtype: Types, attributes: Mapping[str, float], index: int = 0
) -> ForeachKernel | None:
    """The kernel of an operator over flat tensors `*S`, on the device of an index; None where the target has none such.
    `dtype`: a type for all of its type variables, or one for each."""
    backend = target.backend
    if not isinstance(backend, ForeachBackend):
        return None
    assert backend.foreach_run is None or backend.foreach_run >= CHUNK, "runs are cut shorter"
    request = foreach_request(name, target, backend, dtype, attributes)
    module = module_of(request)
    made = backend.foreach_module(module)
    if made is None:
        return None
    artifact = artifact_of(request, made, stage="binary" if made is module else "foreach binary")
    return ForeachKernel(backend.load_foreach(artifact, index), tuple(s.name for s in module.graph.scalars))


def foreach_request(
    name: str, target: Target, backend: ForeachBackend, dtype: Types, attributes: Mapping[str, float]
) -> Request:
    """What is compiled for it: the operator over one flat run."""
    dims = {} if backend.foreach_run is None else {"S": (backend.foreach_run,)}
    return Request(bind_open_names(find_operator(name), dtype, dims, attributes), target)


def in_chunks(addresses: Table, lengths: tuple[int, ...], element_bytes: Sizes) -> tuple[Table, Table]:
    """(addresses, sizes) of the chunks of all runs, in order. `element_bytes`: of each column of addresses.

    >>> in_chunks(np.array([[0, 100_000]]), (20_000,), (4, 2))
    (array([[     0, 100000],
           [ 65536, 132768]]), array([[16384],
           [ 3616]]))
    """
    run, offset, sizes = _chunks(lengths, element_bytes)
    return addresses[run] + offset, sizes


def chunk_sizes(lengths: Iterable[int]) -> tuple[int, ...]:
    """The elements of each chunk of runs of these lengths, in order.

    >>> chunk_sizes([20_000, 0, 7])
    (16384, 3616, 7)
    """
    return tuple(min(CHUNK, length - first) for length in lengths for first in range(0, length, CHUNK))


@lru_cache(KNOWN_LENGTHS)
def _chunks(lengths: tuple[int, ...], element_bytes: Sizes) -> tuple[Table, Table, Table]:
    """Of each chunk its run, how many bytes after the run's start it begins, and its elements."""
    counts = np.array(lengths, np.int64)
    pieces = -(-counts // CHUNK)
    run = np.repeat(np.arange(len(counts)), pieces)
    first = (np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * CHUNK
    sizes = np.minimum(counts[run] - first, CHUNK)
    return run, first[:, None] * np.array(element_bytes), sizes[:, None]


def are_apart(addresses: Table, lengths: tuple[int, ...], element_bytes: Sizes) -> bool:
    """Do no two runs share memory? As many have ended where one starts as have started before it."""
    starts = addresses.ravel()
    ends = (addresses + np.array(lengths, np.int64)[:, None] * np.array(element_bytes)).ravel()
    starts, ends = np.sort(starts), np.sort(ends)
    return bool((ends[:-1] <= starts[1:]).all())
