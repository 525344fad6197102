"""`uol`: the command line.

Exit status: 0 done, 1 a check failed, 2 bad input (or a tool or folder that cannot be used), 70 a defect of uol itself.
Errors go to standard error; `UOL_DEBUG=1` shows the traceback behind them.
"""

from __future__ import annotations

import os
import sys
import traceback

import typer

from uol.cli import check_command, compile_commands, conform_command, doctor_command, library_commands, run_command
from uol.ir.errors import UolError

BAD_INPUT = 2
DEFECT = 70

app = typer.Typer(
    name="uol",
    help="One operator text; kernels for CUDA, HIP, Ascend C and the CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(library_commands.list_operators)
app.command("show")(library_commands.show)
app.command("explain")(compile_commands.explain)
app.command("compile")(compile_commands.compile_)
app.command("run")(run_command.run)
app.command("check")(check_command.check)
app.command("conform")(conform_command.conform)
app.command("doctor")(doctor_command.doctor)


def main() -> None:
    """The `uol` program. Ends the process with an exit status."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where a full disk still has a handler
    except UolError as error:
        _report(error, str(error))
        sys.exit(BAD_INPUT)
    except BrokenPipeError:
        _drop_output()
        sys.exit(0)
    except OSError as error:
        _drop_output()
        _report(error, f"ResourceError: {error}\n  help: look at the disk and at the permissions of the folder")
        sys.exit(BAD_INPUT)
    except MemoryError as error:
        _report(error, f"ResourceError: there is not enough memory: {error}\n  help: choose smaller --dims")
        sys.exit(BAD_INPUT)
    except Exception as error:  # noqa: BLE001 - the last handler of the process
        _report(error, f"uol failed: {type(error).__name__}: {error}\n  help: this is a defect; UOL_DEBUG=1 shows where")
        sys.exit(DEFECT)


def _drop_output() -> None:
    """What standard output cannot take is not tried again when the process ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception, message: str) -> None:
    if os.environ.get("UOL_DEBUG"):
        traceback.print_exception(error)
    print(message, file=sys.stderr)
