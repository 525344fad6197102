"""Runs the command line in this process, so that targets registered by a test are known to it."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from uol.cli.application import main


@dataclass(frozen=True, slots=True)
class Result:
    status: int
    out: str
    err: str


def uol(*arguments: object) -> Result:
    """`uol ARGUMENTS`: exit status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", ["uol", *map(str, arguments)]):
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Result(status, out.getvalue(), err.getvalue())
