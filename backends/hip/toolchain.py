"""From a module to a code object, through hipcc."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from uol.backends.toolchain.running import compiled, folder_of, said_of_version
from uol.backends.toolchain.tool_identity import ABSENT, identities_of
from uol.codegen.backend import Artifact, Device, Module, ToolState
from uol.ir.errors import MissingToolError

STANDARD = "c++17"
OUTPUT = "out.co"
HINT = "install ROCm, or Debian's package hipcc"
VARIABLES = ("HIP_CLANG_PATH", "HIP_PATH", "ROCM_PATH", "HIP_USE_PERL_SCRIPTS")


def build(module: Module, device: Device) -> Artifact:
    """The module's device text as a code object for the device's architecture."""
    hipcc = shutil.which("hipcc")
    if hipcc is None:
        raise MissingToolError("hipcc was not found", hint=HINT)
    command = [hipcc, "--genco", f"--offload-arch={device.architecture}", f"-std={STANDARD}", "-O3", "-o", OUTPUT]
    with folder_of(module) as folder:
        binary, log = compiled("hipcc", [*command, module.device.name], module, folder, OUTPUT, _environment())
    return Artifact(module, binary, None, log)


def _environment() -> dict[str, str]:
    """hipcc takes NVIDIA's platform wherever it finds nvcc, unless it is told otherwise."""
    return {**os.environ, "HIP_PLATFORM": "amd"}


def identities() -> dict[str, str]:
    """hipcc, the scripts that it is made of, and every clang that it may run, which it finds by these variables."""
    hipcc = shutil.which("hipcc")
    if hipcc is None:
        return {"hipcc": ABSENT}
    found = Path(hipcc).resolve().parent
    named = {name: os.environ.get(name, "") for name in VARIABLES}
    roots = [named["HIP_CLANG_PATH"], f"{named['ROCM_PATH'] or '/opt/rocm'}/llvm/bin", str(found), "/usr/bin"]
    compilers = {str(p.resolve()) for root in roots if root for p in Path(root).glob("clang++*")}
    parts = [hipcc, *map(str, sorted(found.glob("hipcc.*"))), str(found / "hipvars.pm")]
    return {**named, "hipcc": identities_of(parts), "clang": identities_of(sorted(compilers))}


def states() -> tuple[ToolState, ...]:
    """hipcc, as `uol doctor` shows it."""
    hipcc = shutil.which("hipcc")
    return (
        ToolState(
            "hipcc",
            hipcc is not None,
            f"{hipcc}, HIP version {_version(hipcc)}" if hipcc else "not found",
            "HIP kernels are emitted and run in the twin, and not compiled",
            HINT,
        ),
    )


def _version(hipcc: str) -> str:
    found = re.search(r"HIP version: ([\d.]+)", said_of_version(hipcc, _environment()))
    return found[1] if found else "unknown"
