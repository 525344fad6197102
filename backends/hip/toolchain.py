"""From a module to a code object: through clang without HIP's headers, hiprtc in this process, or hipcc."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

from uol.backends.hip import clang, hiprtc
from uol.backends.hip.target import CODE, OPTIONS
from uol.backends.simt.running.runtime_compiler import RuntimeCompiler
from uol.backends.toolchain.running import compiled, folder_of, said_of_version
from uol.backends.toolchain.tool_identity import ABSENT, identities_of, identity_of
from uol.codegen.backend import Artifact, Device, Module, ToolState
from uol.ir.errors import MissingToolError, ToolchainError

STANDARD = "c++17"
OUTPUT = "out.co"
HINT = "install ROCm, or Debian's package hipcc"


def build(module: Module, device: Device) -> Artifact:
    """The module's device text as a code object for the device's architecture: by clang alone where it is there, else by
    hiprtc, both of which are faster than hipcc; on what they refuse, hipcc has the last word."""
    ways = list(_ways())
    if not ways:
        raise MissingToolError("neither clang with the device's libraries nor hiprtc nor hipcc was found", hint=HINT)
    try:
        return ways[0](module, device)
    except ToolchainError:
        if len(ways) == 1:
            raise
        return ways[-1](module, device)


def _ways() -> Iterator[Callable[[Module, Device], Artifact]]:
    """The compilers that are here, the fastest first. hiprtc is opened only where there is no clang."""
    if found := clang.find():
        yield partial(_by_clang, found)
    elif compiler := hiprtc.find():
        yield partial(_by_hiprtc, compiler)
    if hipcc := shutil.which("hipcc"):
        yield partial(_by_hipcc, hipcc)


def _by_clang(compiler: str, module: Module, device: Device) -> Artifact:
    return _artifact(module, *clang.build(compiler, module, device, STANDARD), clang.version(compiler))


def _by_hiprtc(compiler: RuntimeCompiler, module: Module, device: Device) -> Artifact:
    return _artifact(module, *hiprtc.build(compiler, module, device, STANDARD), f"hiprtc {compiler.version()}")


def _by_hipcc(hipcc: str, module: Module, device: Device) -> Artifact:
    command = [hipcc, "--genco", f"--offload-arch={device.architecture}", f"-std={STANDARD}", *OPTIONS, "-o", OUTPUT]
    with folder_of(module) as folder:
        made = compiled("hipcc", [*command, module.device.name], module, folder, OUTPUT, _environment())
    return _artifact(module, *made, f"hipcc {_version(hipcc)}")


def _artifact(module: Module, binary: bytes, log: str, compiler: str) -> Artifact:
    return Artifact(module, binary, None, log, {module.graph.name + CODE: binary}, compiler)


def _environment() -> dict[str, str]:
    """hipcc takes NVIDIA's platform wherever it finds nvcc, unless it is told otherwise."""
    return {**os.environ, "HIP_PLATFORM": "amd"}


def identities() -> dict[str, str]:
    """hipcc, the scripts that it is made of, and every clang that it may run, which it finds by these variables; of hiprtc,
    which the system's loader would find, the list that it looks into."""
    named = {name: os.environ.get(name, "") for name in clang.VARIABLES}
    named["libraries"] = identity_of("/etc/ld.so.cache")
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
            "HIP kernels are compiled by hiprtc or hipcc, which take longer, or not at all",
            HINT,
        ),
        ToolState(
            "hipcc",
            hipcc is not None,
            f"{hipcc}, HIP version {_version(hipcc)}" if hipcc else "not found",
            "programs with HIP's runtime, as the examples of bundles are, are not built here; kernels are, by clang or hiprtc",
            HINT,
        ),
    )


@cache
def _version(hipcc: str) -> str:
    found = re.search(r"HIP version: ([\d.]+)", said_of_version(hipcc, _environment()))
    return found[1] if found else "unknown"
