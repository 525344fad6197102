"""Code generation: from a checked program to kernel specs, and from specs to a module through a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uol.codegen.choice import compile_graph as compile_graph
    from uol.codegen.lowering import lower as lower

__all__ = ["compile_graph", "lower"]


def __getattr__(name: str) -> object:
    """Load on first use (PEP 562)."""
    from importlib import import_module

    homes = {"lower": "uol.codegen.lowering", "compile_graph": "uol.codegen.choice"}
    if name in homes:
        return getattr(import_module(homes[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
