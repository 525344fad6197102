"""PyTorch's functions that are written in Python, as what they are made of.

Such a function asks for a mode before it does anything, and a mode that calls it again is asked again. What is entered here is
the same code with that question answered by no: what it calls is asked for in turn. So attention of `nn.MultiheadAttention`
comes as its products, and checkpointed layers, which are computed again within `backward`, come as they did before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import FunctionType
from typing import Any


def _never(*_: object) -> bool:
    return False


QUESTIONS = {name: _never for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")}
"""The names under which PyTorch's modules know the question."""


@cache
def body_of(function: Any) -> Callable[..., Any] | None:
    """The function past its question; None for what is not written in Python, or asks in another way."""
    if not isinstance(function, FunctionType) or not QUESTIONS.keys() & {*function.__code__.co_names}:
        return None
    return with_names(function, QUESTIONS)


def with_names(function: FunctionType, names: Mapping[str, Any]) -> FunctionType:
    """The same code, which finds other values under some names of its module. It sees the module's others as they are now."""
    code, known = function.__code__, {**function.__globals__, **names}
    changed = FunctionType(code, known, function.__name__, function.__defaults__, function.__closure__)
    changed.__kwdefaults__ = function.__kwdefaults__
    return changed
