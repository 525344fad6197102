"""Which kinds of schedules there are: a spec is offered to them in this order. A new kind is one line here and one in
`schedules.py`; what it does is in its room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from uol.backends.simt.attention.kinds import ATTENTIONS
from uol.backends.simt.attention.matrix.kinds import MATRIX_ATTENTIONS
from uol.backends.simt.elements.kinds import BINS, ELEMENTS, TRANSPOSED
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.products.kinds import FEW_ROWS, PRODUCTS
from uol.backends.simt.products.matrix.kinds import MATRIX_PRODUCTS
from uol.backends.simt.rows.kinds import BUCKETS, FOLDS, ORDERS, SCANS
from uol.codegen.backend import Schedule
from uol.codegen.specs.nodes import KernelSpec

Said = TypeVar("Said")

KINDS: tuple[ScheduleKind, ...] = (
    *(TRANSPOSED, BINS, ELEMENTS),
    *(FOLDS, SCANS, BUCKETS, ORDERS),
    *(FEW_ROWS, MATRIX_PRODUCTS, PRODUCTS),
    *(MATRIX_ATTENTIONS, ATTENTIONS),
)


def kinds_for(spec: KernelSpec) -> tuple[ScheduleKind, ...]:
    """Those that take specs of its kind."""
    return tuple(kind for kind in KINDS if isinstance(spec, kind.specs))


def first_that_says(spec: KernelSpec, what: Callable[[ScheduleKind], Said | None]) -> Said | None:
    """What the first kind for a spec says that says it at all."""
    return next((said for kind in kinds_for(spec) if (said := what(kind)) is not None), None)


def kind_of(spec: KernelSpec, schedule: Schedule) -> ScheduleKind | None:
    """The one that a schedule of a spec is of."""
    return next((kind for kind in kinds_for(spec) if isinstance(schedule, kind.schedules)), None)
