"""Operators as PyTorch operators: `uol.ops.<name>`, `torch.ops.uol.<name>`.

An operator is defined when it is first named, with a schema, an implementation, a fake one for tracing, and an `out`
overload: to define the whole library takes most of a second, and its texts have to be read. `define_all` does that.
`Library.impl` costs a third of `torch.library.custom_op` at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import torch

from uol.ir.errors import UolError
from uol.ir.forking import fork_lock, unforked
from uol.ir.library import GRADIENT
from uol.ir.syntax.surface import Op
from uol.operators.registry import catalogue, find_operator
from uol.pytorch import autocast
from uol.pytorch.call import TorchOperator
from uol.pytorch.gradient import Gradient, register
from uol.pytorch.layers.option_variants import with_forms
from uol.pytorch.namespace import underway
from uol.pytorch.schema import schemas

_library = torch.library.Library("uol", "DEF")
DEFINING = fork_lock()
"""An operator is defined once, by whichever thread names it first."""
_defined: dict[str, TorchOperator] = {}
_refused: dict[str, str] = {}


def define_all() -> None:
    """Defines the operators that PyTorch does not know yet. One that it refuses leaves the others alone."""
    for op in catalogue():
        define(op)


def define(op: Op) -> None:
    """Makes an operator known to PyTorch, where it is not yet. What PyTorch refuses, `operator` says."""
    with unforked(firmly=True), DEFINING:
        if op.name in _defined or op.name in _refused:
            return
        try:
            own = _define(op)
        except RuntimeError as error:
            _refused[op.name] = str(error).split(":")[0]
            return
        if not op.name.endswith(GRADIENT):  # the types of a gradient were settled by the forward
            autocast.register(own.gradient, _library)
        _defined[op.name] = own


def defined() -> Mapping[str, TorchOperator]:
    """The operators that PyTorch knows, by name."""
    return _defined


def forget_sizes() -> None:
    """Every operator as before its first call: what a process called before does not say which kernels a measurement meets."""
    for own in _defined.values():
        own.forget_sizes()


@cache
def operator(name: str) -> Callable[..., object]:
    """The function behind `uol.ops.<name>`. Raises UolError for an unknown name."""
    define(find_operator(name))
    if name in _refused:
        message = f"PyTorch takes no operator {name}: {_refused[name]}"
        raise UolError(message, hint="its inputs and attributes are called like words of PyTorch's schemas: rename them")
    return with_forms(_defined[name].op, _defined[name].function(), operator)


def require_first(op: Op) -> None:
    """Raises UolError for the text of a gradient that comes after another one was derived, and called."""
    forward = _defined.get(op.name.removesuffix(GRADIENT)) if op.name.endswith(GRADIENT) else None
    if forward is not None and forward.gradient.is_settled and catalogue().get(op.name) != op:
        message = f"{op.name} comes too late: {forward.op.name} was differentiated by the gradient that there was"
        raise UolError(message, hint=f"register both in one text, or before the first backward of {forward.op.name}")


def generated(op: Op) -> Gradient:
    """An operator that was made from another one's text, as autograd knows it; defined now, where PyTorch does not know it."""
    with unforked(firmly=True), DEFINING:
        if op.name not in _defined:
            _defined[op.name] = _define(op)
        return _defined[op.name].gradient


def _define(op: Op) -> TorchOperator:
    plain, with_out = schemas(op)
    with underway(op.name):
        _library.define(plain)
        _library.define(with_out)
    own = TorchOperator(op, generated)
    for key in ("CPU", "CompositeExplicitAutograd"):  # the second for any other device: `devices` knows which run
        _library.impl(op.name, own.compute, key)
        _library.impl(f"{op.name}.out", own.compute_into, key)
    torch.library.register_fake(f"uol::{op.name}", own.fake, lib=_library)
    torch.library.register_fake(f"uol::{op.name}.out", own.fake_into, lib=_library)
    register(own.gradient, _library)
    return own


for _registered in catalogue().added:  # before PyTorch was there
    define(_registered)
