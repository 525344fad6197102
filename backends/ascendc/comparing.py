"""What numbers of lanes a kernel works on: Compare takes whole repeats of 256 bytes, Brcb eight lanes."""

from __future__ import annotations

from uol.backends.ascendc.collapse import values
from uol.backends.ascendc.elementary import COMPARING
from uol.backends.ascendc.frame import BROADCAST_LANES, REPEAT_LANES
from uol.backends.ascendc.indices import Indices
from uol.backends.ascendc.truth import MODES
from uol.codegen.spec import Fold, KernelSpec, Read, Store
from uol.codegen.steps import steps_of
from uol.codegen.traverse import walk
from uol.ir.nodes import Call, Expr

LOGICAL = frozenset({"select", "and", "or", "not", "max", "min"}) | frozenset(MODES) | COMPARING
COMPARING_FOLDS = frozenset({"max", "min", "any", "all", "argmax", "argmin"})
HALF_REPEAT_LANES = 2 * REPEAT_LANES


def lane_multiple(spec: KernelSpec, lane: str, *, over_rows: bool) -> int:
    """What the lanes of a tile must be padded to."""
    if _compares(spec):
        halves = any(isinstance(n, Read) and n.dtype == "f16" for v in values(spec) for n in walk(v))
        return HALF_REPEAT_LANES if halves and over_rows and lane else REPEAT_LANES
    indices = Indices.over(spec.axes, {})
    spread = any(indices.slope(s.offset, lane) not in (0, 1) for s in steps_of(spec) if isinstance(s, Store))
    return BROADCAST_LANES if spread else 1


def _compares(spec: KernelSpec) -> bool:
    """Is there a comparison, a selection, an extremum or a condition among the steps?"""
    if any(isinstance(s, Fold) and (s.op in COMPARING_FOLDS or s.where) for s in steps_of(spec)):
        return True
    return any(_is_logical(n) for v in values(spec) for n in walk(v))


def _is_logical(node: Expr) -> bool:
    return node.type == "bool" or (isinstance(node, Call) and node.fn in LOGICAL and node.dtype != "idx")
