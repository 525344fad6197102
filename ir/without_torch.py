"""TVM without PyTorch, and without its compiler of whole models.

`tvm_ffi` and `tvm` import torch when they can: 0.8 s become 4 s. They do so under `try: ... except ImportError`, and work
without, on torch tensors too when torch comes later. So torch is refused to that one import, in the importing thread
alone, and to nothing else: `import torch` works before, after, and meanwhile in other threads.

`tvm` imports `tvm.relax`, too, which nothing here asks for: a quarter of the time. An empty module stands in its place
meanwhile; whoever imports `tvm.relax` later gets it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from uol.ir.forking import unforked

RELAX = "tvm.relax"


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


@contextmanager
def relax_left_out() -> Iterator[None]:
    """Within it, `import tvm.relax` does nothing, unless that is loaded already."""
    if RELAX in sys.modules:
        yield
        return
    empty = sys.modules[RELAX] = ModuleType(RELAX)
    try:
        yield
    finally:
        del sys.modules[RELAX]
        package = vars(sys.modules["tvm"]) if "tvm" in sys.modules else {}
        if package.get("relax") is empty:
            del package["relax"]


def import_tvm() -> None:
    """Loads TVM with its compiler of TensorIR (about 1 s), but neither torch nor Relax."""
    if "tvm" not in sys.modules:
        with unforked(firmly=True), torch_refused(), relax_left_out():
            import tvm  # noqa: F401
