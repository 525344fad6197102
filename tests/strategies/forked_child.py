"""A forked child that answers a question by its exit status."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

HUNG_S = 60
"""After so long a child is ended by the system: it hangs."""


def forked(child: Callable[[], bool]) -> int:
    """The number of a child, whose exit status is 0 where it comes to an end, and to true."""
    number = os.fork()
    if number == 0:
        signal.alarm(HUNG_S)
        try:
            os._exit(0 if child() else 1)
        finally:
            os._exit(2)
    return number


def status_of(number: int) -> int:
    """The exit status of a child, below 0 where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
