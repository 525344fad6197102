"""What numbers of lanes a kernel works on: Compare takes whole repeats of 256 bytes, Brcb eight lanes."""

from __future__ import annotations

from uol.backends.ascendc.arithmetic.elementary import COMPARING
from uol.backends.ascendc.transfers.indices import Indices
from uol.backends.ascendc.vector.predicates import MODES
from uol.backends.ascendc.vector.tile import BROADCAST_LANES, REPEAT_LANES
from uol.codegen.specs.nodes import Fold, KernelSpec, Read, Store
from uol.codegen.specs.traverse import steps_of, values
from uol.ir.program.nodes import Call, Expr
from uol.ir.program.walk import walk

LOGICAL = frozenset({"select", "and", "or", "not", "max", "min"}) | frozenset(MODES) | COMPARING
COMPARING_FOLDS = frozenset({"max", "min", "any", "all", "argmax", "argmin"})
HALF_REPEAT_LANES = 2 * REPEAT_LANES


def lane_multiple(spec: KernelSpec, lane: str, *, over_rows: bool) -> int:
    """What the lanes of a tile must be padded to."""
    if _compares(spec):
        halves = _takes_halves if over_rows else _compares_halves
        return HALF_REPEAT_LANES if lane and any(halves(n) for v in values(spec) for n in walk(v)) else REPEAT_LANES
    indices = Indices.over(spec.axes, {})
    spread = any(indices.slope(s.offset, lane) not in (0, 1) for s in steps_of(spec) if isinstance(s, Store))
    return BROADCAST_LANES if spread else 1


def _compares(spec: KernelSpec) -> bool:
    """Is there a comparison, a selection, an extremum or a condition among the steps?"""
    if any(isinstance(s, Fold) and (s.op in COMPARING_FOLDS or s.where) for s in steps_of(spec)):
        return True
    return any(_is_logical(n) for v in values(spec) for n in walk(v))


def _takes_halves(node: Expr) -> bool:
    """Is this a value of f16, which a comparison may be made on?"""
    return isinstance(node, Read) and node.dtype == "f16"


def _compares_halves(node: Expr) -> bool:
    """Are these values of f16 that are compared as they are? A fold across lanes takes all others as f32."""
    return isinstance(node, Call) and _is_logical(node) and any(a.type == "f16" for a in node.args)


def _is_logical(node: Expr) -> bool:
    return node.type == "bool" or (isinstance(node, Call) and node.fn in LOGICAL and node.dtype != "idx")
