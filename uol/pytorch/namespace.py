"""`torch.ops.uol`: an operator is made known to PyTorch when it is first looked up there, by name, as `uol.ops.<name>` does.

So a graph that another process has exported finds its operators: `import uol` arranges it where PyTorch is loaded, as does
`import uol.pytorch.namespace` anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from uol.ir.errors import UolError
from uol.ops import text

_Namespace: Any = type(torch.ops.uol)


_underway: set[str] = set()


@contextmanager
def underway(name: str) -> Iterator[None]:
    """Within, a name is being defined: PyTorch looks for it on its way, and is to find nothing."""
    _underway.add(name)
    try:
        yield
    finally:
        _underway.discard(name)


class _OnDemand(_Namespace):  # type: ignore[misc]  # PyTorch's class has no public name
    """The namespace with one more thing tried before a name is refused."""

    __module__ = _Namespace.__module__  # by which PyTorch names the operators in what it exports

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if not _defined(name):
                raise
            return super().__getattr__(name)


def _defined(name: str) -> bool:
    """Makes the operator of that name known. False where there is none."""
    if name.startswith("__") or name in _underway:
        return False
    try:
        getattr(text, name)
    except (AttributeError, UolError):  # there is none, or PyTorch does not take it
        return False
    return True


torch.ops.uol.__class__ = _OnDemand
