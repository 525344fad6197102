"""Functions that write over their first argument: `x.add_(y)`, `x += y`, `F.relu(x, inplace=True)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from uol.ir.errors import TypeCheckError
from uol.ops.signatures import forms_of
from uol.pytorch.bridge import defined


def overwrite(function: Callable[..., Any], name: str, given: Sequence[Any], named: dict[str, Any]) -> Tensor:
    """x, with the result where its values were. Raises TypeCheckError, and x is as it was, where the result has another shape
    or type than x.

    An activation without options writes in one pass where it may. Else the result is copied; while gradients are recorded,
    what a gradient reads of x is a copy of it.
    """
    x, *rest = given
    if not isinstance(x, Tensor):
        raise TypeCheckError(f"{name}: what is written over is no tensor")
    if not rest and not named:
        written = _in_one_pass(name, x)
        if written is not None:
            return written
    found = function(x.clone() if torch.is_grad_enabled() and _reads_first(name, given) else x, *rest, **named)
    if not isinstance(found, Tensor) or found.shape != x.shape or found.dtype != x.dtype:
        raise TypeCheckError(f"{name}: the result has another shape or type than what is written over")
    x.copy_(found)
    return x


def _in_one_pass(name: str, x: Tensor) -> Tensor | None:
    forms = forms_of(name)
    own = defined().get(forms[0].text) if len(forms) == 1 and len(forms[0].tensors) == 1 and not forms[0].attributes else None
    return None if own is None else own.overwrite(x, {})


def _reads_first(name: str, given: Sequence[Any]) -> bool:
    """May the gradient read the first argument?"""
    if not any(isinstance(x, Tensor) and x.requires_grad for x in given):
        return False
    own = defined().get(forms_of(name)[0].text)
    if own is None or own.gradient.saving is not None:
        return True
    way = own.gradient.way((True,) * len(own.names))
    return way is None or 0 in way.kept
