"""CPU kernels find a pattern in memory that they have not written: in workspaces, on their stacks, in every task of a loop.

In a fresh process such memory is zero, and a kernel that reads it is right by luck. All bits set is NaN in every type of
floats, and -1 in integers.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from uol.backends.abi.interface import ALIGNMENT_BYTES
from uol.backends.cpu import backend
from uol.backends.cpu.runtime import library, thread_pool
from uol.backends.cpu.runtime.workspace import WORKSPACES, Workspace, WorkspacePool
from uol.backends.loading.loaded import as_loaded
from uol.codegen.backend import Artifact
from uol.codegen.loaded import Loaded

SOURCE = Path(__file__).parent / "stale_memory.c"


def install(folder: Path) -> None:
    """From now on, every CPU kernel of this process finds the pattern. `folder` keeps what the C compiler makes."""
    compiler = thread_pool.c_compiler()
    assert compiler, "the tests need a C compiler"
    filler = _built(compiler, folder)
    real_launch, real_load = library.parallel_launch, backend.load

    @cache
    def parallel_launch() -> ctypes.c_void_p:
        return ctypes.cast(filler.launch_on_filled_stacks, ctypes.c_void_p)

    def launch() -> ctypes.c_void_p:
        filler.use_launch(real_launch())
        return parallel_launch()

    def load(artifact: Artifact) -> Loaded:
        call, fill = real_load(artifact), filler.fill_stack

        def filled(*arguments: Any, stream: int = 0, workspace: Any = None) -> None:
            fill()
            call(*arguments, stream=stream, workspace=workspace)

        return as_loaded(filled, call.workspace_bytes)

    _patch(launch, load)


def _patch(launch: Callable[[], ctypes.c_void_p], load: Callable[[Artifact], Loaded]) -> None:
    library.parallel_launch = launch
    backend.load = load  # type: ignore[attr-defined]
    WORKSPACES.__class__ = FilledPool


class FilledPool(WorkspacePool):
    """Blocks with the pattern in them."""

    __slots__ = ()

    def take(self, bytes_needed: int) -> Workspace:
        block = WorkspacePool.take(self, bytes_needed)
        block.memory[: bytes_needed + ALIGNMENT_BYTES].fill(0xFF)
        return block


def _built(compiler: str, folder: Path) -> ctypes.CDLL:
    """The functions in C, compiled once."""
    place = folder / f"stale_memory-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = place.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(new), str(SOURCE)], check=True)
        os.replace(new, place)
    return ctypes.CDLL(str(place))
