"""What each operator should give, computed by PyTorch: independent of the texts, of the interpreter and of every kernel.

A family's references are the table `REFERENCES` of the module of its name. A reference takes the operator's inputs as
tensors in their order, float64 (or float32, where it is asked to; or int64, or bool) and already rounded to their types,
and the attributes that the caller gave by keyword; it gives a tensor, or one for each result. Where a text rounds what its
result is made of, its reference has a parameter `rounded`, a function that rounds to the type of the first input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import signature
from types import BuiltinFunctionType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import UolError
from uol.ops.references.gradients import by_autograd, formula_of, forward_of
from uol.ops.texts import family_of
from uol.ops.variadic import torch_function

if TYPE_CHECKING:
    import torch

Array = NDArray[np.generic]
Attributes = Mapping[str, int | float]
Reference = Callable[..., object]

Registered = Reference
"""A user's reference: takes the inputs as tensors and the attributes by keyword; gives a tensor, or one a result."""

_registered: dict[str, Registered] = {}


def register_reference(op: str, function: Registered) -> None:
    """Take a reference in for an operator that is not of the library."""
    _registered[op] = function


def has_reference(op: str) -> bool:
    """Is there a reference for this operator? Every one of the library has one, and so has its gradient."""
    forward = forward_of(op)
    return family_of(op) is not None or _own_reference(op) is not None or (forward is not None and has_reference(forward.name))


def reference(
    op: str,
    inputs: Mapping[str, Array],
    attrs: Attributes,
    *,
    precision: str = "f64",
    results: Sequence[str] = ("y",),
    dtype: str = "f64",
) -> dict[str, Array]:
    """The operator's results by PyTorch, in `precision` ("f64" or "f32"); `results` are their names, `dtype` the type of the
    first input, to which its text may round on the way.

    >>> reference("relu", {"x": np.array([-1.0, 2.0])}, {})["y"]
    array([0., 2.])
    """
    import torch

    from uol.ops.references.rounding import rounding_to

    computed = torch.float32 if precision == "f32" else torch.float64
    tensors = {name: _tensor(array, computed) for name, array in inputs.items()}
    forward = forward_of(op)
    with torch.no_grad():
        if forward is not None:
            given: object = by_autograd(forward, differentiable_reference(forward.name), tensors, attrs)
        else:
            function = reference_function(op)
            rounding = {"rounded": rounding_to(dtype)} if _asks_for_rounding(function) else {}
            given = function(*tensors.values(), **attrs, **rounding)
    each = given if isinstance(given, tuple | list) else (given,)
    if len(each) != len(results) or not all(isinstance(result, torch.Tensor) for result in each):
        raise UolError(f"the reference of {op!r} must give a tensor for each of: {', '.join(results)}")
    return {name: result.numpy() for name, result in zip(results, each, strict=True)}


def _asks_for_rounding(function: Reference) -> bool:
    """Is there a parameter of that name? A built-in function of PyTorch says nothing of its parameters, and has none."""
    return not isinstance(function, BuiltinFunctionType) and "rounded" in signature(function).parameters


def reference_function(op: str) -> Reference:
    """The reference of an operator, as a function of tensors. Raises UolError where there is none."""
    found = _own_reference(op)
    if found is None:
        raise UolError(f"no reference for operator {op!r}", hint="give one: `uol.op(text, reference=...)`")
    return found


def differentiable_reference(op: str) -> Reference:
    """The reference of an operator, or its formula where PyTorch has no gradient for some input."""
    return formula_of(op) or reference_function(op)


def _own_reference(op: str) -> Reference | None:
    """The library's, one that was registered, or that of a generated operator."""
    family = family_of(op)
    if family is None:
        return _registered.get(op) or torch_function(op)
    table: Mapping[str, Reference] = import_module(f"uol.ops.references.{family}").REFERENCES
    if op not in table:
        raise UolError(f"no reference for operator {op!r}", hint=f"REFERENCES of ops/references/{family}.py has none")
    return table[op]


def _tensor(array: Array, dtype: torch.dtype) -> torch.Tensor:
    import torch

    tensor = torch.from_numpy(np.array(array, order="C"))
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
