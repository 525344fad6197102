"""What a forked child inherits of the backends: file locks, threads of kernels, opened devices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forked_child import HUNG_S, forked, status_of

from uol.backends.cache.file_lock import locked
from uol.backends.cache.files import DiskCache, Key
from uol.backends.toolchain.running import run_tool
from uol.ir.errors import DeviceError
from uol.ir.forking import unforked

if TYPE_CHECKING:
    from uol.backends.stub_driver.stub import Stub

def test_a_child_takes_a_file_lock_that_a_thread_of_its_parent_held(tmp_path: Path) -> None:
    inside, go = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(tmp_path / "lock"):
            inside.set()
            go.wait(HUNG_S)

    def takes() -> bool:
        with locked(tmp_path / "lock"):
            return True

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(HUNG_S)
    child = forked(takes)
    go.set()
    assert status_of(child) == 0
    thread.join()


def test_an_entry_that_a_thread_makes_during_a_fork_is_there_for_the_child(tmp_path: Path) -> None:
    cache, key, made = DiskCache(tmp_path), Key({"op": "relu"}), threading.Event()

    def make() -> bytes:
        made.set()
        threading.Event().wait(0.2)
        return b"payload"

    thread = threading.Thread(target=cache.get_or_make, args=(key, make))
    thread.start()
    assert made.wait(HUNG_S)
    assert status_of(forked(lambda: cache.get_or_make(key, lambda: b"the child's") == b"payload")) == 0
    thread.join()


ENDS_WITHIN = """
import os, sys, time
from pathlib import Path
from uol.backends.cache.file_lock import locked
with locked(Path(sys.argv[1])):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(600)
"""


def test_the_lock_of_a_process_that_was_killed_ends_with_it_though_its_child_lives(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDS_WITHIN, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            assert status_of(forked(lambda: bool(_taken(tmp_path / "lock")))) == 0
            os.kill(child, 0)  # it lives
        finally:
            os.kill(child, signal.SIGKILL)


def _taken(path: Path) -> bool:
    with locked(path):
        return True


def test_a_child_that_leaves_the_block_leaves_its_parent_s_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def leaves(context: object) -> bool:
        context.__exit__(None, None, None)  # type: ignore[attr-defined]
        return path.exists()

    context = locked(path)
    with context:
        assert status_of(forked(lambda: leaves(context))) == 0
        assert path.exists()
    assert not path.exists()


KERNELS = """
import os, signal, sys
import torch
from uol.ops import text as ops
from uol.backends.cpu.runtime import thread_pool

def right():
    x = torch.arange(300.0 * 300).reshape(300, 300) % 7
    return bool((ops.matmul(x, x).double() == x.double() @ x.double()).all())

def in_child():
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        torch.set_num_threads(1)  # PyTorch's own threads hang in a forked child; a DataLoader does so in its workers
        os._exit(0 if right() and len(os.listdir("/proc/self/task")) == 1 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

(torch.ones(600, 600) @ torch.ones(600, 600)).sum()
if sys.argv[1] == "without a compiler":
    thread_pool.COMPILERS = ()
if sys.argv[1] == "first in the child":
    sys.exit(in_child())
assert right()
sys.exit(in_child() or (0 if right() else 3))
"""


@pytest.mark.parametrize("which", ["first in the child", "first in the parent", "without a compiler"])
def test_parallel_kernels_run_in_a_child_whose_parent_s_threads_are_gone(which: str) -> None:
    """Beside PyTorch, whose threads have worked before the fork: with kernels that the child loads or has inherited, on the
    pool, and on TVM's where there is no C compiler. A worker of a DataLoader may use one thread."""
    done = subprocess.run([sys.executable, "-c", KERNELS, which], env={**os.environ, "UOL_NUM_THREADS": "2"}, check=False)
    assert done.returncode == 0


def test_a_device_that_the_parent_opened_is_refused_in_a_child(stub: Stub) -> None:
    from uol.backends.cuda.driver import SOURCE
    from uol.backends.simt.running.driver_device import device_of

    device = device_of(stub.source(SOURCE), 0)
    device.activate()

    def refused() -> bool:
        try:
            device.activate()
        except DeviceError as error:
            said = "CUDA device 0 was opened before this process was forked" in error.message
            return said and "'spawn'" in (error.hint or "")
        return False

    assert status_of(forked(refused)) == 0
    device.activate()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not show what a process has open")
def test_a_child_has_no_writing_end_of_a_tool_s_pipes(tmp_path: Path) -> None:
    """Children are forked again and again while tools start and end: one that kept a pipe's end would be waited for."""
    kept, done = [], threading.Event()

    def tools() -> None:
        for _ in range(60):
            with unforked():
                run_tool("true", ["true"], tmp_path)
        done.set()

    thread = threading.Thread(target=tools)
    thread.start()
    before = pipes_written()
    while not done.is_set():
        child = os.fork()
        if not child:
            os._exit(len(pipes_written() - before) and 1)
        kept.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    thread.join()
    assert kept and not any(kept)


def pipes_written() -> set[str]:
    """The pipes that this process may write to."""
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{entry}")
            flags = Path(f"/proc/self/fdinfo/{entry}").read_text().split("flags:")[1].split()[0]
            if target.startswith("pipe:") and int(flags, 8) & os.O_ACCMODE == os.O_WRONLY:
                found.add(target)
    return found
