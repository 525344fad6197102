"""`dim=` and `keepdim=`: an operator of the last dim along any other one, a reduction over several.

    uol.ops.softmax(x, dim=0)     is     uol.ops.softmax(x.movedim(0, -1)).movedim(-1, 0)
    uol.ops.sum(x, dim=(0, 2))    is     uol.ops.sum(x.movedim((0, 2), (-2, -1)).flatten(-2))

A text works on the last dim, and its kernels take any strides: what is moved here is a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from uol.binding.argument_checks import shown
from uol.ir.errors import ShapeError
from uol.ir.syntax.surface import Op, Pack, Param
from uol.pytorch.arguments import in_order

OPTIONS = ("dim", "keepdim")


@dataclass(frozen=True, slots=True)
class RowForm:
    """moved      for each input: has it the dim that is worked on
    reduces    for each result: has it lost the dim"""

    op: Op
    moved: tuple[bool, ...]
    reduces: tuple[bool, ...]


def row_form(op: Op) -> RowForm | None:
    """How an operator works on rows: `x: T[*S, C]` to `y: T[*S, D]` or `y: T[*S]`. None where it does otherwise, or has
    attributes of these names."""
    tensors = (*op.params, *op.results)
    packed = [t for t in tensors if any(isinstance(d, Pack) for d in t.dims)]
    fits = all(isinstance(t.dims[0], Pack) and len(t.dims) <= 2 for t in packed) and all(r in packed for r in op.results)
    if not fits or not any(_is_row(p) for p in op.params) or any(a.name in OPTIONS for a in op.attributes):
        return None
    return RowForm(op, tuple(map(_is_row, op.params)), tuple(not _is_row(r) for r in op.results))


def _is_row(tensor: Param) -> bool:
    return len(tensor.dims) == 2 and isinstance(tensor.dims[0], Pack)


def along(form: RowForm, call: Callable[..., Any], given: Sequence[object], options: dict[str, Any]) -> Any:
    """The call with `dim` and `keepdim` among its options. Raises ShapeError for dims that there are not."""
    name, reduces = form.op.name, all(form.reduces)
    inputs = in_order(form.op, given, options)
    dim, keepdim = options.pop("dim", -1), bool(options.pop("keepdim", False))
    rows = [x for x, is_moved in zip(inputs, form.moved, strict=False) if is_moved and isinstance(x, Tensor)]
    if not rows or len(inputs) != len(form.moved):
        return call(*inputs, **options)  # which says what is wrong
    if len({x.dim() for x in rows}) > 1:
        raise ShapeError(f"{name}: dim counts the dims of tensors that have {[x.dim() for x in rows]}", hint="unsqueeze them")
    if options.get("out") is not None:
        raise ShapeError(f"{name} takes out= along the last dim alone", hint="copy what it gives, or move the dims of both")
    if keepdim and not reduces:
        raise ShapeError(f"{name} keeps its dims", hint="keepdim is for reductions")
    dims = _dims(name, dim, rows[0].dim(), several=reduces)
    last = tuple(range(-len(dims), 0))
    moved = [_rows(x, dims, last) if m and isinstance(x, Tensor) else x for x, m in zip(inputs, form.moved, strict=True)]
    found = call(*moved, **options)
    results = found if isinstance(found, tuple) else (found,)
    back = [_back(y, dims, r, keepdim) for y, r in zip(results, form.reduces, strict=True)]
    return tuple(back) if isinstance(found, tuple) else back[0]


def _dims(name: str, dim: object, rank: int, *, several: bool) -> tuple[int, ...]:
    chosen = tuple(range(rank)) if dim is None else tuple(dim) if isinstance(dim, list | tuple) else (dim,)
    if len(chosen) != 1 and not several:
        raise ShapeError(f"{name}: dim is {shown(dim)}", hint="it works along one dim; `x.flatten()` makes one of all")
    for each in chosen:
        if not isinstance(each, int) or isinstance(each, bool) or not -rank <= each < rank:
            reach = f"one of {-rank} to {rank - 1}" if rank else "none: the tensor has no dims"
            raise ShapeError(f"{name}: dim is {shown(dim)}", hint=f"it is {reach}")
    found = tuple(sorted({d % rank for d in chosen if isinstance(d, int)}))
    if len(found) != len(chosen):
        raise ShapeError(f"{name}: dim is {shown(dim)}", hint="each dim is named once")
    return found


def _rows(x: Tensor, dims: tuple[int, ...], last: tuple[int, ...]) -> Tensor:
    if not dims:
        return x[..., None]
    moved = x.movedim(dims, last)
    return moved.flatten(-len(dims)) if len(dims) > 1 else moved


def _back(y: Tensor, dims: tuple[int, ...], reduced: bool, keepdim: bool) -> Tensor:
    if not reduced:
        return y.movedim(-1, dims[0])
    if keepdim:
        for dim in dims:
            y = y.unsqueeze(dim)
    return y
