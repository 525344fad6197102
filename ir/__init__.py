"""The language: text, surface tree, typed program, golden value.

Everything is loaded when it is first asked for, so that `import uol.ir` is cheap and loads neither TVM nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uol.ir.checker.checker import check as check
    from uol.ir.checker.instantiation import instantiate as instantiate
    from uol.ir.errors import BoundsError as BoundsError
    from uol.ir.errors import DataError as DataError
    from uol.ir.errors import ParseError as ParseError
    from uol.ir.errors import ResourceError as ResourceError
    from uol.ir.errors import ScheduleError as ScheduleError
    from uol.ir.errors import ShapeError as ShapeError
    from uol.ir.errors import ToolchainError as ToolchainError
    from uol.ir.errors import TypeCheckError as TypeCheckError
    from uol.ir.errors import UolError as UolError
    from uol.ir.integers.facts import Facts as Facts
    from uol.ir.library import Library as Library
    from uol.ir.program.dtype_encoding import encode as encode
    from uol.ir.program.interpreter import interpret as interpret
    from uol.ir.program.nodes import Program as Program
    from uol.ir.syntax.parser import parse as parse
    from uol.ir.syntax.printer import print_op as print_op
    from uol.ir.syntax.printer import print_ops as print_ops
    from uol.ir.syntax.surface import Op as Op

_HOMES = {
    "check": "checker.checker",
    "Facts": "integers.facts",
    "instantiate": "checker.instantiation",
    "encode": "program.dtype_encoding",
    "interpret": "program.interpreter",
    "Library": "library",
    "Program": "program.nodes",
    "parse": "syntax.parser",
    "print_op": "syntax.printer",
    "print_ops": "syntax.printer",
    "Op": "syntax.surface",
    **dict.fromkeys(
        (
            "UolError",
            "ParseError",
            "TypeCheckError",
            "BoundsError",
            "ShapeError",
            "DataError",
            "ResourceError",
            "ScheduleError",
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
