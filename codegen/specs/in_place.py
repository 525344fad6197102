"""May a result of a kernel graph be written where an input lies?

Safe where one kernel alone reads the input from the write on, each element only for its own write: its store of that
element waits for the read, whatever the order of the elements, and of threads.
"""

from __future__ import annotations

from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Fold, KernelSpec, Let, Map, Read, Reduce, Scatter, Step, Store
from uol.codegen.specs.traverse import reads, searched, step_expressions, steps_of
from uol.ir.program.walk import variables


def writes_in_place(graph: KernelGraph, tensor: str, result: str) -> bool:
    """Whether the result's memory may be the input's, both laid out alike. A doubt is a no."""
    writers = [n for n, spec in enumerate(graph.specs) if any(_stores(spec, result))]
    if len(writers) != 1:
        return False
    at = writers[0]
    if any(_reads(spec, tensor) for spec in graph.specs[at + 1 :]):
        return False  # after it was overwritten
    return not _reads(graph.specs[at], tensor) or _element_by_element(graph.specs[at], tensor, result)


def _element_by_element(spec: KernelSpec, tensor: str, result: str) -> bool:
    if not isinstance(spec, Map | Reduce) or any(search.tensor == tensor for search in searched(spec)):
        return False
    stores = [s for s in spec.steps if isinstance(s, Store) and s.tensor == result]
    if len(stores) != 1 or not _once(spec, stores[0]):
        return False
    if isinstance(spec, Reduce) and any(_reads_in(step, tensor) for step in spec.columns):
        return False
    (store,) = stores
    before = spec.steps[: spec.steps.index(store)]
    after = spec.steps[spec.steps.index(store) + 1 :]
    if any(_reads_in(step, tensor) for step in after):
        return False
    reading = [step for step in before if _reads_in(step, tensor)]
    if any(isinstance(step, Fold) or not _once(spec, step) for step in reading):
        return False
    reads = [read for step in (*reading, store) for read in _reads_in(step, tensor)]
    same = all(read.offset == store.offset and not read.guard for read in reads)
    return same and all(isinstance(step, Let) and step.name in _needed(store, before) for step in reading)


def _once(spec: Map | Reduce, step: Step) -> bool:
    """Is the step run once for each of its elements? The element steps of a Reduce may be run in several passes."""
    return isinstance(spec, Map) or (not isinstance(step, Fold) and set(step.axes) <= {a.name for a in spec.rows})


def _needed(store: Store, before: tuple[Step, ...]) -> frozenset[str]:
    """The names that the stored value is made of, directly or through others."""
    needed = variables(store.value)
    for step in reversed(before):
        if isinstance(step, Let | Fold) and step.name in needed:
            needed |= variables(step.value)
    return frozenset(needed)


def _stores(spec: KernelSpec, result: str) -> list[Store]:
    steps = () if isinstance(spec, Scatter) else steps_of(spec)
    return [s for s in steps if isinstance(s, Store) and s.tensor == result]


def _reads(spec: KernelSpec, tensor: str) -> bool:
    """Does the kernel read the tensor? What it says of its arguments is enough for a yes."""
    return any(arg.name == tensor for arg in spec.args)


def _reads_in(step: Step, tensor: str) -> list[Read]:
    return [read for expr in step_expressions(step) for read in reads(expr) if read.tensor == tensor]
