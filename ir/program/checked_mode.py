"""Checked mode: what the language gives a value in passing, or trusts, is an error at its place.

    a / b, a % b      of integers with b == 0, which is 0 otherwise
    y[at[n]] += v     with a target outside, which is dropped otherwise
    sorted(i)         where the input is not in ascending order, NaN behind every number
    finite(x)         where the input has NaN or an infinity
    permutation(i)    where the input has not each number below its size once
    x[at[n]]          where the index lies outside and no `else` gives it a meaning

Only what takes part counts: the arm that a `select` does not choose, and terms that a masked reduction leaves out, are not
evaluated as far as the language goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import DataError
from uol.ir.program.evaluation import Array, Evaluation
from uol.ir.program.index_blocks import Block
from uol.ir.program.nodes import Call, Const, Expr, Load, Order, Program, Reduce, Scatter, Stage
from uol.ir.program.render import show
from uol.ir.program.walk import walk
from uol.ir.syntax.span import Span
from uol.ir.types import is_float, is_integer


def needs_checks(program: Program) -> bool:
    """Whether values alone could break a rule: without such a statement, checked mode has nothing to do."""
    if program.finite or any(t.name in (*program.sorted, *program.permutations) for t in program.by_role("in")):
        return True
    return any(_may_break(stage) for stage in program.stages)


def check_promises(program: Program, memory: dict[str, Array]) -> None:
    """Raises DataError for an input that is not in ascending order, not finite, or no permutation, and is promised to be."""
    for name in program.finite:
        outside = np.argwhere(~np.isfinite(memory[name]))
        if len(outside):
            place = [int(i) for i in outside[0]]
            message = f"`{program.name}` needs `finite({name})`, but {name}{place} = {memory[name][tuple(place)]}"
            raise DataError(message, span=_span(program, 1), text=program.text, hint="look for what made it")
    for tensor in program.by_role("in"):
        values = memory[tensor.name]
        if tensor.name in program.permutations:
            _check_permutation(program, tensor.name, values)
        if tensor.name not in program.sorted or not (falls := _falls(values)).size:
            continue
        at = int(falls[0])
        seen = f"{tensor.name}[{at}] = {values[at]} comes before {tensor.name}[{at + 1}] = {values[at + 1]}"
        message = f"`{program.name}` needs `sorted({tensor.name})`, but {seen}"
        raise DataError(message, span=_span(program, 1), text=program.text, hint="sort it, with whatever it orders")


def _check_permutation(program: Program, name: str, values: Array) -> None:
    """Raises DataError at the first value that is no number below how many there are, or that one before it is."""
    first = np.zeros(values.shape, bool)
    first.reshape(-1)[np.unique(values, return_index=True)[1]] = True
    broken = np.argwhere(~first | (values < 0) | (values >= values.size))
    if len(broken):
        place = [int(i) for i in broken[0]]
        message = f"`{program.name}` needs `permutation({name})`, but {name}{place} = {values[tuple(place)]}"
        hint = f"each of the numbers from 0 to {values.size - 1} is there once"
        raise DataError(message, span=_span(program, 1), text=program.text, hint=hint)


def _falls(values: Array) -> NDArray[np.intp]:
    """The places of values that come before a lesser one, as the language orders them: NaN is greater than every number."""
    first, second = values[:-1], values[1:]
    return np.flatnonzero((second < first) | ((first != first) & (second == second)))


@dataclass(slots=True)
class CheckedEvaluation(Evaluation):
    """`active`: over the block that is being evaluated, where values take part; None is everywhere."""

    program: Program | None = None
    stage: Stage | None = None
    active: Array | None = None

    def value(self, expr: Expr, block: Block) -> Array:
        """As without checks. Raises DataError where a value that takes part breaks a rule."""
        match expr:
            case Call(fn="select", args=(c, a, b)):
                condition = self.value(c, block)
                with self._where(condition):
                    chosen = self.value(a, block)
                with self._where(~condition):
                    other = self.value(b, block)
                return np.where(condition, chosen, other)
            case Call(fn="/" | "%" as fn, args=(_, divisor), dtype=dtype) if not is_float(dtype):
                self._require(
                    self.value(divisor, block) != 0, block, f"`{fn}` of integers divides by `{show(divisor)}`, which is 0"
                )
        return Evaluation.value(self, expr, block)

    def load(self, expr: Load, block: Block) -> Array:
        """As without checks; an index that is admitted lies inside."""
        if any(isinstance(e, Load | Order) for i in expr.index for e in walk(i)):
            with self._where(*(self.value(g, block) for g in expr.guard)):
                for dim, (index, size) in enumerate(zip(expr.index, self.memory[expr.tensor].shape, strict=True)):
                    at = self.value(index, block)
                    what = f"`{expr.tensor}[{', '.join(map(show, expr.index))}]` lies outside: dim {dim} is {size}"
                    self._require((at >= 0) & (at < size), block, what, at)
        return Evaluation.load(self, expr, block)

    def reduce(self, expr: Reduce, block: Block) -> Array:
        """As without checks; terms that are left out do not count."""
        extents = tuple(self.integer(a.extent) for a in expr.axes)
        inner = block.extend(tuple(a.name for a in expr.axes), extents)
        if 0 in inner.shape:
            return Evaluation.reduce(self, expr, block)
        outer, self.active = self.active, _extended(self.active, len(expr.axes))
        try:
            with self._where(*(self.value(w, inner) for w in expr.where)):
                return Evaluation.reduce(self, expr, block)
        finally:
            self.active = outer

    def integer(self, expr: Expr) -> int:
        """An expression of dims alone, wherever it stands."""
        outer, self.active = self.active, None
        try:
            return Evaluation.integer(self, expr)
        finally:
            self.active = outer

    def require_targets(self, stage: Scatter, inside: Array, block: Block) -> None:
        """Raises DataError where a scatter's target lies outside of its tensor."""
        target = f"{stage.name}[{', '.join(map(show, stage.target))}]"
        at = [np.broadcast_to(self.value(t, block), block.shape) for t in stage.target]
        self._require(inside, block, f"the target `{target}` lies outside", *at)

    @contextmanager
    def _where(self, *conditions: Array) -> Iterator[None]:
        outer = self.active
        for condition in conditions:
            self.active = condition if self.active is None else self.active & condition
        try:
            yield
        finally:
            self.active = outer

    def _require(self, holds: Array, block: Block, message: str, *values: Array) -> None:
        broken = ~holds if self.active is None else ~holds & self.active
        if not broken.any():
            return
        assert self.program is not None and self.stage is not None
        at = tuple(int(i) for i in np.argwhere(np.broadcast_to(broken, block.shape))[0])
        raise DataError(
            f"`{self.program.name}`, line {self.stage.line}: {message}{_at(block, at)}{_being(values, block, at)}",
            span=_span(self.program, self.stage.line),
            text=self.program.text,
            hint="outside of checked mode this passes in silence",
        )


