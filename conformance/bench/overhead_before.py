"""What a call and an import cost here beside another commit's, in processes in turns.

    git worktree add ../before c2b399fe
    python -m uol.conformance.bench.overhead_before ../before [--rounds 5]

Microseconds of `uol.ops.relu` and `uol.ops.add` on 16 elements, with PyTorch's own beside them, and milliseconds of
`import uol` and of the first look at `uol.ops` after PyTorch's import: the least of all rounds. Exit status 1 where one takes
more than 1.05 of the other commit's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

import uol
from uol.conformance.command import run_command

MOST = 1.05
ROOMS = ("ir", "codegen", "backends", "ops", "conformance")
PROBE = """
import json, sys, time, timeit
sys.path += json.loads(sys.argv[1])
start = time.perf_counter()
import uol
imported = time.perf_counter() - start
import torch
start = time.perf_counter()
relu, add = uol.ops.relu, uol.ops.add
looked = time.perf_counter() - start
x, y, recorded = torch.randn(16), torch.randn(16), torch.randn(16, requires_grad=True)
calls = {"relu": lambda: uol.ops.relu(x), "add": lambda: uol.ops.add(x, y), "relu, recorded": lambda: uol.ops.relu(recorded)}
calls |= {"PyTorch's relu": lambda: torch.relu(x), "PyTorch's add": lambda: torch.add(x, y)}
found = {"import uol, ms": imported * 1e3, "uol.ops, ms": looked * 1e3}
for name, call in calls.items():
    call()
    found[f"{name}, us"] = min(timeit.repeat(call, number=100, repeat=150)) / 100 * 1e6
print(json.dumps(found | {"file": uol.__file__}))
"""


def probe(package: Path, cache: Path) -> dict[str, float]:
    """The figures of a package in a process of its own, without what an editable installation puts in front of it."""
    others = json.dumps([str(Path(torch.__file__).parents[1])])
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPATH": str(package), "UOL_CACHE_DIR": str(cache)}
    command = [sys.executable, "-P", "-S", "-c", PROBE, others]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found = json.loads(done.stdout)
    if not found.pop("file").startswith(str(package)):
        raise RuntimeError(f"another uol than that of {package} was imported")
    return dict(found)


def package_of(checkout: Path, at: Path) -> Path:
    """A folder in which `uol` is the package of a checkout: symlinks in the shape that the wheel has."""
    (at / "uol").mkdir(parents=True)
    for entry in (checkout / "uol").iterdir():
        (at / "uol" / entry.name).symlink_to(entry)
    for room in ROOMS:
        (at / "uol" / room).symlink_to(checkout / room)
    return at


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    first_line = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.bench.overhead_before", description=first_line)
    parser.add_argument("before", type=Path, help="a checkout of the other commit")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    checkouts = {"here": Path(uol.__file__).resolve().parents[1], "before": given.before.resolve()}
    least: dict[str, dict[str, float]] = {name: {} for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        packages = {name: package_of(checkout, Path(folder) / name) for name, checkout in checkouts.items()}
        for turn in range(given.rounds):
            for name in list(checkouts)[:: 1 if turn % 2 else -1]:
                for what, value in probe(packages[name], Path(folder) / f"{name}-cache").items():
                    least[name][what] = min(value, least[name].get(what, value))
    holds = True
    for what, here in least["here"].items():
        before, own = least["before"][what], not what.startswith("PyTorch")
        is_worse = own and here > MOST * before
        holds = holds and not is_worse
        print(f"{what:20} here {here:7.2f}  before {before:7.2f}  {here / before:5.2f}{'  WORSE' if is_worse else ''}")
    return 0 if holds else 1


if __name__ == "__main__":
    run_command(main)
