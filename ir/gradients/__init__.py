"""Reverse mode on index notation: the gradient of an operator is an operator with a text of its own."""

from __future__ import annotations

from uol.ir.gradients.derivation import gradient, has_gradient

__all__ = ["gradient", "has_gradient"]
