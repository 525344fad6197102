"""The thread pool of kernels, once in a process.

It is `uol_threads.c`, compiled when it is first needed and kept in the cache folder. Where there is no C compiler, TVM's
own pool does the work.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shutil
from functools import cache
from pathlib import Path

from uol.backends.cache.disk_errors import build_folder
from uol.backends.cache.files import Key, open_cache
from uol.backends.cpu.host import core_count
from uol.backends.toolchain.running import run_tool
from uol.backends.toolchain.shared_library import load_bytes
from uol.backends.toolchain.tool_identity import identity_of
from uol.ir.errors import ResourceError, ToolchainError

SOURCE = Path(__file__).parent / "uol_threads.c"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-shared", "-fPIC", "-pthread")


@cache
def parallel_launch() -> ctypes.c_void_p:
    """The address of the function that runs parallel loops (TVM calls its signature TVMBackendParallelLaunch)."""
    compiler = c_compiler()
    if compiler is None:  # TVM's own pool
        return _tvm_launch()
    library = _pool(compiler)
    library.uol_set_threads(core_count())
    return ctypes.cast(library.uol_parallel_launch, ctypes.c_void_p)


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
