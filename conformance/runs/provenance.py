"""What a report is of: the commit of the sources, and the environment that ran them."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from uol.backends import registry
from uol.backends.cpu.host import usable_cores
from uol.backends.twin.build import compiler_version
from uol.conformance.cases.machine import processor, versions
from uol.conformance.runs.twins import twin_kinds
from uol.ir.errors import ToolchainError

GIT_S = 20
"""Seconds that git has for an answer."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit of a checkout, and whether files that it follows differ from it."""

    hash: str
    dirty: bool

    def __str__(self) -> str:
        return f"{self.hash[:12]}{', with changes that are not committed' if self.dirty else ''}"


@dataclass(frozen=True, slots=True)
class Provenance:
    """`commit` is None where the package does not run from a checkout, `environment` has facts by name."""

    commit: Commit | None
    environment: Mapping[str, str]

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        commit = None if self.commit is None else {"hash": self.commit.hash, "dirty": self.commit.dirty}
        return {"commit": commit, "environment": dict(self.environment)}

    @property
    def facts(self) -> dict[str, str]:
        """As a page shows it."""
        return {"commit": "none: no checkout" if self.commit is None else str(self.commit), **self.environment}


UNKNOWN = Provenance(None, {})
"""Where nobody asked."""


def provenance() -> Provenance:
    """Of this process."""
    return Provenance(commit_of(_root()), environment())


def commit_of(folder: Path) -> Commit | None:
    """The commit of a checkout; None for a folder that is not the top of one, or where there is no git."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    head = _git(folder, "rev-parse", "HEAD")
    if top is None or head is None or Path(top).resolve() != folder.resolve():
        return None
    return Commit(head, dirty=_git(folder, "status", "--porcelain", "--untracked-files=no") != "")


def environment() -> dict[str, str]:
    """The versions of Python, of packages and compilers, the processor and the system."""
    states = (state for name in registry.names() for state in registry.get(name).doctor())
    tools = (f"{state.name}: {state.detail}" for state in states if state.found and "version" in state.detail)
    return {
        **versions(),
        "twins' compiler": ", ".join(sorted({_version_of(kind.compiler) for kind in twin_kinds()})),
        "vendors' compilers": "; ".join(tools) or "none",
        "processor": f"{processor()}, {usable_cores()} cores",
        "system": platform.platform(),
    }


def _root() -> Path:
    """The folder that the package lies in."""
    spec = find_spec("uol")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent.parent


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it fails."""
    program = shutil.which("git")
    if program is None:
        return None
    command = [program, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version_of(compiler: str) -> str:
    try:
        return compiler_version(compiler).partition("\n")[0]
    except ToolchainError:
        return f"{compiler} absent"
