"""Where the keys and values of an attention end that is one of parts of the cols: the last parts may have fewer than others.

k[part * length + j] if part * length + j < M else 0        a part has M - part * length of them
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ONE, ZERO, sub, substituted
from uol.codegen.specs.nodes import Attention, Dot, Read, Weighted, Within
from uol.codegen.specs.traverse import main_read
from uol.ir.program.nodes import Const, Expr
from uol.ir.program.walk import rewrite


def end_of_cols(spec: Attention) -> Expr | None:
    """The col from which on there are neither keys nor values, but zeros; None where no guard says so. It depends on the batch
    alone."""
    if len(spec.dots) != 1 or len(spec.sums) != 1 or len(spec.cols) != 1:
        return None
    key, value = main_read(spec.dots[0].b), main_read(spec.sums[0].value)
    col = spec.cols[0].name
    match key.guard:
        case (Within(value=place, low=None, high=end),) if (
            end is not None and key.guard == value.guard and _are_zeros(key, value)
        ):
            form = affine(place, [a.name for a in (*spec.rows, *spec.cols)])
            if form is None or form.factor(col) != ONE or any(form.factor(a.name) != ZERO for a in spec.rows):
                return None
            return sub(end, substituted(place, {col: ZERO}))
    return None


def _are_zeros(*reads: Read) -> bool:
    return all(isinstance(read.fill, Const) and read.fill.value == 0 for read in reads)


def without_ends(spec: Attention) -> Attention:
    """The attention as its kernel is written: one that `end_of_cols` knows asks of no key whether it is there."""
    if end_of_cols(spec) is None:
        return spec

    def rule(node: Expr) -> Expr | None:
        return replace(node, guard=(), fill=None) if isinstance(node, Read) else None

    dot: Dot = replace(spec.dots[0], b=rewrite(spec.dots[0].b, rule))
    total: Weighted = replace(spec.sums[0], value=rewrite(spec.sums[0].value, rule))
    return replace(spec, dots=(dot,), sums=(total,))
