"""How long is the way from a call to the emitted text? Counts the files and the boundaries that a compilation crosses.

    python -m uol.conformance.walk [--op softmax --target hip] [--list]

Each pair of an operator and a target is compiled in a process of its own with an empty cache. A file is entered where one of
its functions runs; what a module does on import does not count. A boundary is a public function (or a property, or a class's
method) of one file that is entered from another file: it counts once for each file that calls it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import uol
from uol.backends import registry
from uol.backends.cache.files import PACKAGES
from uol.conformance.command import run_command
from uol.ops.workloads import workloads_of

PAIRS = (("softmax", "hip"), ("conv2d", "ascendc"))
IMPORTING = "<module>"


@dataclass(frozen=True, slots=True)
class Walk:
    """The files that were entered, and the boundaries: file of the caller, file of the function, the function."""

    files: frozenset[str]
    boundaries: frozenset[tuple[str, str, str]]


class _Tracer:
    def __init__(self) -> None:
        self.roots = tuple(dict.fromkeys(str(Path(p).resolve()) for p in _folders()))
        self.names: dict[str, str | None] = {}
        self.files: set[str] = set()
        self.boundaries: set[tuple[str, str, str]] = set()
        self.imports = 0
        """How many modules are being imported: what runs then is the body of a class, or makes a table of a module."""

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if frame.f_code.co_name == IMPORTING:
            self.imports += {"call": 1, "return": -1}.get(event, 0)
        if event != "call" or self.imports:
            return
        here = self.name(frame.f_code.co_filename)
        if here is None:
            return
        self.files.add(here)
        caller = self.caller(frame)
        function = frame.f_code.co_qualname.removesuffix(".__init__").removesuffix(".__call__")
        is_public = not any(part.startswith("_") or part == "<locals>" for part in function.split(".")) and "<" not in function
        if is_public and caller not in (None, here):
            self.boundaries.add((str(caller), here, function))

    def caller(self, frame: FrameType) -> str | None:
        """The file of the project that calls, whatever library stands between."""
        outer = frame.f_back
        while outer is not None:
            name = self.name(outer.f_code.co_filename)
            if name is not None:
                return name
            outer = outer.f_back
        return None

    def name(self, file: str) -> str | None:
        """A file's path within the project; None for other files."""
        if file not in self.names:
            path = str(Path(file).resolve()) if not file.startswith("<") else file
            root = next((r for r in self.roots if path.startswith(r + os.sep)), None)
            self.names[file] = None if root is None else f"{Path(root).name}/{Path(path).relative_to(root)}"
        return self.names[file]


def _folders() -> list[str]:
    """Where the floors lie, the innermost first: in an installed package they are folders of one another."""
    specs = [find_spec(package) for package in reversed(PACKAGES)]
    return [str(Path(s.origin).parent) for s in specs if s is not None and s.origin]


def walked(op: str, target: str) -> Walk:
    """What a compilation enters, in this process. The cache is the one that the environment names."""
    workload = workloads_of(op)[0]
    tracer = _Tracer()
    sys.setprofile(tracer)
    try:
        uol.compile(op, target=target, dtype="f32", dims=workload.dims, attrs=workload.attrs)
    finally:
        sys.setprofile(None)
    return Walk(frozenset(tracer.files), frozenset(tracer.boundaries))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.walk", description=__doc__)
    parser.add_argument("--op", help="one operator, in this process")
    parser.add_argument("--target", default=registry.names()[0], help="and its target")
    parser.add_argument("--list", action="store_true", help="print every boundary")
    options = parser.parse_args(arguments)
    if options.op is not None:
        found = walked(options.op, options.target)
        if options.list:
            print("\n".join(f"{caller:40} {callee:40} {name}" for caller, callee, name in sorted(found.boundaries)))
        print(f"{options.op} {options.target}: {len(found.files)} files, {len(found.boundaries)} boundaries")
        return 0
    for op, target in PAIRS:
        command = [sys.executable, "-m", "uol.conformance.walk", "--op", op, "--target", target]
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "UOL_CACHE_DIR": folder}
            subprocess.run([*command, *(["--list"] if options.list else [])], env=environment, check=True)
    return 0


if __name__ == "__main__":
    run_command(main)
