"""The thread pool of kernels, once in a process.

It is `uol_threads.c`, compiled when it is first needed and kept in the cache folder. Where there is no C compiler, TVM's
own pool does the work. Beside PyTorch it runs on the threads of PyTorch's OpenMP: those spin for some milliseconds after each
of its operators, and would hold the cores that a second pool needs.

A forked child has none of these threads. Its first parallel loop starts new ones, no more than PyTorch may use there (one in a
worker of a DataLoader); where TVM's pool did the work, which cannot be started anew, loops run in the calling thread.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from uol.backends.cache.disk_errors import build_folder
from uol.backends.cache.files import Key, open_cache
from uol.backends.cpu.host import core_count
from uol.backends.toolchain.running import run_tool
from uol.backends.toolchain.shared_library import load_bytes
from uol.backends.toolchain.tool_identity import identity_of
from uol.ir.errors import ResourceError, ToolchainError
from uol.ir.forking import is_forked

SOURCE = Path(__file__).parent / "uol_threads.c"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-shared", "-fPIC", "-pthread")
OPENMP = re.compile(r"lib(gomp|iomp5|omp)\b")
"""OpenMP runtimes that have GCC's interface, GOMP_parallel: GNU's, Intel's, LLVM's."""
OPENMP_FUNCTIONS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_max_threads")


class _Group(ctypes.Structure):
    """What a task is told of its loop: TVMParallelGroupEnv of TVM's runtime/c_backend_api.h."""

    _fields_ = (("sync_handle", ctypes.c_void_p), ("num_task", ctypes.c_int32))


_TASK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Group), ctypes.c_void_p)


def _alone(task: Callable[..., int], data: int | None, tasks: int) -> int:
    """A parallel loop as one task in the calling thread."""
    return task(0, ctypes.byref(_Group(None, 1)), data)


_ALONE = ctypes.CFUNCTYPE(ctypes.c_int, _TASK, ctypes.c_void_p, ctypes.c_int)(_alone)
"""What C calls: it lives as long as the module."""


def parallel_launch() -> ctypes.c_void_p:
    """The address of the function that runs parallel loops (TVM calls its signature TVMBackendParallelLaunch)."""
    library = pool()
    if library is None:
        return ctypes.cast(_ALONE, ctypes.c_void_p) if is_forked() else _tvm_launch()
    if "torch" in sys.modules:
        _share_openmp(library)
    return ctypes.cast(library.uol_parallel_launch, ctypes.c_void_p)


@cache
def pool() -> ctypes.CDLL | None:
    """The pool's library, not yet running; None where there is no C compiler."""
    compiler = c_compiler()
    if compiler is None:
        return None
    library = _pool(compiler)
    library.uol_set_threads(core_count())
    return library


@cache
def _share_openmp(library: ctypes.CDLL) -> None:
    """The pool's tasks on the threads of PyTorch's OpenMP runtime, if it has one that this process can name. In a forked child
    it has none of them: it waits for ever for those of the parent."""
    path = next((p for p in _mapped_files() if OPENMP.match(p.name) and "torch" in p.parts), None)
    if path is None:
        return
    openmp = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD | os.RTLD_LOCAL)
    functions = [ctypes.cast(getattr(openmp, name), ctypes.c_void_p) for name in OPENMP_FUNCTIONS]
    library.uol_share_openmp(*((None, *functions[1:]) if is_forked() else functions))


def _mapped_files() -> list[Path]:
    """The files that are mapped into this process; none where the system does not say."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return [Path(line.split(maxsplit=5)[5]) for line in lines if "/" in line]


def c_compiler() -> str | None:
    """The system's C compiler, if it has one."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def _pool(compiler: str) -> ctypes.CDLL:
    """The pool as a library, built unless the cache holds it whole; where the cache cannot be written, for this process."""
    parts = {"stage": "thread pool", "source": SOURCE.read_text(), "flags": FLAGS, "compiler": identity_of(compiler)}
    key = Key({**parts, "machine": platform.machine()})
    try:
        cache = open_cache()
        binary = cache.get_or_make(key, lambda: _built(compiler))
        return ctypes.CDLL(str(cache.materialise(key, ".so", binary)))
    except ResourceError:
        return load_bytes(_built(compiler))


def _built(compiler: str) -> bytes:
    with build_folder() as folder:
        result = folder / "threads.so"
        done = run_tool(compiler, [compiler, *FLAGS, "-o", str(result), str(SOURCE)])
        if done.returncode:
            raise ToolchainError(
                f"{compiler} refused the thread pool: {done.stderr.strip()}", hint="install a working gcc or clang"
            )
        return result.read_bytes()


def _tvm_launch() -> ctypes.c_void_p:
    os.environ.setdefault("TVM_NUM_THREADS", str(core_count()))
    import tvm_ffi  # noqa: F401 - the runtime library needs it in the process

    spec = importlib.util.find_spec("tvm")
    if spec is None or not spec.submodule_search_locations:
        raise ToolchainError("there is neither a C compiler nor TVM to run parallel kernels", hint="install gcc or apache-tvm")
    library = ctypes.CDLL(str(Path(spec.submodule_search_locations[0]) / "lib" / "libtvm_runtime.so"), mode=ctypes.RTLD_GLOBAL)
    return ctypes.cast(library.TVMBackendParallelLaunch, ctypes.c_void_p)
