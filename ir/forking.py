"""What a forked child of this process may rely on.

A fork copies the memory of a process and one of its threads. A lock that another thread held stays locked in the child for
ever: Python's own (of a module that is being imported), those of LLVM, TVM, a dynamic linker or a vendor's compiler. So two
rules hold, and everything here serves one of them:

    settled    a thread that imports, defines, compiles or loads says so (`unforked`); a fork by another thread waits for the
               end of it. Where that does not come (nothing moves, for the thread waits for the forking one), the process is
               forked all the same, with a warning, and `unforked` raises in the child: an error in the place of a hang.
               A tool, or another process that makes the same, is not waited for (`forks_allowed`)
    reset      what is this process's alone starts anew in the child: locks that `fork_lock` gave are free there, and
               functions that `in_child` was given have been called

Python's `os.fork`, and so `multiprocessing` and the workers of PyTorch's DataLoader, keep both. A fork that C code makes on its
own keeps neither; C code that forks and executes a program, as `subprocess` does, needs neither.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from uol.ir.errors import ResourceError

IDLE_S = 30.0
"""A fork waits for as long as this process computes something, or waits for another one, in each such time, and at most
LONGEST_WAIT_S: what it waits for may wait for the forking thread."""
BUSY_S = 0.01
"""Processor time in IDLE_S of a process that computes, however many others there are."""
LONGEST_WAIT_S = 600.0
FORKED_WITHOUT_EXEC = 0x40
"""PF_FORKNOEXEC of Linux's include/linux/sched.h, in the flags of /proc/self/stat (proc(5), field 9)."""
STATUS = "/proc/self/stat"


class ForkWarning(RuntimeWarning):
    """A child was forked while another thread was at work that it may not be copied in."""


