"""`uol.fallback`: PyTorch's counterpart of an operator, where no kernel of it can be had.

    with uol.fallback():
        y = uol.ops.softmax(x)        # by PyTorch where x is on a device without a backend, a driver or a compiler

The counterparts are the references that operators are judged by (`uol.ops.references`), with PyTorch's own gradients. What a
caller does wrong, what a driver says of a launch, and memory that runs out are errors as ever.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from uol.binding.layouts import Sizes
from uol.ir.errors import RefusalError, ToolchainError, UolError
from uol.ir.library import GRADIENT
from uol.ir.syntax.surface import Op
from uol.ops.references import differentiable_reference, has_reference
from uol.pytorch.launch_plan import Form

Tensor = torch.Tensor
NO_KERNEL = (RefusalError, ToolchainError)
"""What is raised where no kernel can be had: it is refused, or a compiler or driver is missing."""


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


@cache
def _outside_of_traces() -> Callable[..., Any]:
    """`_call`, of which `torch.compile` makes a call. It loads PyTorch's compiler, for who asks for a fallback alone."""
    found: Callable[..., Any] = torch.compiler.disable(_call)
    return found


@dataclass(slots=True)
class Mode:
    """How many `with` blocks, and the environment, have asked for PyTorch's counterparts. `untraced` calls a function outside
    of a trace, which would have to know what can be had, while there are such blocks."""

    depth: int
    untraced: Callable[..., Any]

    def enter(self) -> None:
        self.untraced = _outside_of_traces()
        self.depth += 1


MODE = Mode(0, _call)
if os.environ.get("UOL_FALLBACK", "") not in ("", "0"):
    MODE.enter()


class FallbackWarning(UserWarning):
    """PyTorch computes an operator in the place of uol."""


@contextmanager
def fallback() -> Iterator[None]:
    """Within it, PyTorch computes what no kernel can be had for: on a device without a backend, a driver or a compiler, and
    where a backend refuses an operator or a type. A warning says so, once for an operator. It holds for all threads of the
    process; `UOL_FALLBACK=1` in the environment is the same for a whole process. The first one loads PyTorch's compiler.

    What PyTorch computes has PyTorch's gradient, and rounds as PyTorch does; types of less than 32 bits are computed in f32.
    An operator without a counterpart (a user's, without `reference=`) is refused as ever, and so is a gradient whose operator
    has a kernel while itself has none.

    >>> from uol import ops
    >>> with fallback():
    ...     y = ops.relu(torch.ones(3))        # a kernel of uol's, where there is one
    """
    MODE.enter()
    try:
        yield
    finally:
        MODE.depth -= 1


def advised(op: Op, error: UolError) -> UolError:
    """The error with a next step more, where there is one."""
    if has_counterpart(op):
        step = "or let PyTorch compute it: `with uol.fallback():`"
        error.hint = f"{error.hint}; {step}" if error.hint else step
    return error


def has_counterpart(op: Op) -> bool:
    """Does PyTorch compute the operator, and its gradient? (That of a gradient is asked of its forward.)"""
    return has_reference(op.name) and not op.name.endswith(GRADIENT)


_warned: set[str] = set()


def or_pytorch(op: Op, call: Callable[[], Any], counterpart: Callable[[], Any]) -> Any:
    """What `call` gives; what `counterpart` does where no kernel of the operator can be had."""
    try:
        return call()
    except NO_KERNEL as error:
        if not has_counterpart(op):
            raise
        if op.name not in _warned:
            _warned.add(op.name)
            warnings.warn(f"PyTorch computes {op.name} ({error.message})", FallbackWarning, stacklevel=6)
        return counterpart()


def by_pytorch(op: Op, inputs: Sequence[Tensor], attributes: Mapping[str, Any], results: Sequence[Form]) -> Any:
    """PyTorch's results, in the types of the operator's. They are differentiable, where an input is."""
    given = [_computed(x) for x in inputs]
    with torch.device(inputs[0].device):  # what a reference makes on its way lies there, too
        found = differentiable_reference(op.name)(*given, **attributes)
    each = found if isinstance(found, tuple | list) else (found,)
    outs = [_as_result(y, given, *form) for y, form in zip(each, results, strict=True)]
    return outs[0] if len(outs) == 1 else tuple(outs)


def _computed(x: Tensor) -> Tensor:
    """An input in the type that PyTorch computes it in."""
    if x.is_floating_point():
        return x if x.dtype.itemsize >= torch.float32.itemsize else x.float()
    return x if x.dtype is torch.bool else x.long()


def _as_result(y: Tensor, inputs: Sequence[Tensor], size: Sizes, dtype: torch.dtype) -> Tensor:
    if dtype.is_floating_point and not y.numel() and not y.requires_grad:  # it depends on none of them, and yet has a gradient
        y = y + sum(x.sum() for x in inputs if x.requires_grad)
    typed = y.to(dtype)
    return typed if typed.shape == size else typed.expand(size)
