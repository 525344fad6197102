"""Which kinds of schedules there are: a spec is offered to them in this order. A new kind is one line here and one in
`schedules.py`; what it does is in its room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from uol.backends.simt.attention.kinds import ATTENTIONS
from uol.backends.simt.elements.kinds import BINS, ELEMENTS, TRANSPOSED
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.products.kinds import FEW_ROWS, PRODUCTS
from uol.backends.simt.products.matrix.kinds import MATRIX_PRODUCTS
from uol.backends.simt.rows.kinds import BUCKETS, FOLDS, ORDERS, SCANS
from uol.codegen.backend import Schedule
from uol.codegen.specs.nodes import KernelSpec

KINDS: tuple[ScheduleKind, ...] = (
    *(TRANSPOSED, BINS, ELEMENTS),
    *(FOLDS, SCANS, BUCKETS, ORDERS),
    *(FEW_ROWS, MATRIX_PRODUCTS, PRODUCTS),
    ATTENTIONS,
)


def kinds_for(spec: KernelSpec) -> tuple[ScheduleKind, ...]:
    """Those that take specs of its kind."""
    return tuple(kind for kind in KINDS if isinstance(spec, kind.specs))


def first_that_says(spec: KernelSpec, what: Literal["parts", "legalise"]) -> Callable[..., Any] | None:
    """The function of the first kind for a spec that has one of that name."""
    return next((found for kind in kinds_for(spec) if (found := getattr(kind, what)) is not None), None)


def kind_of(spec: KernelSpec, schedule: Schedule) -> ScheduleKind | None:
    """The one that a schedule of a spec is of."""
    return next((kind for kind in kinds_for(spec) if isinstance(schedule, kind.schedules)), None)
