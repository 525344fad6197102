"""What a second process still compiles of a model that a first one has compiled under `torch.compile(model, backend="uol")`.

    python -m uol.conformance.graphs.second_process                 # the models of `graphs.bench`, forward and training step
    python -m uol.conformance.graphs.second_process gelu llama

Two processes of their own for each model, with an empty folder for the cache: the entries that each adds to it (texts that are
parsed, gradients, modules, binaries), whether it imported TVM, without which nothing can be compiled for the CPU, and the
seconds of a core until both calls have given their results. Exit status 1 where the first compiles nothing, or the second
anything, or gives other results.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from uol.conformance.command import run_command
from uol.conformance.graphs.bench import leaves_of, run_of
from uol.conformance.graphs.models import SUBJECTS


@dataclass(frozen=True)
class Process:
    """`compiled`: entries that it added to the cache; `digest`: of the bytes of all results."""

    compiled: int
    has_tvm: bool
    cpu_s: float
    digest: str

    def __str__(self) -> str:
        tvm = "imported" if self.has_tvm else "not imported"
        return f"compiled {self.compiled:4}, TVM {tvm:12}, {self.cpu_s:5.1f} CPU s"


def calls(name: str) -> dict[str, object]:
    """A model's first inference and its first training step in this process."""
    (subject,) = (s for s in SUBJECTS if s.name == name)
    digest, seconds = hashlib.sha256(), 0.0
    for is_training in (False, True):
        torch._dynamo.reset()
        torch.manual_seed(0)
        model, inputs = subject.make()
        if isinstance(model, nn.Module):
            model.train(is_training)
        with torch.no_grad():
            cotangent = torch.ones_like(model(*inputs))
        compiled = torch.compile(model, backend="uol", fullgraph=True, dynamic=False)
        start = time.process_time()
        results = run_of(compiled, inputs, leaves_of(model, inputs), cotangent, is_training)()
        seconds += time.process_time() - start
        for x in results:
            digest.update(x.detach().contiguous().numpy().tobytes())
    return {"tvm": "tvm" in sys.modules, "cpu_s": seconds, "digest": digest.hexdigest()}


def processes(name: str, count: int = 2) -> list[Process]:
    """One after the other, with a cache of their own."""
    found: list[Process] = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if k != "UOL_DUMP"} | {"UOL_CACHE_DIR": folder}
        before: set[tuple[str, int]] = set()
        for _ in range(count):
            command = [sys.executable, "-m", __spec__.name, name, "--in-this-process"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{name} failed:\n{done.stderr}")
            said = json.loads(done.stdout.splitlines()[-1])
            after = {(str(p), p.stat().st_mtime_ns) for p in Path(folder).rglob("*") if p.is_file() and p.suffix != ".lock"}
            found.append(Process(len(after - before), said["tvm"], said["cpu_s"], said["digest"]))
            before = after
    return found


def faults(found: Sequence[Process]) -> list[str]:
    """What is not as it should be of a model's processes."""
    first, *later = found
    said = [] if first.compiled and first.has_tvm else ["the first process compiled nothing"]
    for number, each in enumerate(later, 2):
        if each.compiled:
            said.append(f"process {number} compiled {each.compiled}")
        if each.has_tvm:
            said.append(f"process {number} imported TVM")
        if each.digest != first.digest:
            said.append(f"process {number} gave other results")
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    first_line = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.graphs.second_process", description=first_line)
    known = [s.name for s in SUBJECTS]
    parser.add_argument("names", nargs="*", help="which models; all, where none is named")
    parser.add_argument("--in-this-process", action="store_true", help="the calls alone, of one model; prints JSON")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in known]:
        parser.error(f"no model {unknown[0]}: there are {', '.join(known)}")
    if given.in_this_process:
        print(json.dumps(calls(given.names[0])))
        return 0
    failed = False
    for name in given.names or known:
        found = processes(name)
        for number, each in enumerate(found, 1):
            print(f"{name:14} process {number}: {each}", flush=True)
        for fault in faults(found):
            failed = True
            print(f"{name:14} FAILED: {fault}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    run_command(main)
