"""The peak resident memory of a model's row, each side in processes of its own: `uol bench --memory`.

    python -m uol.conformance.bench.peak_memory GIVEN    such a process; GIVEN is JSON: a model's row, a side, a memory format

It imports torch, uol and, for a ResNet, torchvision, the same for both sides: what counts is the work, not the size of a
package. Then it builds the model, calls it twice and prints by how many bytes its resident memory was at most above what it was
after the imports. Weights are a side's own, and so is what it loads later: kernels from the cache on disk, libraries.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from statistics import median_low
from typing import Any

from uol.conformance.bench.measurement import same_threads
from uol.conformance.bench.model_row import SIDES, WARM_CALLS, Format, ModelRow, Side, faster_format
from uol.conformance.bench.turns import Turns
from uol.ir.errors import UolError

PROCESSES = 3
"""Of each side, whose median counts: where blocks lie in the C library's heap, and with it the peak, differs from process to
process, by 8 MiB of 180."""
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes above the imported process, at their peak."""

    uol_bytes: int
    pytorch_bytes: int

    @property
    def ratio(self) -> float:
        """PyTorch's / uol's: above 1, uol takes less."""
        return self.pytorch_bytes / self.uol_bytes


def peak_memory(row: ModelRow) -> Memory | str:
    """Of both sides, in the memory format that is faster for each; or why there is none."""
    try:
        if not STATUS.is_file():
            raise UolError(f"the peak is read in {STATUS}, which Linux has")
        return Memory(*(median_low([_measured(row, side) for _ in range(PROCESSES)]) for side in SIDES))
    except UolError as error:
        return error.message


def _measured(row: ModelRow, side: Side) -> int:
    """Again where the process had to compile: the next one finds the kernels on disk."""
    found: Mapping[str, Any] = {}
    for _ in range(2):
        given = json.dumps({"row": asdict(row), "side": side, "order": faster_format(row, side)})
        command = [sys.executable, "-P", "-m", __name__, given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            *_, last_line = done.stderr.splitlines() or [""]
            raise UolError(f"{side}'s process ended with status {done.returncode}: {last_line}")
        found = json.loads(done.stdout)
        if not found["compiled"]:
            return int(found["bytes"])
    raise UolError(f"{side}'s process compiles its kernels anew: none are in the cache")


def resident_bytes(name: str) -> int:
    """Of this process: VmRSS now, VmHWM at its peak (proc_pid_status(5)). `ru_maxrss` counts its parent's."""
    return 1024 * next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))


def peak_above(row: ModelRow, side: Side, order: Format) -> int:
    """Bytes by which building the model and calling it raises the peak above what is resident before. A peak of the imports is
    forgotten, where the kernel lets a process do so (`clear_refs`, proc(5)); it is lower than any model's."""
    with suppress(OSError):
        RESET.write_text("5")
    before = resident_bytes("VmRSS")
    call = row.call(side, order)
    for _ in range(WARM_CALLS):
        call()
    return resident_bytes("VmHWM") - before


def main(given: str) -> None:
    """The process of a side."""
    asked = json.loads(given)
    row = ModelRow(**asked["row"])
    for name in ("torch", "uol", *["torchvision"] * (row.model == "resnet50")):
        import_module(name)
    with same_threads(Turns()):
        peak = peak_above(row, asked["side"], asked["order"])
    print(json.dumps({"bytes": peak, "compiled": "tvm" in sys.modules}))


if __name__ == "__main__":
    main(*sys.argv[1:])
