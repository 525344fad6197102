"""The dims of an operator's inputs that its reductions, scans, sorts and scatters run over: what a row of an input is.

softmax(x: T[*S, C])             the last dim
batch_norm_stats(x: T[N, C, *S]) all but the channels
matmul(a: T[N, K], b: T[K, M])   the last dim of a, the first of b
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.ir.program.nodes import Expr, Load, Program, Scatter, Stage, Var
from uol.ir.program.walk import axes_of, variables


def reduced_dims(program: Program) -> dict[str, tuple[int, ...]]:
    """For each input that is reduced over, the dims that are, in order: by the reductions that read it, else by those of what
    is made of it."""
    direct: dict[str, set[int]] = {}
    passed: dict[str, set[int]] = {}
    for stage in reversed(program.stages):
        outer = _outer(stage, direct.get(stage.name) or passed.get(stage.name, set()))
        for found, reduced in ((direct, frozenset[str]()), (passed, outer)):
            for tensor, dims in _reads(stage.value, reduced):
                found.setdefault(tensor, set()).update(dims)
    each = {t.name: direct.get(t.name) or passed.get(t.name) for t in program.by_role("in")}
    return {name: tuple(sorted(dims)) for name, dims in each.items() if dims}


def _outer(stage: Stage, dims: set[int]) -> frozenset[str]:
    """The indices of a statement that run within a reduction: those along which its tensor is reduced later, and of a
    scatter those that its target does not name."""
    if isinstance(stage, Scatter):
        kept = {i.name for place, i in enumerate(stage.target) if isinstance(i, Var) and place not in dims}
        return frozenset(a.name for a in stage.axes) - kept
    return frozenset(stage.axes[place].name for place in dims)


def _reads(expr: Expr, reduced: frozenset[str]) -> Iterator[tuple[str, set[int]]]:
    """Every tensor that is read, with the dims whose index holds an axis that is reduced over."""
    inner = reduced | {a.name for a in axes_of(expr)}
    if isinstance(expr, Load):
        yield expr.tensor, {place for place, index in enumerate(expr.index) if variables(index) & inner}
    for child in expr.children:
        yield from _reads(child, inner)
