"""`uol`: the command line.

Exit status: 0 done, 1 a check failed, 2 bad input (or a tool or folder that cannot be used), 70 a defect of uol itself.
Errors go to standard error; `UOL_DEBUG=1` shows the traceback behind them. With `--json` standard output holds one JSON
value in every case: what the command found, or `{"error": {...}}`; `uol bench` and `uol gap` write what they found to a file.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from uol import __version__
from uol.cli.failures import failure_of
from uol.cli.output import print_json, print_text

INTERRUPTED = 130
"""128 and the number of the signal, as shells count."""

COMMANDS = {
    "list": "library_commands.list_operators",
    "show": "library_commands.show",
    "functions": "functions_command.functions",
    "explain": "compile_commands.explain",
    "compile": "compile_commands.compile_",
    "run": "run_command.run",
    "check": "check_command.check",
    "conform": "conform_command.conform",
    "pack": "pack_command.pack",
    "record": "record_commands.records",
    "bench": "bench_command.bench",
    "gap": "gap_command.gap",
    "train": "train_command.train",
    "doctor": "doctor_command.doctor",
}
"""The commands in the order of the help, and their functions in this room."""


def _print_version(asked: bool) -> None:
    if asked:
        print_text(f"uol {__version__}")
        raise typer.Exit


_VERSION = typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version of uol and end.")


def options(version: Annotated[bool, _VERSION] = False) -> None:
    """One operator text; kernels for CUDA, HIP, Ascend C and the CPU."""


def application(words: Sequence[str]) -> typer.Typer:
    """The program for these words: with the command that they begin with, which is loaded alone, else with all."""
    app = typer.Typer(
        name="uol",
        help="One operator text; kernels for CUDA, HIP, Ascend C and the CPU.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        module, _, function = COMMANDS[name].partition(".")
        file = import_module(f"uol.cli.{module}")
        found = getattr(file, function)
        if isinstance(found, typer.Typer):
            app.add_typer(found)
        else:
            app.command(name, help=getattr(file, "HELP", None))(found)  # a function's docstring where there is none
    return app


def main() -> None:
    """The `uol` program. Ends the process with an exit status."""
    as_json = "--json" in sys.argv[1:]
    try:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                status = application(sys.argv[1:])(standalone_mode=not as_json)
        finally:
            sys.stdout.flush()  # here, where a full disk still has a handler
        sys.exit(status or 0)
    except BrokenPipeError:
        _drop_output()
        sys.exit(0)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last handler of the process
        if isinstance(error, OSError):
            _drop_output()
        if os.environ.get("UOL_DEBUG"):
            traceback.print_exception(error)
        failure = failure_of(error)
        print(failure.text, file=sys.stderr)
        if as_json:
            print_json(failure.as_json())
        sys.exit(failure.status)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning is for whoever typed the command: where it was raised tells them nothing."""
    print(f"warning: {message}", file=sys.stderr)


def _drop_output() -> None:
    """What standard output cannot take is not tried again when the process ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
