"""The language: text, surface tree, typed program, golden value.

Everything is loaded when it is first asked for, so that `import uol.ir` is cheap and loads neither TVM nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uol.ir.checker import check as check
    from uol.ir.errors import BoundsError as BoundsError
    from uol.ir.errors import DataError as DataError
    from uol.ir.errors import ParseError as ParseError
    from uol.ir.errors import ResourceError as ResourceError
    from uol.ir.errors import ShapeError as ShapeError
    from uol.ir.errors import ToolchainError as ToolchainError
    from uol.ir.errors import TypeCheckError as TypeCheckError
    from uol.ir.errors import UolError as UolError
    from uol.ir.facts import Facts as Facts
    from uol.ir.instantiation import instantiate as instantiate
    from uol.ir.interpreter import interpret as interpret
    from uol.ir.library import Library as Library
    from uol.ir.nodes import Program as Program
    from uol.ir.parser import parse as parse
    from uol.ir.printer import print_op as print_op
    from uol.ir.printer import print_ops as print_ops
    from uol.ir.syntax import Op as Op

_HOMES = {
    "check": "checker",
    "Facts": "facts",
    "instantiate": "instantiation",
    "interpret": "interpreter",
    "Library": "library",
    "Program": "nodes",
    "parse": "parser",
    "print_op": "printer",
    "print_ops": "printer",
    "Op": "syntax",
    **dict.fromkeys(
        (
            "UolError",
            "ParseError",
            "TypeCheckError",
            "BoundsError",
            "ShapeError",
            "DataError",
            "ResourceError",
            "ToolchainError",
        ),
        "errors",
    ),
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'uol.ir' has no attribute '{name}'")
    return getattr(import_module(f"uol.ir.{home}"), name)
