"""TVM without PyTorch.

`tvm_ffi` and `tvm` import torch when they can: 0.8 s become 4 s. They do so under `try: ... except ImportError`, and work
without, on torch tensors too when torch comes later. So torch is refused to that one import, in the importing thread
alone, and to nothing else: `import torch` works before, after, and meanwhile in other threads.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Refuse(MetaPathFinder):
    """A finder that says in one thread that torch is not installed."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "torch" and threading.get_ident() == self.thread:
            raise ModuleNotFoundError("torch is kept out while TVM is imported", name="torch")
        return None


@contextmanager
def torch_refused() -> Iterator[None]:
    """Within it, `import torch` fails in this thread, unless torch is loaded already."""
    finder = _Refuse()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def import_tvm() -> None:
    """Loads TVM with its compiler (about 1 s), but not torch."""
    if "tvm" not in sys.modules:
        with torch_refused():
            import tvm  # noqa: F401
