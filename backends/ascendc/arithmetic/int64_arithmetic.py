"""Arithmetic on i64 whose values provably fit 32 bits, done in i32: the vector unit has none on i64.

    i64(x[n] % 100) * 3 + n    becomes    i64(i32(x[n] % 100) * 3 + i32(n))

Values are bounded by intervals over the kernel's axes and the types that are read. What may be larger is left as it is, and
is refused where instructions are selected.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

from uol.backends.ascendc.transfers.indices import extent
from uol.backends.ascendc.vector.predicates import MODES
from uol.backends.c_text.index_intervals import RULES, Ranges, fits_int
from uol.codegen.specs.nodes import Fold, KernelSpec, Let, Read, Reduce, Step, Store
from uol.codegen.specs.traverse import mapped, step_expressions, steps_of
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, walk
from uol.ir.types import INDEX

WIDE, WORD = "i64", "i32"
OPERATIONS = frozenset({*RULES, "neg", "abs"})
POSITIONS = frozenset({"argmax", "argmin"})


def in_words(spec: KernelSpec) -> KernelSpec:
    """The spec with i64 computed in i32 where that is the same."""
    if not any(_has_wide(e) for s in steps_of(spec) for e in step_expressions(s)):
        return spec
    words = _Words(Ranges.over(spec.axes), prod(extent(a) for a in spec.cols) if isinstance(spec, Reduce) else 1)
    return mapped(spec, step=words.step)


def _has_wide(expr: Expr) -> bool:
    """Is there an i64, or data that is computed for an index, which is compared as one?"""
    return any(n.type == WIDE or (isinstance(n, Call) and n.fn == "cast" and n.type == INDEX) for n in walk(expr))


def _reads(expr: Expr) -> bool:
    return any(isinstance(n, Read) for n in walk(expr))


def _as_value(index: Expr) -> Expr | None:
    """An index as an i64: data that stands for one, or what the axes make of it."""
    match index:
        case Call(fn="cast", args=(a,)) if a.type == WIDE:
            return a
        case Call(fn="cast", args=(a,)) if a.type != INDEX:
            return Call("cast", (a,), WIDE)
    return None if _reads(index) else Call("cast", (index,), WIDE)


@dataclass(slots=True)
class _Words:
    """`terms`: how many elements a fold has at most; `held`: steps that are i32 from here on."""

    ranges: Ranges
    terms: int
    held: set[str] = field(default_factory=set)

    def step(self, step: Step) -> Step:
        match step:
            case Let():
                return self._let(step)
            case Fold():
                return self._fold(step)
            case Store():
                return replace(step, value=self.rewritten(step.value))

    def _let(self, step: Let) -> Let:
        bounds = self.ranges.of(step.value)
        if step.dtype == WIDE and (value := self.word(step.value)) is not None:
            self._hold(step.name, bounds)
            return replace(step, value=value, dtype=WORD)
        return replace(step, value=self.rewritten(step.value))

    def _fold(self, step: Fold) -> Fold:
        where = tuple(self.rewritten(w) for w in step.where)
        if step.op in POSITIONS:
            self._hold(step.name, Interval(0, max(self.terms - 1, 0)))
            return replace(step, value=self.word(step.value) or self.rewritten(step.value), where=where, dtype=WORD)
        bounds, value = self._folded(step), self.word(step.value)
        if step.dtype != WIDE or bounds is None or value is None or not fits_int(bounds):
            return replace(step, value=self.rewritten(step.value), where=where)
        self._hold(step.name, bounds)
        return replace(step, value=value, dtype=WORD, where=where)

    def _folded(self, step: Fold) -> Interval | None:
        """The values that a fold may give; partial ones lie within, too. An empty maximum is no i32."""
        each = self.ranges.of(step.value)
        match step.op:
            case "sum":
                return each * Interval(0, self.terms)
            case "max" | "min" if not step.where and self.terms > 0:
                return each
        return None

    def _hold(self, name: str, bounds: Interval) -> None:
        self.held.add(name)
        self.ranges = replace(self.ranges, variables={**self.ranges.variables, name: bounds})

    def rewritten(self, expr: Expr) -> Expr:
        """The same value: parts of it that fit are computed in i32."""
        return rewrite(expr, self._rule)

    def _rule(self, expr: Expr) -> Expr | None:
        if isinstance(expr, Read) or (isinstance(expr, Call) and expr.fn == "random_bits"):
            return expr
        if expr.type == WIDE:
            value = self.word(expr)
            return None if value is None else Call("cast", (value,), WIDE)
        match expr:
            case Call(fn=fn, args=(a, b)) if fn in MODES and a.type == WIDE:
                x, y = self.word(a), self.word(b)
                return None if x is None or y is None else replace(expr, args=(x, y))
            case Call(fn=fn, args=(a, b)) if fn in MODES and a.type == INDEX and (_reads(a) or _reads(b)):
                known = tuple(v for v in (_as_value(a), _as_value(b)) if v is not None)
                compared = replace(expr, args=known)
                return (self._rule(compared) or compared) if len(known) == 2 else None
            case Call(fn="cast", args=(a,)) if a.type == WIDE:
                value = self.word(a)
                return None if value is None else value if expr.dtype == WORD else replace(expr, args=(value,))
        return None

    def word(self, expr: Expr) -> Expr | None:
        """An i64 expression as one of i32; None where a part of it may not fit."""
        if expr.type != WIDE or not fits_int(self.ranges.of(expr)):
            return None
        match expr:
            case Const():
                return replace(expr, dtype=WORD)
            case Var(name=name) if name in self.held:
                return replace(expr, dtype=WORD)
            case Call(fn="cast", args=(a,)):
                if a.type == WIDE:
                    return self.word(a)
                return self.rewritten(a) if a.type == WORD else Call("cast", (self.rewritten(a),), WORD)
            case Call(fn="select", args=(condition, a, b)):
                x, y = self.word(a), self.word(b)
                return None if x is None or y is None else replace(expr, args=(self.rewritten(condition), x, y), dtype=WORD)
            case Call(fn=fn, args=args) if fn in OPERATIONS:
                operands = [self.word(a) for a in args]
                known = tuple(o for o in operands if o is not None)
                return replace(expr, args=known, dtype=WORD) if len(known) == len(args) else None
        return None
