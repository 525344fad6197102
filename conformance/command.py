"""A command beside the rooms, `python -m uol.conformance.NAME`, as a process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from uol.ir.errors import UolError

BAD_INPUT = 2


def run_command(main: Callable[[], int]) -> NoReturn:
    """Ends the process with what the command gives; an error of the user's is a message, and exit status 2."""
    try:
        status = main()
    except UolError as error:
        print(error.report, file=sys.stderr)
        status = BAD_INPUT
    sys.exit(status)
