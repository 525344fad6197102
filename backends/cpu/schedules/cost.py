"""How much a kernel has to do, in units of an element of a cheap operation."""

from __future__ import annotations

from math import prod

from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Step
from uol.codegen.specs.search import searches
from uol.ir.program.nodes import Axis, Call, Expr
from uol.ir.program.walk import walk

PARALLEL_FROM = 1 << 16
"""Units from which a second thread pays: a launch on the pool costs 2 to 4 us, and a core does some 10 units a ns."""
CHAINS = 8
"""Independent additions in flight: four cycles of latency, two a cycle; and registers for all of them."""
MANY_COLS = 64
"""Cols from which a walk over them may meet another page of memory at each: as many as a first-level TLB has entries."""

COSTS = {
    **{"/": 4, "%": 8, "sqrt": 4, "rsqrt": 6, "tanh": 20, "erf": 24},
    **{"exp": 12, "exp2": 12, "expm1": 14, "log": 16, "log2": 18, "log1p": 22},
}
CALLED = 40
"""A function that goes to the C library, one lane at a time."""
LIBRARY = ("sin", "cos", "pow")
COST_OF_KEY = 10
"""Of a step of a search: an access and a comparison, lane by lane, each of which waits for the one before."""


def cost(expr: Expr) -> int:
    """Units for one element."""
    calls = [e.fn for e in walk(expr) if isinstance(e, Call)]
    steps = sum(search.steps for search in searches(expr))
    return steps * COST_OF_KEY + sum(CALLED if fn in LIBRARY else COSTS.get(fn, 0) for fn in calls)


def steps_cost(steps: tuple[Step, ...]) -> int:
    """Units for one pass over the steps."""
    return 1 + sum(cost(step.value) for step in steps)


def size(axes: tuple[Axis, ...]) -> int | None:
    """How many points the axes span; None where one is symbolic."""
    extents = [static(a.extent) for a in axes]
    return None if None in extents else prod(e for e in extents if e is not None)


def parallel_prefix(axes: tuple[Axis, ...], enough: int) -> int:
    """How many leading axes must be fused for `enough` tasks; all of them where they have fewer."""
    tasks = 1
    for count, axis in enumerate(axes):
        if tasks >= enough:
            return count
        tasks *= int(getattr(axis.extent, "value", enough))
    return len(axes)
