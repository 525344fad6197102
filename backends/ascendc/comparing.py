"""Does a kernel work on whole repeats? Compare does, and so does Brcb, eight lanes at a time; then tiles are padded."""

from __future__ import annotations

from uol.backends.ascendc.collapse import steps_of, values
from uol.backends.ascendc.elementary import COMPARING
from uol.backends.ascendc.indices import Indices
from uol.backends.ascendc.truth import MODES
from uol.codegen.spec import Fold, KernelSpec, Store
from uol.codegen.traverse import walk
from uol.ir.nodes import Call

LOGICAL = frozenset({"select", "and", "or", "not", "max", "min"}) | frozenset(MODES) | COMPARING
COMPARING_FOLDS = frozenset({"max", "min", "any", "all", "argmax", "argmin"})


def compares(spec: KernelSpec) -> bool:
    """Is there a comparison, a selection, an extremum or a condition among the steps?"""
    if any(isinstance(s, Fold) and (s.op in COMPARING_FOLDS or s.where) for s in steps_of(spec)):
        return True
    nodes = (n for v in values(spec) for n in walk(v))
    return any((isinstance(n, Call) and n.fn in LOGICAL and n.dtype != "idx") or n.type == "bool" for n in nodes)


def works_on_repeats(spec: KernelSpec, lane: str) -> bool:
    """Does a kernel with these lanes compare, or store lanes that are not contiguous?"""
    indices = Indices.over(spec.axes, {})
    return compares(spec) or any(indices.slope(s.offset, lane) not in (0, 1) for s in steps_of(spec) if isinstance(s, Store))
