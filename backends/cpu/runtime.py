"""The thread pool of kernels, once in a process.

It is `uol_threads.c`, compiled when it is first needed and kept in the cache folder. Where there is no C compiler, TVM's
own pool does the work.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from uol.backends.cpu.host import core_count
from uol.ir.errors import ToolchainError

SOURCE = Path(__file__).parent / "uol_threads.c"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-shared", "-fPIC", "-pthread")


@cache
def parallel_launch() -> ctypes.c_void_p:
    """The address of the function that runs parallel loops (TVM calls its signature TVMBackendParallelLaunch)."""
    compiler = c_compiler()
    if compiler is None:  # TVM's own pool
        return _tvm_launch()
    library = ctypes.CDLL(str(_built(compiler)))
    library.uol_set_threads(core_count())
    return ctypes.cast(library.uol_parallel_launch, ctypes.c_void_p)


def c_compiler() -> str | None:
    """The system's C compiler, if it has one."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def cache_folder() -> Path:
    """UOL_CACHE_DIR, or `uol` in the user's cache folder."""
    named = os.environ.get("UOL_CACHE_DIR")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uol"


def _built(compiler: str) -> Path:
    """The pool as a library, built unless the cache folder holds it; in a temporary folder where that cannot be written."""
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    target = cache_folder() / "cpu" / f"uol_threads_{key}.so"
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return _build(compiler, target)
    except OSError:
        return _build(compiler, Path(tempfile.mkdtemp(prefix="uol-")) / target.name)


def _build(compiler: str, target: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix=".uol-", dir=target.parent) as folder:
        result = Path(folder) / target.name
        done = subprocess.run([compiler, *FLAGS, "-o", str(result), str(SOURCE)], capture_output=True, text=True)
        if done.returncode:
            raise ToolchainError(
                f"{compiler} refused the thread pool: {done.stderr.strip()}", hint="install a working gcc or clang"
            )
        result.replace(target)  # atomic: another process may do the same
    return target


def _tvm_launch() -> ctypes.c_void_p:
    os.environ.setdefault("TVM_NUM_THREADS", str(core_count()))
    import tvm_ffi  # noqa: F401 - the runtime library needs it in the process

    spec = importlib.util.find_spec("tvm")
    if spec is None or not spec.submodule_search_locations:
        raise ToolchainError("there is neither a C compiler nor TVM to run parallel kernels", hint="install gcc or apache-tvm")
    library = ctypes.CDLL(str(Path(spec.submodule_search_locations[0]) / "lib" / "libtvm_runtime.so"), mode=ctypes.RTLD_GLOBAL)
    return ctypes.cast(library.TVMBackendParallelLaunch, ctypes.c_void_p)
