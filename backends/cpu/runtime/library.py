"""Shared libraries of kernels in this process. Needs neither TVM nor a compiler, once the thread pool is built."""

from __future__ import annotations

import ctypes
import weakref
from _ctypes import dlclose
from pathlib import Path

from uol.backends.cpu.runtime.thread_pool import parallel_launch
from uol.backends.toolchain.shared_library import load_bytes
from uol.ir.errors import ResourceError
from uol.ir.forking import in_child

LAUNCH_SLOT = "__TVMBackendParallelLaunch"
"""The variable through which a library's kernels run parallel loops; absent where it has none."""
_connected: weakref.WeakSet[ctypes.CDLL] = weakref.WeakSet()


def open_library(binary: bytes, path: Path | None = None) -> ctypes.CDLL:
    """The library, loaded from `path` where it lies there already, with its parallel loops connected to the pool. It is
    unloaded with the last function of it: a process may map some 65,000 segments (Linux, vm.max_map_count), five a library."""
    try:
        library = ctypes.CDLL(str(path)) if path is not None and path.exists() else load_bytes(binary)
    except OSError as error:
        raise ResourceError(
            f"a compiled kernel could not be loaded: {error}", hint="clear the cache and compile again"
        ) from error
    weakref.finalize(library, dlclose, library._handle).atexit = False
    try:
        slot = ctypes.c_void_p.in_dll(library, LAUNCH_SLOT)
    except ValueError:
        return library
    slot.value = parallel_launch().value
    _connected.add(library)
    return library


def _connect_anew() -> None:
    """Gives the libraries of a forked child the function for parallel loops anew: TVM's, unlike the pool's, would wait for
    threads that are gone."""
    for library in _connected:
        ctypes.c_void_p.in_dll(library, LAUNCH_SLOT).value = parallel_launch().value


in_child(_connect_anew)
