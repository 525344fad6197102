"""A tool that is run: on the texts of a module, in a folder of their own, or to say which version it is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from uol.backends.cache.disk_errors import build_folder
from uol.backends.toolchain.diagnostics import refusal
from uol.codegen.backend import Module
from uol.ir.errors import ToolchainError
from uol.ir.forking import forks_allowed, unforked

TIMEOUT_S = 600


@contextmanager
def folder_of(module: Module) -> Iterator[Path]:
    """A folder with the module's texts, which is gone afterwards."""
    with build_folder() as folder:
        for file in (module.device, *module.host):
            (folder / file.name).write_text(file.text)
        yield folder


def compiled(
    tool: str, command: Sequence[str], module: Module, folder: Path, output: str, environment: Mapping[str, str] | None = None
) -> tuple[bytes, str]:
    """The file that a compiler makes of a module's texts in their folder, and what it said. Raises its refusal, at the line of
    the op."""
    done = run_tool(tool, command, folder, environment)
    log = (done.stdout + done.stderr).strip()
    if done.returncode or not (folder / output).is_file():
        raise refusal(tool, module, log)
    return (folder / output).read_bytes(), log


def run_tool(
    tool: str,
    command: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """A tool, run to its end, whatever its exit status. Raises ToolchainError where it does not come to one in time."""
    try:
        return run_to_end(command, cwd=folder, env=environment, timeout_s=timeout_s)
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"{tool} did not finish in {timeout_s} s") from None


def run_to_end(
    command: Sequence[str],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    stdin: int | None = None,
    stderr: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """A process, as `subprocess.run` runs it with its output captured as text. Raises OSError where it does not start, and
    subprocess.TimeoutExpired where it has to be killed.

    Other threads may fork while it runs, but not while it is started: their child would keep the writing ends of its pipes,
    which are closed here alone, and what is read from them would not end before the child does."""
    with unforked():
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True, errors="replace"
        )
    with process:
        try:
            with forks_allowed():
                output, errors = process.communicate(timeout=timeout_s)
        finally:
            process.kill()  # nothing where it has come to its end
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def said_of_version(tool: str, environment: Mapping[str, str] | None = None) -> str:
    """What a tool answers to `--version`."""
    done = run_tool(tool, [tool, "--version"], environment=environment, timeout_s=60)
    return done.stdout + done.stderr
