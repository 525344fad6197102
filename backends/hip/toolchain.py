"""From a module to a code object: through clang without HIP's headers, else hipcc."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from uol.backends.hip import clang
from uol.backends.hip.target import CODE
from uol.backends.toolchain.running import compiled, folder_of, said_of_version
from uol.backends.toolchain.tool_identity import ABSENT, identities_of
from uol.codegen.backend import Artifact, Device, Module, ToolState
from uol.ir.errors import MissingToolError, ToolchainError

STANDARD = "c++17"
OUTPUT = "out.co"
HINT = "install ROCm, or Debian's package hipcc"


def build(module: Module, device: Device) -> Artifact:
    """The module's device text as a code object for the device's architecture: by clang alone where it is there, in a fifth of
    the time; what it refuses, hipcc has the last word on."""
    hipcc, compiler = shutil.which("hipcc"), clang.find()
    if compiler is not None:
        try:
            binary, log = clang.build(compiler, module, device, STANDARD)
            return _artifact(module, binary, log, clang.version(compiler))
        except ToolchainError:
            if hipcc is None:
                raise
    if hipcc is None:
        raise MissingToolError("hipcc was not found", hint=HINT)
    binary, log = _by_hipcc(hipcc, module, device)
    return _artifact(module, binary, log, f"hipcc {_version(hipcc)}")


def _artifact(module: Module, binary: bytes, log: str, compiler: str) -> Artifact:
    return Artifact(module, binary, None, log, {module.graph.name + CODE: binary}, compiler)


def _by_hipcc(hipcc: str, module: Module, device: Device) -> tuple[bytes, str]:
    command = [hipcc, "--genco", f"--offload-arch={device.architecture}", f"-std={STANDARD}", "-O3", "-o", OUTPUT]
    with folder_of(module) as folder:
        return compiled("hipcc", [*command, module.device.name], module, folder, OUTPUT, _environment())


def _environment() -> dict[str, str]:
    """hipcc takes NVIDIA's platform wherever it finds nvcc, unless it is told otherwise."""
    return {**os.environ, "HIP_PLATFORM": "amd"}


def identities() -> dict[str, str]:
    """hipcc, the scripts that it is made of, and every clang that it may run, which it finds by these variables."""
    named = {name: os.environ.get(name, "") for name in clang.VARIABLES}
    compilers = sorted({str(path.resolve()) for path in clang.compilers()})
    hipcc = shutil.which("hipcc")
    if hipcc is None:
        return {**named, "hipcc": ABSENT, "clang": identities_of(compilers)}
    found = Path(hipcc).resolve().parent
    parts = [hipcc, *map(str, sorted(found.glob("hipcc.*"))), str(found / "hipvars.pm")]
    return {**named, "hipcc": identities_of(parts), "clang": identities_of(compilers)}


def states() -> tuple[ToolState, ...]:
    """clang and hipcc, as `uol doctor` shows them."""
    hipcc, compiler = shutil.which("hipcc"), clang.find()
    return (
        ToolState(
            "clang",
            compiler is not None,
            f"{compiler}, with the device's libraries" if compiler else "not found, or without the device's libraries",
            "HIP kernels are compiled by hipcc, which takes five times as long, or not at all",
            HINT,
        ),
        ToolState(
            "hipcc",
            hipcc is not None,
            f"{hipcc}, HIP version {_version(hipcc)}" if hipcc else "not found",
            "the host launchers of HIP bundles are not compiled here; kernels are where clang is",
            HINT,
        ),
    )


def _version(hipcc: str) -> str:
    found = re.search(r"HIP version: ([\d.]+)", said_of_version(hipcc, _environment()))
    return found[1] if found else "unknown"
