"""Reverse mode on index notation: the gradient of an operator is an operator with a text of its own.

What derives it is loaded when a gradient is derived; whether there is one is answered without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uol.ir.gradients.text.inference import has_gradient

if TYPE_CHECKING:
    from uol.ir.gradients.derivation import gradient

__all__ = ["gradient", "has_gradient"]


def __getattr__(name: str) -> object:
    if name == "gradient":
        from uol.ir.gradients.derivation import gradient

        globals()[name] = gradient
        return gradient
    raise AttributeError(f"module 'uol.ir.gradients' has no attribute {name!r}")
