"""What does a second process pay for operators that a first one has compiled?

    python -m uol.conformance.warm_start [--runs 5]

Ten operators on the CPU, forward and backward, with nothing set in the environment but an empty folder for the cache: first
cold, then in processes of their own that make the same calls. Prints the files of the cache before and after, whether TVM was
imported, and the CPU seconds of each process beyond importing torch (its own and its children's). Exit status 1 where a later
process adds or changes a file, imports TVM, or where the median is over the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 0.7
"""CPU seconds beyond importing torch that a process may take whose kernels are all in the cache."""
_PRESET = ("UOL_", "TVM_")
"""What an environment variable begins with that could decide about keys."""

CALLS = '''
import json, os, sys
import torch

def seconds():
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system

start = seconds()
import uol
torch.manual_seed(0)
x, w, b = (torch.randn(*size, requires_grad=True) for size in ((64, 32), (16, 32), (16,)))
image, filters = torch.randn(1, 4, 8, 8, requires_grad=True), torch.randn(8, 4, 3, 3, requires_grad=True)
total = uol.ops.text.softmax(x).square().sum()
total = total + uol.ops.text.linear(x, w, b).sum()
total = total + uol.ops.text.conv2d(image, filters, pad=1).sum()
total = total + uol.ops.text.layer_norm(x, torch.ones(32), torch.zeros(32)).square().sum()
total = total + uol.ops.text.gelu(x).sum()
total.backward()
with torch.no_grad():
    results = [uol.ops.relu(torch.randn(400_000)), uol.ops.sigmoid(x), uol.ops.add(x, x), uol.ops.text.sum(x)]
    results += [uol.ops.text.max_pool2d(image, kernel=2), uol.ops.text.softmax(torch.randn(96, 32))]
numbers = [float(total), *(float(r.sum()) for r in results), *(float(t.grad.sum()) for t in (x, w, b, image, filters))]
print(json.dumps({"cpu_s": seconds() - start, "tvm": "tvm" in sys.modules, "numbers": numbers}))
'''


@dataclass(frozen=True, slots=True)
class Run:
    """One process: CPU seconds beyond importing torch, whether it imported TVM, what it computed, and the files of the cache
    after it, each with the time of its last change."""

    cpu_s: float
    tvm: bool
    numbers: tuple[float, ...]
    files: dict[str, int]


def run(home: Path) -> Run:
    """The calls in a process of its own, which keeps its files below `home`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_PRESET)}
    environment["XDG_CACHE_HOME"] = str(home)
    done = subprocess.run([sys.executable, "-P", "-c", CALLS], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the calls failed:\n{done.stderr}")
    said = json.loads(done.stdout.splitlines()[-1])
    files = {str(p.relative_to(home)): p.stat().st_mtime_ns for p in home.rglob("*") if p.is_file()}
    return Run(said["cpu_s"], said["tvm"], tuple(said["numbers"]), files)


def faults(cold: Run, warm: Sequence[Run], limit_s: float) -> list[str]:
    """What is not as it should be of the later processes."""
    found: list[str] = []
    if not cold.tvm:
        found.append("the first process compiled nothing")
    for number, each in enumerate(warm, 2):
        if each.files != cold.files:
            changed = sorted(dict(each.files.items() ^ cold.files.items()))
            found.append(f"process {number} added or changed {', '.join(changed)}")
        if each.tvm:
            found.append(f"process {number} imported TVM")
        if each.numbers != cold.numbers:
            found.append(f"process {number} computed something else")
    median = statistics.median(each.cpu_s for each in warm)
    if median > limit_s:
        found.append(f"{median:.2f} CPU seconds beyond importing torch: over {limit_s}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.warm_start", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="processes after the first")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="CPU seconds beyond importing torch")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cold, *warm = [run(Path(folder)) for _ in range(1 + max(1, options.runs))]
    for number, (each, before) in enumerate(zip((cold, *warm), ({}, cold.files, *(w.files for w in warm)), strict=False), 1):
        tvm = "imported" if each.tvm else "not imported"
        print(f"process {number}: files {len(before):3} -> {len(each.files):3}, TVM {tvm:12}, {each.cpu_s:5.2f} CPU s")
    found = faults(cold, warm, options.limit)
    median = statistics.median(each.cpu_s for each in warm)
    print(f"median of processes 2 to {len(warm) + 1}: {median:.2f} CPU s beyond importing torch")
    for fault in found:
        print(f"FAILED: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
