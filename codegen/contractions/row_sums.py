"""Sums of a factor's rows beside a contraction: both from one reading of memory.

    dw[n, k] = sum[s](dy[s, n] * x[s, k])    ->   dw[n, k], db[n] = sum[s](dy[s, n] * (x[s, k], 1))
    db[n]    = sum[s](dy[s, n])

A kernel of its own reads the whole factor again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uol.codegen.contractions.split_terms import split_terms
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Fold, KernelSpec, Let, Read, Reduce, Store
from uol.codegen.specs.rewrites import (
    args_of,
    ordered,
    over_axes,
    place_in,
    read_of,
    scalars_of,
    workspace_over,
)
from uol.codegen.specs.traverse import is_one_read, names_of, reads, step_expressions, values
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Expr, Var
from uol.ir.program.walk import rewrite


@verified
def with_row_sums(contract: KernelSpec, sums: KernelSpec) -> Contract | None:
    """A contraction of known sizes, which stores the sums of its first factor's rows as well; None where the Reduce is none of
    these, or makes of them what is read from memory."""
    if not isinstance(contract, Contract) or not isinstance(sums, Reduce) or contract.sums or contract.segments is not None:
        return None
    if contract.batch or sums.columns or (sums.rows, sums.cols) != (contract.m, contract.k) or not contract.k:
        return None
    fold, *rest = sums.steps
    is_sum = isinstance(fold, Fold) and fold.op == "sum" and not fold.where and fold.dtype == contract.acc_dtype
    if not is_sum or not isinstance(fold, Fold) or _anywhere(fold.value) != _anywhere(contract.a):
        return None
    if any(static(axis.extent) is None for axis in contract.axes) or not is_one_read(contract.a):
        return None
    known = all(isinstance(s, Let | Store) and set(s.axes) <= {a.name for a in sums.rows} for s in rest)
    if not known or any(True for step in rest for expr in step_expressions(step) for _ in reads(expr)):
        return None
    if fold.name in names_of(contract):
        return None
    steps = tuple(over_axes(step, contract.axes) for step in rest)
    args = ordered(tuple(dict.fromkeys((*contract.args, *sums.args))))
    scalars = tuple(dict.fromkeys((*contract.scalars, *sums.scalars)))
    return replace(contract, args=args, scalars=scalars, sum_of_a=fold.name, sums=steps)


def _anywhere(factor: Expr) -> Expr:
    """A factor without its strides, which are over the axes of its own spec."""
    return rewrite(factor, lambda node: replace(node, strides=()) if isinstance(node, Read) else None)


def split_with_sums(
    contract: Contract, divisions: Sequence[tuple[Axis, int]], multiple: int = 1, columns: tuple[Axis, ...] | None = None
) -> tuple[KernelSpec, ...]:
    """The kernels of `split_terms`; where sums of rows stand beside the contraction, these are of the same parts, and one
    kernel adds up both."""
    if not contract.sums:
        return split_terms(contract, divisions, multiple, columns)
    plain = replace(contract, sum_of_a="", sums=())
    plain = replace(plain, args=args_of(contract, tuple(values(plain)), plain.epilogue))
    product, total = split_terms(plain, divisions, multiple, columns)
    return _of_parts(contract, product, total)


@verified
def _of_parts(contract: Contract, product: Contract, total: Reduce) -> tuple[Contract, Reduce]:
    """A product over parts of the terms with the sums of the rows' parts, and what both come to. Each row of the total folds
    the few parts of its sum of `a`, too, which is the same along n and stored once."""
    name, dtype, own = contract.sum_of_a, contract.acc_dtype, (*total.cols, *contract.m)
    array = workspace_over(f"{contract.name}_{name}_parts", dtype, own)
    place, strides = place_in(array, own, own)
    line = contract.sums[0].line
    store = Store(array.name, place, strides, Var(name, dtype), dtype, tuple(a.name for a in own), line)
    product = replace(product, args=(*product.args, array), sum_of_a=name, sums=(over_axes(store, product.axes),))
    fold = Fold(name, "sum", read_of(array, own, total.axes), dtype, (), line)
    steps = tuple(over_axes(step, total.rows) for step in contract.sums)
    written = [expr for step in steps for expr in step_expressions(step)]
    args = ordered(tuple(dict.fromkeys((*total.args, *args_of(contract, written, steps), array))))
    scalars = tuple(dict.fromkeys((*total.scalars, *scalars_of(contract, written))))
    (acc, *epilogue) = total.steps
    return product, replace(total, args=args, scalars=scalars, steps=(acc, fold, *epilogue, *steps))
