"""Model paths: whole networks made of operators, on real input, checked on every target.

A path is a room of this folder; its module `inference` has `conform(options, progress) -> PathReport`, its module `task` what
training asks of it. `record` and `facts` serve all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from uol.ir.errors import UolError

if TYPE_CHECKING:
    from uol.conformance.paths.record import PathModule

PATHS = ("resnet50",)


def path_named(name: str) -> PathModule:
    """The module of a path that checks it. Raises UolError, with the paths there are, for any other name."""
    if name not in PATHS:
        raise UolError(f"unknown path {name!r}", hint=f"the paths are {', '.join(PATHS)}")
    return cast("PathModule", import_module(f"uol.conformance.paths.{name}.inference"))
