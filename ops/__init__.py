"""The operator library: one text for each operator, with its reference, inputs and workloads.

    from uol.ops.texts import library
    library().get("softmax")

The names of operators themselves (`uol.ops.softmax`) are callables that the face supplies through `provide`; nothing is
loaded before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable

_MODULES = ("inputs", "references", "signatures", "text", "texts", "workloads")
_providers: list[Callable[[str], object]] = []


def provide(callable_of: Callable[[str], object]) -> None:
    """Let `uol.ops.<name>` be `callable_of(name)`, for the names of the library and of registered operators."""
    _providers[:] = [callable_of]


def __getattr__(name: str) -> object:
    if name.startswith("_") or name in _MODULES:
        raise AttributeError(f"module 'uol.ops' has no attribute {name!r}")
    for callable_of in _providers:
        found = callable_of(name)
        globals()[name] = found  # an operator's name never means another one: each further access is an attribute's
        return found
    raise AttributeError(f"module 'uol.ops' has no attribute {name!r}")


def __dir__() -> list[str]:
    from uol.ops import signatures
    from uol.ops.texts import names

    return sorted({"provide", "text", *names(), *signatures.names()})