def _may_break(stage: Stage) -> bool:
    if isinstance(stage, Scatter) and stage.guard:
        return True
    parts = (stage.value, *stage.target, *stage.guard) if isinstance(stage, Scatter) else (stage.value,)
    for expr in (e for part in parts for e in walk(part)):
        match expr:
            case Call(fn="/" | "%", args=(_, divisor), dtype=dtype) if is_integer(dtype) and not isinstance(divisor, Const):
                return True
            case Load(index=index) if any(isinstance(e, Load) for i in index for e in walk(i)):
                return True
    return False


def _extended(active: Array | None, axes: int) -> Array | None:
    return None if active is None else active.reshape(active.shape + (1,) * axes)


def _at(block: Block, at: Sequence[int]) -> str:
    indices = [f"{name} = {start + i}" for name, start, i in zip(block.names, block.starts, at, strict=True)]
    return f" at {', '.join(indices)}" if indices else ""


def _being(values: Sequence[Array], block: Block, at: tuple[int, ...]) -> str:
    shown = ", ".join(str(np.broadcast_to(v, block.shape)[at]) for v in values)
    return f", being {shown}" if shown else ""


def _span(program: Program, line: int) -> Span:
    """A line of the printed operator, whole."""
    text = program.text.splitlines()[line - 1]
    return Span(f"<{program.name}>", line, len(text) - len(text.lstrip()) + 1, line, len(text) + 1)
