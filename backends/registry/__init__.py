"""The targets by name: every folder of `uol.backends` with a `backend.py`, and those that a program registers.

    get("cuda")  ->  uol.backends.cuda.backend.BACKEND

A target's module is imported when it is first asked for, never before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import uol.backends
from uol.codegen.backend import Backend
from uol.ir.errors import UolError
from uol.ir.forking import unforked

Factory = Callable[[], Backend]

_registered: dict[str, Factory] = {}
_instances: dict[str, Backend] = {}


def names() -> tuple[str, ...]:
    """Every target, sorted: `("ascendc", "cpu", "cuda", "hip")` and whatever was registered."""
    return tuple(sorted({*_folders(), *_registered}))


def get(name: str) -> Backend:
    """The target called `name`. Raises UolError, with the names there are, for any other."""
    if name not in _instances:
        _instances[name] = _factory(name)()
    return _instances[name]


def register(name: str, factory: Factory) -> None:
    """Adds a target that lives outside `uol.backends`. A name that is taken is refused."""
    if not name.isidentifier():
        raise UolError(f"{name!r} is not a name for a target", hint="use letters, digits and underscores")
    if name in names():
        raise UolError(f"target {name!r} is registered already", hint=f"choose a name other than {', '.join(names())}")
    _registered[name] = factory


def unregister(name: str) -> None:
    """Takes a registered target away again; a folder's target stays."""
    if _registered.pop(name, None) is not None:
        _instances.pop(name, None)


def _factory(name: str) -> Factory:
    if name in _registered:
        return _registered[name]
    if name in _folders():
        return lambda: _import(name)
    raise UolError(f"there is no target {name!r}", hint=f"the targets are {', '.join(names())}")


def _import(name: str) -> Backend:
    with unforked(firmly=True):
        backend: Backend = import_module(f"uol.backends.{name}.backend").BACKEND
    return backend


@cache
def _folders() -> frozenset[str]:
    return frozenset(file.parent.name for root in uol.backends.__path__ for file in Path(root).glob("*/backend.py"))
