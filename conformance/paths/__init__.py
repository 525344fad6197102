"""Model paths: whole networks made of operators, on real input, checked on every target.

A path is a module of this folder with `conform(options, progress) -> PathReport`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from uol.ir.errors import UolError

if TYPE_CHECKING:
    from uol.conformance.paths.record import PathModule

PATHS = ("resnet50",)


def path_named(name: str) -> PathModule:
    """The module of a path. Raises UolError, with the paths there are, for any other name."""
    if name not in PATHS:
        raise UolError(f"unknown path {name!r}", hint=f"the paths are {', '.join(PATHS)}")
    return cast("PathModule", import_module(f"uol.conformance.paths.{name}"))
