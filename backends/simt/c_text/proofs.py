"""What is known of the indices of a kernel: is `int` wide enough for them, and what a printer may take for granted about
one, by intervals first, by TVM's analyzer where they do not decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.backends.c_text.index_intervals import Ranges, fits_int, join
from uol.backends.simt.c_text.index_reach import fits_int_where, index_parts, indices_of
from uol.codegen.indexing.arithmetic import ZERO, static
from uol.codegen.specs.nodes import Guard, KernelSpec, Read
from uol.codegen.specs.traverse import expressions, reads
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import walk


@dataclass(frozen=True, slots=True)
class Proofs:
    """`assumptions` hold everywhere in the kernel, `conditions` at this place; `ranges` is what intervals make of both."""

    ranges: Ranges
    assumptions: tuple[Expr, ...] = ()
    conditions: tuple[Expr, ...] = ()

    @staticmethod
    def of(spec: KernelSpec) -> Proofs:
        """Under the facts of a spec, within its axes."""
        return Proofs(Ranges.over(indices_of(spec), spec.dims), spec.facts, tuple(c for a in spec.axes for c in in_range(a)))

    def where(self, guards: Iterable[Guard]) -> Proofs:
        """The same at a place where guards hold."""
        guards = tuple(guards)
        if not guards:
            return self
        conditions = tuple(c for g in guards for c in g.conditions)
        return replace(self, ranges=self.ranges.where(guards), conditions=self.conditions + conditions)

    def natural(self, expr: Expr) -> bool:
        """Is the expression never negative?"""
        low = self.ranges.of(expr).low
        if low is not None and low >= 0:
            return True
        return _may_be_correlated(expr, self.conditions) and self._prove(Call(">=", (expr, ZERO), "bool"))

    def _prove(self, condition: Expr) -> bool:
        from uol.ir.integers.facts import Facts  # loads TVM: only where intervals were not enough

        facts = Facts(self.assumptions)
        with facts.scope(*(c for c in self.conditions if _is_pure(c))):
            return facts.prove(condition)


def _is_pure(expr: Expr) -> bool:
    """Only indices, dims and integers: what the analyzer understands."""
    return all(not isinstance(e, Read) and e.type in ("idx", "bool") for e in walk(expr))


def _may_be_correlated(expr: Expr, conditions: tuple[Expr, ...]) -> bool:
    """On an expression in which every variable occurs once, intervals over a box are exact: nothing is left to prove
    unless a condition ties its variables together."""
    if not _is_pure(expr):
        return False
    names = [e.name for e in walk(expr) if isinstance(e, Var)]
    return len(names) != len(set(names)) or any(_ties(c, set(names)) for c in conditions)


def _ties(condition: Expr, names: set[str]) -> bool:
    bound = [e.name for e in walk(condition) if isinstance(e, Var)]
    return len(bound) > 1 and not names.isdisjoint(bound)


NARROW, WIDE = "int", "long long"


@dataclass(frozen=True, slots=True)
class Index:
    """The C type of a kernel's indices. `where`: the condition on dims that are arguments under which it is wide enough; None
    where it always is."""

    ctype: str
    where: Expr | None = None

    @property
    def is_wide(self) -> bool:
        return self.ctype == WIDE

    @property
    def cast(self) -> str:
        """In front of what is unsigned and of 32 bits."""
        return f"({self.ctype})" if self.is_wide else ""


def index_type(spec: KernelSpec, counts: Iterable[Expr], *, data_apart: bool = False) -> Index:
    """`int` where every offset, every step on the way to it, and every one of `counts` fits 32 bits; else `long long`. Where
    dims are arguments, `int` if a condition on them says when it is enough. `data_apart`: but for what data has a part in,
    which a printer widens by itself."""
    counts = tuple(counts)
    parts = [each for expr in expressions(spec) for each in index_parts(expr) if not (data_apart and any(reads(each[0])))]
    if any(static(count) is None for count in (*counts, *(axis.extent for axis in spec.axes))):
        where = fits_int_where(spec, counts, parts)
        return Index(WIDE) if where is None else Index(NARROW, where)
    ranges = Ranges.over(indices_of(spec), spec.dims)
    reach = [ranges.where(guards).of(part) for part, guards in parts]
    return Index(NARROW if fits_int(join([*reach, *(Interval(0, static(c)) for c in counts)])) else WIDE)
