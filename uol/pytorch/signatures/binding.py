"""The arguments of a call by name, with PyTorch's defaults, and the form of the function that they fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from uol.ir.errors import TypeCheckError
from uol.ops.signatures import Form

Bind = Callable[..., dict[str, Any]]

ALSO = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x2": "other", "tensor": "input"}
"""Names that PyTorch takes beside its own, for who comes from numpy."""


def signature_of(form: Form) -> inspect.Signature:
    """The arguments as PyTorch declares them."""
    return inspect.signature(_made(f"lambda {_plain(form.of)}: None"))


def binder_of(form: Form) -> Bind:
    """The function that gives the arguments of a call by name. It raises TypeError for those that do not fit, as any does."""
    names = ", ".join(f"{name!r}: {name}" for name in signature_of(form).parameters)
    return _made(f"lambda {_plain(form.of)}: {{{names}}}")  # type: ignore[no-any-return]


def bound(form: Form, bind: Bind, given: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name. Raises TypeCheckError for those that do not fit, with what PyTorch takes."""
    try:
        return bind(*given, **named)
    except TypeError as error:
        said = str(error).replace("<lambda>()", form.name)
    renamed = _renamed(form, named)
    if renamed is not None:
        return bound(form, bind, given, renamed)
    raise TypeCheckError(said, hint=f"as PyTorch has it: {form.name}({_plain(form.of)}); by its text: uol.ops.text.{form.text}")


def fits(form: Form, arguments: Mapping[str, Any], needed: Sequence[str]) -> bool:
    """Are there tensors where the form has tensors, and none where it has none? `needed`: the arguments without a default."""
    for name, value in arguments.items():
        if isinstance(value, Tensor):
            if name not in form.tensors:
                return False
        elif (name == "input" and name in needed) or (name in form.tensors and name in needed and _is_list(value)):
            return False
    return all(isinstance(arguments[name], bool) for name in _truths(form))


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence)


def _truths(form: Form) -> list[str]:
    return [part.split(":")[0].strip() for part in form.of.split(",") if ": bool" in part]


def _plain(of: str) -> str:
    return of.replace(": bool", "")


def _renamed(form: Form, named: Mapping[str, Any]) -> dict[str, Any] | None:
    known = signature_of(form).parameters
    found = {ALSO[name] if name not in known and ALSO.get(name) in known else name: value for name, value in named.items()}
    return found if len(found) == len(named) and found.keys() != named.keys() else None


def _made(text: str) -> Any:
    return eval(text, {"__builtins__": {}})  # of a row of our table
