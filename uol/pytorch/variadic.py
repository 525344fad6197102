"""`uol.ops.concat`, `stack` and `einsum` on PyTorch tensors: the generated operator for their number, or equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from uol.binding.argument_checks import shown
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ops.einsum_order import in_pairs
from uol.ops.variadic import MOST_INPUTS, Equation, Joining, equation_of, require_number, spelt_out


def concat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """y[.., n, ..] = the tensors one after the other along `dim`; they agree in all other dims. See `uol show concat_2`.

    Raises ShapeError where they do not, TypeCheckError for anything but tensors of one type.

    >>> concat([torch.zeros(2, 3), torch.ones(2, 1)], dim=1).shape
    torch.Size([2, 4])
    """
    given = _tensors("concat", tensors)
    if len({x.dim() for x in given}) > 1:
        given = [x for x in given if tuple(x.shape) != (0,)]  # which PyTorch joins with any
    at = _place("concat", dim, given[0].dim())
    _require_equal("concat", [tuple(x.shape[:at]) + tuple(x.shape[at + 1 :]) for x in given], f"in all dims but {at}")
    return _concatenated(given, at)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """y[.., k, ..] = tensors[k], along a new dim at `dim`; the shapes are equal. See `uol show stack_2`."""
    given = _tensors("stack", tensors)
    at = _place("stack", dim, given[0].dim() + 1)
    _require_equal("stack", [tuple(x.shape) for x in given], "in every dim")
    parts = [given[k : k + MOST_INPUTS] for k in range(0, len(given), MOST_INPUTS)]
    stacked = [_call(Joining("stack", len(part), at).name, part) for part in parts]
    return stacked[0] if len(stacked) == 1 else _concatenated(stacked, at)


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """y[i, k] = sum[j](a[i, j] * b[j, k]) for "ij,jk->ik": any number of tensors, any letters, a letter's sizes equal.

    A letter that stands twice in an operand is its diagonal; one that the result lacks is summed over. `...` is the dims that
    have no letter, which broadcast. More than two tensors are multiplied two at a time, the cheapest pair first; what is
    between is rounded to their type, as PyTorch does. Raises ParseError for what is no equation, ShapeError for sizes that do
    not agree. The text of two: `uol show einsum_ij_jk_ik`.
    """
    if not isinstance(equation, str):
        raise TypeCheckError(f"einsum: the equation is {shown(equation)}", hint='write einsum("ij,jk->ik", a, b)')
    given = _tensors("einsum", operands)
    spelt = spelt_out(equation, [x.dim() for x in given])
    parsed = equation_of(spelt.equation)
    if len(given) != len(parsed.operands):
        raise ShapeError(f"einsum {equation!r} takes {len(parsed.operands)} tensors, not {len(given)}")
    wide = _broadcast(equation, spelt.unnamed, given) if spelt.unnamed else given
    return _call(parsed.name, wide) if len(wide) <= 2 else _in_pairs(equation, parsed, wide)


def _in_pairs(shown_equation: str, equation: Equation, given: list[Tensor]) -> Tensor:
    """An equation of more than two operands, by those of two."""
    sizes: dict[str, int] = {}
    for number, (x, letters) in enumerate(zip(given, equation.operands, strict=True)):
        if x.dim() != len(letters):
            message = f"einsum {shown_equation!r}: operand {number} has {x.dim()} dims, and {len(letters)} letters"
            raise ShapeError(message, hint="each dim has a letter, or `...` stands for those that have none")
        for letter, size in zip(letters, x.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                message = f"einsum {shown_equation!r}: {letter} is {size} in operand {number}, but {sizes[letter]} before"
                raise ShapeError(message, hint="a letter has one size")
    left = list(given)
    for step in in_pairs(equation, sizes):
        product = _call(step.equation.name, [left[step.first], left[step.second]])
        left = [*(x for place, x in enumerate(left) if place not in (step.first, step.second)), product]
    return left[0]


def _broadcast(equation: str, unnamed: Sequence[tuple[int, int]], given: Sequence[Tensor]) -> list[Tensor]:
    """The tensors with equal sizes along the dims that `...` stands for: `unnamed` gives where they begin, and how many."""
    parts = [x.shape[at : at + count] for x, (at, count) in zip(given, unnamed, strict=True)]
    try:
        wide = torch.broadcast_shapes(*parts)
    except RuntimeError as error:
        found = " and ".join(str(list(part)) for part in parts)
        raise ShapeError(f"einsum {equation!r}: `...` is {found}", hint="these sizes broadcast, as PyTorch's do") from error
    return [
        x.expand((*x.shape[:at], *wide[len(wide) - count :], *x.shape[at + count :]))
        for x, (at, count) in zip(given, unnamed, strict=True)
    ]


FACES: Mapping[str, Callable[..., Tensor]] = {"concat": concat, "stack": stack, "einsum": einsum}


def _concatenated(tensors: list[Tensor], dim: int) -> Tensor:
    """As many at a time as one text takes; one alone is copied."""
    if len(tensors) == 1:
        return _call(Joining("concat", 1, dim).name, tensors)
    while len(tensors) > 1:
        groups = [tensors[k : k + MOST_INPUTS] for k in range(0, len(tensors), MOST_INPUTS)]
        tensors = [g[0] if len(g) == 1 else _call(Joining("concat", len(g), dim).name, g) for g in groups]
    return tensors[0]


def _call(name: str, tensors: Sequence[Tensor]) -> Tensor:
    if torch.compiler.is_compiling() and _is_defined(name):  # a trace takes PyTorch's own function, not a closure made anew
        traced: Tensor = getattr(torch.ops.uol, name)(*tensors)
        return traced
    result: Tensor = _operator(name)(*tensors)
    return result


def _operator(name: str) -> Any:
    return import_module("uol.pytorch.bridge").operator(name)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]  # done once, outside of what is traced
def _is_defined(name: str) -> bool:
    return _operator(name) is not None


def _tensors(family: str, given: object) -> list[Tensor]:
    if isinstance(given, Tensor) or not isinstance(given, Sequence):
        raise TypeCheckError(f"{family} takes a list of tensors, not {shown(given)}", hint=f"write uol.ops.{family}([a, b])")
    require_number(family, len(given))
    for number, x in enumerate(given):
        if not isinstance(x, Tensor):
            raise TypeCheckError(f"{family}: item {number} is {shown(x)}, not a tensor")
    return list(given)


def _place(family: str, dim: object, rank: int) -> int:
    if not isinstance(dim, int) or not -rank <= dim < rank:
        reach = f"one of {-rank} to {rank - 1}" if rank else "none: the tensors have no dims; stack gives them one"
        raise ShapeError(f"{family}: dim is {shown(dim)}", hint=f"it is {reach}")
    return dim % rank


def _require_equal(family: str, shapes: Sequence[tuple[int, ...]], where: str) -> None:
    for number, shape in enumerate(shapes):
        if shape != shapes[0]:
            message = f"{family}: item {number} is {list(shape)} and item 0 is {list(shapes[0])} {where}"
            raise ShapeError(message, hint="they must be equal; nothing is broadcast here")
