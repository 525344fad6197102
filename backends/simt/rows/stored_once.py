"""What is stored over some of the rows' axes alone is the same for rows that differ in others: the first of these stores it.

    y[m, n] = sum[p](W[p, m, n]);  z[m] = sum[p](V[p, m])    ->   if (n == 0) z[m] = ...;

Each of the rows folds what all of them store: its reads are those of its neighbours, in one access of a warp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from uol.backends.simt.kernel.scope import all_of
from uol.codegen.indexing.arithmetic import ONE, ZERO
from uol.codegen.specs.nodes import Step, Store
from uol.ir.program.nodes import Axis, Call, Expr, Var


def when_first(step: Step, rows: Sequence[Axis]) -> Expr | None:
    """The condition under which a row stores; None where every row does."""
    first = [Call("==", (Var(name), ZERO), "bool") for name in sorted(asked_of((step,), rows))]
    return all_of(first) if first else None


def asked_of(steps: Iterable[Step], rows: Sequence[Axis]) -> frozenset[str]:
    """The axes of which such conditions ask."""
    names = {axis.name for axis in rows if axis.extent != ONE}
    return frozenset().union(*(names - set(step.axes) for step in steps if isinstance(step, Store) and _is_of_rows(step, rows)))


def _is_of_rows(store: Store, rows: Sequence[Axis]) -> bool:
    return set(store.axes) <= {axis.name for axis in rows}
