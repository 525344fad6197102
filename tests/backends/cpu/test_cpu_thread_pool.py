"""The library of the thread pool: whatever lies in the cache, what is loaded is what was built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from uol.backends.cpu.runtime import thread_pool
from uol.backends.cpu.runtime.thread_pool import c_compiler

POOL = """
from uol.backends.cpu.runtime import thread_pool
assert thread_pool.parallel_launch().value
"""

pytestmark = pytest.mark.skipif(c_compiler() is None, reason="the pool is TVM's own without a C compiler")


def start(cache: Path) -> None:
    done = subprocess.run([sys.executable, "-c", POOL], env={**os.environ, "UOL_CACHE_DIR": str(cache)}, check=False)
    assert done.returncode == 0


def files_of(cache: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in cache.rglob("*") if p.is_file()}


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda b: b[: len(b) // 3],
    "empty": lambda b: b"",
    "flipped": lambda b: b[:-200] + bytes([b[-200] ^ 1]) + b[-199:],
    "another's": lambda b: b"#!/bin/sh\n",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the pool."""
    cache = tmp_path_factory.mktemp("cache")
    start(cache)
    return cache


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("suffix", [".so", ""])
def test_a_damaged_library_is_made_anew(damage: str, suffix: str, filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    right = files_of(tmp_path)
    (damaged,) = (path for path in right if path.suffix == suffix)
    damaged.write_bytes(DAMAGE[damage](right[damaged]))
    start(tmp_path)
    assert files_of(tmp_path).keys() == right.keys()
    assert damaged.read_bytes() == right[damaged]


def test_another_compiler_is_another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "cc"
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "cache"))
    for number in range(2):
        compiler.write_text(f'#!/bin/sh\n# {number}\nexec {c_compiler()} "$@"\n')
        compiler.chmod(0o755)
        for _ in range(2):
            thread_pool._pool(str(compiler))
        assert len(files_of(tmp_path / "cache")) == 2 * (number + 1)


SHARED = """
import os, threading, torch
from uol.backends.cpu.runtime import thread_pool
from uol.ops import text as ops

x = torch.arange(300.0 * 300).reshape(300, 300) % 7
expected = (x @ x).numpy()
threads = len(os.listdir("/proc/self/task"))


def right():
    assert (ops.matmul(x, x).numpy() == expected).all()  # PyTorch's own threads hang in a forked child


right()
assert len(os.listdir("/proc/self/task")) == threads, "a pool of its own beside PyTorch's"
other = threading.Thread(target=right)
other.start()
other.join()
child = os.fork()
if child == 0:
    right()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
right()
"""


def test_beside_pytorch_kernels_run_on_its_threads() -> None:
    """No thread is added; another thread and a forked child, which has none of those threads, compute the same."""
    subprocess.run([sys.executable, "-c", SHARED], env={**os.environ, "UOL_NUM_THREADS": "2"}, check=True, timeout=60)
