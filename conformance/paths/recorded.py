"""What a function on PyTorch tensors computes with: its calls of uol's operators, and whatever else it asks PyTorch for.

    run = recorded(lambda: model(x).sum().backward())
    run.calls[0].op, run.foreign        # 'conv2d', frozenset()

Views, allocations, copies within one layout, and the sums in which autograd adds up the gradients of a tensor that is read
several times are nobody's operators; all else of PyTorch is foreign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from uol.conformance.accuracy.interval import Array
from uol.pytorch.bridge import defined, operator
from uol.pytorch.call import TorchOperator

NAMESPACE = "uol"
ALLOCATIONS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "zeros", "zeros_like", "new_zeros"}
ALLOCATIONS |= {"ones", "ones_like", "clone"}
BOOKKEEPING = {"detach", "detach_", "alias", "_unsafe_view", "copy_", "fill_", "zero_", "_to_copy", "set_", "lift_fresh"}
"""What moves or sets values without computing with them."""
ACCUMULATION = {"add", "add_"}
"""How autograd adds up the gradients of one tensor, and of one parameter."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operator: its inputs by position, its options as PyTorch was given them, and its results."""

    op: str
    inputs: tuple[torch.Tensor, ...]
    options: Mapping[str, Any]
    results: tuple[torch.Tensor, ...] = ()

    @property
    def operator(self) -> TorchOperator:
        """What PyTorch calls; it is known there once it has been looked up."""
        if self.op not in defined():
            operator(self.op)
        return defined()[self.op]

    def values(self) -> tuple[Array, ...]:
        """The inputs as float64, or as the integers that they are."""
        plain = [x.detach().resolve_neg() for x in self.inputs]
        return tuple((x.double() if x.is_floating_point() else x).contiguous().numpy() for x in plain)


@dataclass(slots=True)
class Run:
    """The calls of a run, in order, and the names of PyTorch's operators beside them."""

    calls: list[Call] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)


def recorded(function: Callable[[], object]) -> Run:
    """Runs the function, forward and what it calls backward, and says what it called."""
    run = Run()
    with _Recorder(run):
        function()
    return run


def operator_name(function: Any) -> str | None:
    """The name of uol's operator behind what PyTorch dispatches; None where it is PyTorch's own."""
    return function._schema.name.partition("::")[2] if function.namespace == NAMESPACE else None


def call_of(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """A call as PyTorch dispatches it, without its results."""
    named = dict(zip((a.name for a in function._schema.arguments), args, strict=False)) | dict(kwargs)
    written = {id(x) for x in results_given(function, kwargs)}
    tensors = tuple(v for v in named.values() if isinstance(v, torch.Tensor) and id(v) not in written)
    options = {n: v for n, v in named.items() if not isinstance(v, torch.Tensor)}
    return Call(operator_name(function) or "", tensors, options)


def results_given(function: Any, kwargs: Mapping[str, Any]) -> tuple[torch.Tensor, ...]:
    """The tensors that a call of the `out` form writes."""
    outs = (a for a in function._schema.arguments if a.kwarg_only)
    return tuple(kwargs[a.name] for a in outs if a.alias_info is not None and a.alias_info.is_write)


class _Recorder(TorchDispatchMode):
    def __init__(self, run: Run) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        self.run = run

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        results = func(*args, **given)
        name = operator_name(func)
        if name is not None:
            made = (results,) if isinstance(results, torch.Tensor) else tuple(results or results_given(func, given))
            self.run.calls.append(replace(call_of(func, args, given), results=made))
        elif is_foreign(func):
            self.run.foreign.add(str(func))
        return results


def is_foreign(function: Any) -> bool:
    """Does an operator of PyTorch compute something that is neither a view nor autograd's adding up?"""
    name = function._schema.name.partition("::")[2]
    return not (function.is_view or name in ALLOCATIONS | BOOKKEEPING | ACCUMULATION)
