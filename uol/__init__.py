"""uol: an operator is written once; CUDA, HIP, Ascend C and CPU kernels come from that one text.

    uol.compile("softmax", target="hip:mi250x", dtype="f16", dims={"S": 4096, "C": 1024}).source
    uol.ops.softmax(x)                      # a PyTorch operator
    uol.op("op twice(x: T[*S]) -> (y: T[*S]) for T in (f32, f16) { y[*s] = x[*s] + x[*s] }")

Everything here is loaded when it is first used: `import uol` and `import uol.ir` load neither PyTorch nor TVM.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from uol import ops
from uol.ops import text as _by_text

if TYPE_CHECKING:
    from uol.checking import checked
    from uol.compiler import Compiled, compile
    from uol.ir.errors import (
        BoundsError,
        ContractError,
        DataError,
        DeviceError,
        ParseError,
        RefusalError,
        ResourceError,
        ScheduleError,
        ShapeError,
        ToolchainError,
        TypeCheckError,
        UolError,
    )
    from uol.ir.syntax.expression_handles import fn
    from uol.operators.registration import op
    from uol.pytorch.eager.mode import enabled
    from uol.pytorch.fallback import fallback
    from uol.pytorch.layers.freeze import freeze
    from uol.pytorch.layers.replace import replace
    from uol.pytorch.optimisers.classes import SGD, AdamW
    from uol.pytorch.optimisers.narrow_copies import NarrowCopies

__version__ = "0.1.0"

_HOME = {
    "compile": "uol.compiler",
    "Compiled": "uol.compiler",
    "op": "uol.operators.registration",
    "checked": "uol.checking",
    "fn": "uol.ir.syntax.expression_handles",
    "enabled": "uol.pytorch.eager.mode",
    "fallback": "uol.pytorch.fallback",
    "replace": "uol.pytorch.layers.replace",
    "freeze": "uol.pytorch.layers.freeze",
    "SGD": "uol.pytorch.optimisers.classes",
    "AdamW": "uol.pytorch.optimisers.classes",
    "NarrowCopies": "uol.pytorch.optimisers.narrow_copies",
    "UolError": "uol.ir.errors",
    "ParseError": "uol.ir.errors",
    "TypeCheckError": "uol.ir.errors",
    "BoundsError": "uol.ir.errors",
    "ShapeError": "uol.ir.errors",
    "ContractError": "uol.ir.errors",
    "DataError": "uol.ir.errors",
    "DeviceError": "uol.ir.errors",
    "RefusalError": "uol.ir.errors",
    "ResourceError": "uol.ir.errors",
    "ScheduleError": "uol.ir.errors",
    "ToolchainError": "uol.ir.errors",
}
_PACKAGES = ("ir", "codegen", "backends", "conformance", "pytorch")

__all__ = [
    "SGD",
    "AdamW",
    "BoundsError",
    "Compiled",
    "ContractError",
    "DataError",
    "DeviceError",
    "NarrowCopies",
    "ParseError",
    "RefusalError",
    "ResourceError",
    "ScheduleError",
    "ShapeError",
    "ToolchainError",
    "TypeCheckError",
    "UolError",
    "__version__",
    "checked",
    "compile",
    "enabled",
    "fallback",
    "fn",
    "freeze",
    "op",
    "ops",
    "replace",
]


@contextmanager
def _loading() -> Iterator[None]:
    """Something is imported within it: no other thread forks, and no cycles are looked for.

    What an import makes stays, so that a search finds nothing; one among PyTorch's objects takes 50 ms, a third of all.
    """
    from uol.ir.forking import unforked

    searches = gc.isenabled()
    gc.disable()
    try:
        with unforked(firmly=True):
            yield
    finally:
        if searches:
            gc.enable()


def _operator(name: str) -> object:
    """The PyTorch operator behind `uol.ops.<name>`; torch is loaded here, and only for a name that there is."""
    with _loading():
        return _found_operator(name)


def _text(name: str) -> object:
    """The operator behind `uol.ops.text.<name>`."""
    with _loading():
        return _found_text(name, "uol.ops.text")


def _found_operator(name: str) -> object:
    from uol.ops.signatures import forms_of

    if name == "foreach":
        return import_module("uol.pytorch.foreach")
    if name == "text":
        return import_module("uol.ops.text")
    if forms_of(name):
        return import_module("uol.pytorch.signatures.functions").function(name)
    return _found_text(name, "uol.ops")


def _found_text(name: str, module: str) -> object:
    from uol.ops.other_names import ALIASES
    from uol.ops.variadic import VARIADIC

    asked, name = name, ALIASES.get(name, name)
    if name in VARIADIC:
        return import_module("uol.pytorch.variadic").FACES[name]
    if name.endswith("_") and import_module("uol.ops.aliasing").aliases_of(name[:-1]):
        return import_module("uol.pytorch.in_place").in_place_function(name[:-1])
    registry = import_module("uol.operators.registry")
    if not registry.is_known(name):
        hint = registry.nearest_operator(asked)
        raise AttributeError(f"module {module!r} has no operator {asked!r}" + (f": {hint}" if hint else ""))
    return import_module("uol.pytorch.bridge").operator(name)


ops.provide(_operator)
_by_text.provide(_text)
if "torch" in sys.modules:  # so that `torch.ops.uol.<name>` finds what it names, in a graph that was exported elsewhere
    import_module("uol.pytorch.namespace")


def __getattr__(name: str) -> object:
    if name in _HOME:
        with _loading():
            value: object = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name in _PACKAGES:
        with _loading():
            return import_module(f"uol.{name}")
    raise AttributeError(f"module 'uol' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_PACKAGES})