class ForkGate:
    """Threads that may not be copied are inside; a fork takes place when none is, but for the forking one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._depths: dict[int, int] = {}  # thread -> how many times it has entered
        self._firm: dict[int, int] = {}  # thread -> how many of these are firm
        self._patient = 0
        """How many threads inside wait for another process."""
        self._waiting = 0
        self._closed = False
        """Whether a fork is next. It is set when nobody is inside, so that who waits outside holds nobody up."""
        self._unsettled = False
        """Was a fork, or that of this child, not waited for long enough?"""
        self._forking: int | None = None
        """The thread that forks, from the end of what comes before that to the beginning of what comes after it."""
        self._is_first = False
        """Is `before_fork` called before what Python's own modules have registered?"""

    def require_settled(self) -> None:
        """Raises ResourceError in a child that may not go on."""
        if self._unsettled and _forked:
            message = "this process was forked while another thread of its parent was compiling; to compile here would hang"
            raise ResourceError(message, hint="start it by 'spawn' or 'forkserver', or before the first call of an operator")

    def enter(self, *, firmly: bool = False) -> None:
        own = threading.get_ident()
        with self._changed:
            if own not in self._depths:
                self._changed.wait_for(lambda: not self._closed, LONGEST_WAIT_S)
            for counts in (self._depths, self._firm) if firmly else (self._depths,):
                counts[own] = counts.get(own, 0) + 1

    def come_first(self) -> None:
        """Registers for forks anew, after Python's logging and its pools of threads; for a thread that is inside.

        What is registered last is called first before a fork. These two take locks there that a thread inside may need, so
        the wait for that thread has to come before them. What other modules take before a fork is theirs to give back: see
        `IDLE_S`. They are imported here, for a program that only imports uol has no use for them.
        """
        if self._is_first:
            return
        import concurrent.futures.thread  # noqa: F401 - for what it registers
        import logging  # noqa: F401 - for what it registers

        register_for_forks()
        self._is_first = True

    def leave(self, *, firmly: bool = False) -> None:
        own = threading.get_ident()
        with self._changed:
            for counts in (self._depths, self._firm) if firmly else (self._depths,):
                counts[own] -= 1
                if not counts[own]:
                    del counts[own]
            self._one_less()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Within it, this thread counts as outside; one that is inside firmly counts as patient."""
        own = threading.get_ident()
        with self._changed:
            is_firm = own in self._firm
            depth = 0 if is_firm else self._depths.pop(own, 0)
            self._patient += is_firm
            self._one_less()
        try:
            yield
        finally:
            with self._changed:
                self._patient -= is_firm
            for _ in range(depth):
                self.enter()

    def is_forking(self) -> bool:
        """Has this thread passed the gate for a fork that it makes?"""
        return self._forking == threading.get_ident()

    def before_fork(self) -> None:
        """Waits until no other thread is inside, and lets none in. A thread that forks from inside waits for nobody, who might
        wait for it. Called again for the same fork, it does nothing."""
        if self.is_forking():
            return
        self._changed.acquire()
        try:
            if threading.get_ident() not in self._depths:
                self._await_others()
        finally:
            self._forking = threading.get_ident()

    def _await_others(self) -> None:
        """Waits until nobody is inside, or warns of who still is."""
        self._waiting += 1
        try:
            self._unsettled = not self._emptied()
        finally:
            self._waiting -= 1
        if self._unsettled:
            message = "a process was forked while another thread was compiling, which did not come to an end"
            warnings.warn(f"{message}: its child cannot compile. Start it by 'spawn'", ForkWarning, stacklevel=3)

    def _emptied(self) -> bool:
        """Waits until nobody is inside; whether that has come."""
        started, used_s = time.monotonic(), time.process_time()
        while not self._changed.wait_for(lambda: not self._depths, IDLE_S):
            before_s, used_s = used_s, time.process_time()
            is_idle = used_s - before_s < BUSY_S and not self._patient
            if is_idle or time.monotonic() - started > LONGEST_WAIT_S:
                return False
        return True

    def after_in_parent(self) -> None:
        if not self.is_forking():
            return
        self._forking = None
        self._closed = self._unsettled = False
        self._changed.notify_all()
        self._changed.release()

    def after_in_child(self) -> None:
        """The forking thread is the only one; it is as far inside as it was."""
        own, self._forking = threading.get_ident(), None
        depth = self._depths.get(own, 0)
        self._changed = threading.Condition()
        self._depths = {own: depth} if depth else {}
        self._firm = {own: self._firm[own]} if own in self._firm else {}
        self._waiting, self._patient, self._closed = 0, 0, False

    def _one_less(self) -> None:
        if not self._depths:
            self._closed = self._waiting > 0
            self._changed.notify_all()


_gate = ForkGate()
_locks: weakref.WeakSet[threading.RLock] = weakref.WeakSet()
_resets: list[Callable[[], None]] = []
_forked = False


@contextmanager
def unforked(*, firmly: bool = False) -> Iterator[None]:
    """Within it, or within a function that it decorates, no other thread forks this process, `firmly` not even where
    `forks_allowed` says so: in a child, an import or a definition would be half done.

    It is for what is done once: imports, definitions, compilation. It may be entered again from within. Raises ResourceError
    in a child that was forked without regard to it.
    """
    _gate.require_settled()
    _gate.enter(firmly=firmly)
    try:
        _gate.come_first()
        yield
    finally:
        _gate.leave(firmly=firmly)


def forks_allowed() -> AbstractContextManager[None]:
    """A context in which other threads may fork again: for waiting for another process."""
    return _gate.outside()


def fork_lock() -> threading.RLock:
    """A lock that a thread may take again, and that is free in a forked child, but for one that the forking thread holds."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def in_child(reset: Callable[[], None]) -> None:
    """Calls a function in each forked child, before anything else of the child runs."""
    _resets.append(reset)


def is_forked() -> bool:
    """Is this a child that was forked and has executed no program since? What was forked before uol was loaded is known on
    Linux, and of `multiprocessing` elsewhere."""
    if _forked:
        return True
    try:
        with open(STATUS, encoding="utf-8") as status:
            fields = status.read().rpartition(")")[2].split()
        return bool(int(fields[6]) & FORKED_WITHOUT_EXEC)
    except (OSError, ValueError, IndexError):
        from multiprocessing import parent_process

        return parent_process() is not None


def _start_anew() -> None:
    """What a child does first."""
    global _forked
    if not _gate.is_forking():
        return
    _forked = True
    _gate.after_in_child()
    for lock in tuple(_locks):
        if not lock._is_owned():  # type: ignore[attr-defined]  # as Python's own `threading` and `logging` do after a fork
            lock._at_fork_reinit()  # type: ignore[attr-defined]
    for reset in _resets:
        reset()


def register_for_forks() -> None:
    """Has Python call the gate around each fork. It may be called again, for another place among what is registered."""
    os.register_at_fork(before=_gate.before_fork, after_in_parent=_gate.after_in_parent, after_in_child=_start_anew)


register_for_forks()
