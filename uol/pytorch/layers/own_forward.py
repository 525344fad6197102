"""Modules that are no layers of PyTorch's: the functions that their `forward` calls.

`forward` is run as it is written, with other functions in the place of some of those that it names: attention, activations,
norms and softmax of `torch.nn.functional`, and functions of one's own that are norms, softmax or SiLU written out (`patterns`)
or rotary embeddings (`rotary_patterns`). So a call costs
what it did. What `uol` refuses at a call is PyTorch's at that call, and all is PyTorch's while `torch.compile` traces.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from uol.ir.errors import UolError
from uol.pytorch.eager.bodies import with_names
from uol.pytorch.eager.faces import faces
from uol.pytorch.eager.mode import result_of, why_left
from uol.pytorch.layers.patterns import Pattern, pattern_of
from uol.pytorch.layers.rotary_patterns import Rotary, rotary_of

TAKEN = (
    *(functional.scaled_dot_product_attention, functional.silu, functional.gelu, functional.softmax, functional.log_softmax),
    *(functional.rms_norm, functional.layer_norm, torch.softmax, torch.log_softmax),
)
"""Functions whose kernels are worth a call of their own in eager mode."""
MODULES = (torch, torch.nn, functional)
"""Whose attributes `forward` names them as."""


def taken(function: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch's function, by `uol` where it is not refused."""
    face = faces()[function]

    def call(*args: Any, **named: Any) -> Any:
        if why_left(args, named) is None:
            try:
                return result_of(face, args, named)
            except UolError:
                pass
        return function(*args, **named)

    return call


def by_pattern(text: Callable[..., Any], pattern: Pattern, owner: nn.Module | None = None) -> Callable[..., Any]:
    """What a text computes, by `uol` where the pattern holds; else by the text."""
    function = taken(pattern.function)

    def call(*args: Any, **named: Any) -> Any:
        if named or not pattern.fits(args, owner):
            return text(*args, **named)
        return function(*pattern.bound(args, owner))

    return call


def by_rotary(text: Callable[..., Any], rotary: Rotary) -> Callable[..., Any]:
    """A rotary embedding that is written out, by `uol` where its tables have a form that was found; else by the text."""

    def call(*args: Any, **named: Any) -> Any:
        if not named and why_left(args, named) is None:
            try:
                found = rotary(args)
                if found is not None:
                    return found
            except UolError:
                pass
        return text(*args, **named)

    return call


class _Names:
    """A module of PyTorch's with other functions in it."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = _in_the_place_of(getattr(self._module, name))
        setattr(self, name, found)
        return found


def _in_the_place_of(value: Any) -> Any:
    if any(value is each for each in MODULES):
        return _Names(value)
    if any(value is each for each in TAKEN):
        return taken(value)
    pattern = _pattern_of_ones_own(value)
    if isinstance(pattern, Rotary):
        return by_rotary(value, pattern)
    return value if pattern is None else by_pattern(value, pattern)


def _pattern_of_ones_own(value: Any) -> Pattern | Rotary | None:
    """What a function computes that is not PyTorch's; None for what is no such function, and where it is not known."""
    return _pattern(value) if isinstance(value, FunctionType) and not (value.__module__ or "").startswith("torch.") else None


@cache
def _pattern(function: Callable[..., Any]) -> Pattern | Rotary | None:
    return pattern_of(function) or rotary_of(function)


def changed_forward(own: type[nn.Module]) -> tuple[Callable[..., Any], list[str]] | None:
    """`forward` with functions of `uol`, and which they are; None where it calls none that is taken."""
    forward = own.forward
    if not isinstance(forward, FunctionType):
        return None
    names = list(_called(forward))
    kept = [name for name, function in names if _is_taken(function)]
    if not kept:
        return None
    given = forward.__globals__
    known = {name: _in_the_place_of(given[name]) for name in _names(forward.__code__) if name in given}
    return with_names(forward, known), kept


def left_functions(own: type[nn.Module]) -> list[str]:
    """The functions that `forward` names and that stay as they are, of PyTorch's and of one's own."""
    forward = own.forward
    if not isinstance(forward, FunctionType):
        return []
    return [name for name, function in _called(forward) if not _is_taken(function)]


def _is_taken(function: Any) -> bool:
    return any(function is each for each in TAKEN) or _pattern_of_ones_own(function) is not None


def _called(forward: FunctionType) -> Iterator[tuple[str, Any]]:
    """The functions that are named, once each: globals, and attributes of PyTorch's modules."""
    seen = set()
    for name, value in _named(forward.__code__, forward.__globals__):
        if callable(value) and not inspect.isclass(value) and name not in seen:
            seen.add(name)
            yield name, value


def _named(code: CodeType, known: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the text names, and those names' last parts: `silu` of `torch.nn.functional.silu`."""
    name, value = "", None
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD") and any(value is each for each in MODULES):
            name, value = step.argval, getattr(value, step.argval, None)
        else:
            yield name, value
            name, value = (step.argval, known.get(step.argval)) if step.opname == "LOAD_GLOBAL" else ("", None)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _named(each, known)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


@cache
def with_functions(own: Any) -> type[nn.Module] | None:
    """The class whose `forward` calls functions of `uol`; None where it calls none that is taken."""
    changed = changed_forward(own)
    if changed is None:
        return None
    function, written = changed[0], own.forward

    def forward(self: nn.Module, *args: Any, **named: Any) -> Any:
        return (written if torch.compiler.is_compiling() else function)(self, *args, **named)

    return _subclass(own, forward)


@cache
def with_pattern(own: Any) -> type[nn.Module]:
    """The class whose `forward` is the pattern that a module keeps as `PATTERN`."""
    written = own.forward

    def forward(self: nn.Module, *args: Any, **named: Any) -> Any:
        pattern = self.__dict__.get(PATTERN)
        if pattern is None or named or torch.compiler.is_compiling() or not pattern.fits(args, self):
            return written(self, *args, **named)
        return taken(pattern.function)(*pattern.bound(args, self))

    return _subclass(own, forward)


PATTERN = "_uol_pattern"
"""Where a module keeps what its `forward` was found to compute, with the numbers that it had then."""


def parent_of(own: type[nn.Module]) -> type[nn.Module] | None:
    """The class that such a one was made of; None for any other."""
    found: type[nn.Module] | None = own.__dict__.get("_uol_parent")
    return found


def _subclass(own: type[nn.Module], forward: Callable[..., Any]) -> type[nn.Module]:
    def reduced(self: nn.Module, protocol: object) -> Any:  # pickle finds no class that was made on the spot
        return _again, (own, PATTERN in self.__dict__), self.__dict__

    more = {
        "forward": forward,
        "_uol_parent": own,
        "__reduce_ex__": reduced,
        "__module__": own.__module__,
        "__doc__": own.__doc__,
    }
    return type(own.__name__, (own,), more)


def _again(own: Any, is_pattern: bool) -> nn.Module:
    found = with_pattern(own) if is_pattern else with_functions(own)
    assert found is not None
    made: nn.Module = found.__new__(found)
    return made
