"""The operators by their texts: `uol.ops.text.<name>` takes the inputs of the text in its order, and its attributes by name.

    uol.ops.text.layer_norm(x, gamma, beta)           uol.ops.layer_norm(x, (16,), gamma, beta)
    uol.ops.text.sum(x)           of the last dim     uol.ops.sum(x)           of all, as `torch.sum`

`uol.ops.<name>` is the same function where PyTorch has none of that name (`uol.ops.signatures` has those that it has).
"""

from __future__ import annotations

from collections.abc import Callable

_providers: list[Callable[[str], object]] = []


def provide(callable_of: Callable[[str], object]) -> None:
    """Let `uol.ops.text.<name>` be `callable_of(name)`, for the names of the library and of registered operators."""
    _providers[:] = [callable_of]


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(f"module 'uol.ops.text' has no attribute {name!r}")
    for callable_of in _providers:
        found = callable_of(name)
        globals()[name] = found  # an operator's name never means another one: each further access is an attribute's
        return found
    raise AttributeError(f"module 'uol.ops.text' has no attribute {name!r}")


def __dir__() -> list[str]:
    from uol.ops.texts import names

    return sorted({"provide", *names()})
