"""Columns that count for a row where their key is the row's: where keys ascend, they are a run that bisection finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import ZERO, substituted
from uol.codegen.specs.nodes import Fold, Read, Reduce, Step, Store
from uol.codegen.specs.traverse import mapped, reads
from uol.ir.program.nodes import Axis, Call, Expr
from uol.ir.program.walk import variables
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class Run:
    """Of each row the columns `along` at which `keys` is `key`. `condition` says so in every fold."""

    along: Axis
    keys: Read
    key: Expr
    condition: Expr

    @property
    def first(self) -> Expr:
        """Where the keys of a row begin in their buffer."""
        return substituted(self.keys.offset, {self.along.name: ZERO})

    def without_condition(self, spec: Reduce) -> Reduce:
        """The spec with folds over the columns of the run alone."""

        def bare(step: Step) -> Step:
            kept = tuple(c for c in step.where if c != self.condition) if isinstance(step, Fold) else ()
            return replace(step, where=kept) if isinstance(step, Fold) else step

        return mapped(spec, step=bare)


def run_of(spec: Reduce) -> Run | None:
    """The run of a Reduce of one column axis, all of whose folds are over one run; None where there is none, or where elements
    are stored."""
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    columns = {a.name for a in spec.cols}
    if len(spec.cols) != 1 or not folds or any(isinstance(s, Store) and columns & set(s.axes) for s in spec.steps):
        return None
    for condition in folds[0].where:
        found = _run(condition, spec)
        if found is not None and all(condition in fold.where for fold in folds):
            return found
    return None


def _run(condition: Expr, spec: Reduce) -> Run | None:
    (along,) = spec.cols
    match condition:
        case Call(fn="==", args=(Call(fn="cast", args=(Read(guard=()) as keys,), dtype=dtype), key)) if dtype == INDEX:
            is_run = keys.tensor in spec.ascending and keys.stride(along.name) not in (None, ZERO)
            if is_run and along.name not in variables(key) and not any(reads(key)):
                return Run(along, keys, key, condition)
    return None
