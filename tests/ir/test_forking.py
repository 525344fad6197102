"""A fork waits for threads that may not be copied, and a child starts with locks that are free."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from forked_child import HUNG_S, forked, status_of

from uol.ir import forking
from uol.ir.errors import ResourceError
from uol.ir.forking import ForkWarning, fork_lock, forks_allowed, in_child, is_forked, unforked

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def exit_of(child: Callable[[], bool]) -> int:
    """The exit status of a forked child: 0 where it comes to an end, and to true."""
    return status_of(forked(child))


class Thread:
    """A thread that is inside a context until it is let `go`, and for a moment after that."""

    def __init__(self, hold: Callable[[], AbstractContextManager[object]], after_s: float = 0.0) -> None:
        self.inside, self.go = threading.Event(), threading.Event()
        self.hold, self.after_s, self.ended = hold, after_s, False
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self.hold():
            self.inside.set()
            self.go.wait(HUNG_S)
            time.sleep(self.after_s)
            self.ended = True

    def __enter__(self) -> Thread:
        self.thread.start()
        assert self.inside.wait(HUNG_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self.thread.join()


def test_a_fork_waits_for_a_thread_that_may_not_be_copied() -> None:
    with Thread(unforked, after_s=0.2) as other:
        other.go.set()
        assert exit_of(lambda: other.ended) == 0


@pytest.mark.parametrize("imported", ["before uol", "after uol", "while a fork waits"])
def test_a_thread_that_is_waited_for_may_write_to_a_log_and_start_threads(imported: str) -> None:
    """Python takes the locks of both before a fork: after ours, wherever the two are imported first."""
    imports = "import logging\nfrom concurrent.futures import ThreadPoolExecutor"
    program = f"""
import os, threading
{imports if imported == "before uol" else ""}
from uol.ir.forking import unforked
{imports if imported == "after uol" else ""}
inside = threading.Event()

def work():
    with unforked():
        inside.set()
        threading.Event().wait(0.3)  # the fork is waiting by now
        import logging
        from concurrent.futures import ThreadPoolExecutor
        logging.getLogger("one").isEnabledFor(10)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(print, "worked").result()

thread = threading.Thread(target=work)
thread.start()
inside.wait()
if os.fork() == 0:
    os._exit(0)
thread.join()
"""
    assert printed(program) == "worked\n"


def test_forks_before_and_after_the_first_thread_enters() -> None:
    """That one registers for forks anew: each child starts anew once, and each parent goes on."""
    program = """
import os, sys
from uol.ir.forking import in_child, is_forked, unforked
assert "logging" not in sys.modules
anew = []
in_child(lambda: anew.append(os.getpid()))
for _ in range(2):
    child = os.fork()
    if child == 0:
        assert is_forked() and anew == [os.getpid()]
        with unforked():
            pass
        grandchild = os.fork()
        if grandchild == 0:
            assert anew == [os.getppid(), os.getpid()]
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitpid(child, 0)[1] == 0 and anew == []
    with unforked():
        pass
print("done")
"""
    assert printed(program) == "done\n"


def printed(program: str) -> str:
    """What a fresh process prints that runs a program; it warns of nothing."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=HUNG_S)
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout


def test_a_fork_does_not_wait_for_a_thread_that_waits_for_a_tool() -> None:
    @contextmanager
    def waits_for_a_tool() -> Iterator[None]:
        with unforked(), unforked():
            with forks_allowed():
                yield
            assert list(forking._gate._depths.values()) == [2]

    with Thread(waits_for_a_tool) as other:
        assert exit_of(lambda: not other.ended) == 0
    assert forking._gate._depths == {}


def test_a_definition_is_not_copied_half_done_though_it_waits_for_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "IDLE_S", 0.02)  # the waiting thread computes nothing, and is waited for
    monkeypatch.setattr(forking, "BUSY_S", 1.0)

    @contextmanager
    def defines() -> Iterator[None]:
        with unforked(), unforked(firmly=True), forks_allowed():
            yield

    with Thread(defines, after_s=0.2) as other:
        other.go.set()
        assert exit_of(lambda: other.ended) == 0
    assert forking._gate._depths == forking._gate._firm == {} and forking._gate._patient == 0


def test_a_thread_that_forks_from_inside_waits_for_nobody_and_goes_on() -> None:
    def goes_on() -> bool:
        with unforked():
            return True

    with Thread(unforked), unforked():
        assert exit_of(goes_on) == 0
    assert exit_of(goes_on) == 0


def test_forks_one_after_another_while_threads_come_and_go() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            with unforked():
                pass

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert [exit_of(lambda: forking._gate._depths == {}) for _ in range(10)] == [0] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its child raises what would hang otherwise."""

    def refused() -> bool:
        try:
            with unforked():
                return False
        except ResourceError as error:
            return "to compile here would hang" in error.message and "'spawn'" in (error.hint or "")

    monkeypatch.setattr(forking, "IDLE_S", 0.05)
    monkeypatch.setattr(forking, "BUSY_S", 1.0)
    with Thread(unforked), pytest.warns(ForkWarning, match="its child cannot compile. Start it by 'spawn'"):
        assert exit_of(refused) == 0
    assert exit_of(lambda: not refused()) == 0


def test_a_fork_waits_for_as_long_as_something_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "IDLE_S", 0.02)
    monkeypatch.setattr(forking, "BUSY_S", 0.0)
    with Thread(unforked, after_s=0.2) as other:
        other.go.set()
        assert exit_of(lambda: other.ended) == 0


def test_a_lock_that_another_thread_held_is_free_in_the_child() -> None:
    lock = fork_lock()

    def takes() -> bool:
        with lock:
            return True

    with Thread(lambda: lock):
        assert exit_of(takes) == 0
    with lock:
        assert exit_of(lambda: takes() and lock.release() is None) == 0  # the forking thread's own stays its own


def test_what_starts_anew_in_a_child_has_done_so_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "_resets", list(forking._resets))
    seen: list[int] = []
    in_child(lambda: seen.append(os.getpid()))
    assert exit_of(lambda: seen == [os.getpid()] and is_forked()) == 0
    assert seen == []
