"""From a module to a cubin: NVRTC in this process, else nvcc."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from uol.backends.cuda import nvrtc
from uol.backends.cuda.target import CUBIN, PTX
from uol.backends.toolchain.diagnostics import refusal
from uol.backends.toolchain.running import compiled, folder_of, said_of_version
from uol.backends.toolchain.tool_identity import ABSENT, identities_of, identity_of, programs_of
from uol.codegen.backend import Artifact, Device, Module, ToolState
from uol.ir.errors import MissingToolError, ToolchainError

STANDARD = "c++17"
PIP_HINT = "pip install nvidia-cuda-nvrtc, or install the CUDA toolkit"


def build(module: Module, device: Device) -> Artifact:
    """The module's device text as a cubin. `Artifact.files` holds it, and PTX beside it, for devices that come later."""
    if nvcc := chosen_nvcc():
        return _with_nvcc(module, device, nvcc)
    if nvrtc.library() is not None:
        return _with_nvrtc(module, device)
    if nvcc := shutil.which("nvcc"):
        return _with_nvcc(module, device, nvcc)
    raise MissingToolError("no CUDA compiler was found", hint=PIP_HINT)


def chosen_nvcc() -> str | None:
    """The nvcc that the environment names; None where it names none, or an NVRTC. Raises MissingToolError for what is none."""
    named = os.environ.get(nvrtc.VARIABLE, "")
    if not named or nvrtc.chosen():
        return None
    if found := shutil.which(named):
        return found
    raise MissingToolError(f"{nvrtc.VARIABLE} names {named!r}, which is no program", hint=nvrtc.NAMED_HINT)


def _with_nvrtc(module: Module, device: Device) -> Artifact:
    headers = {f.name: f.text for f in module.host if f.name.endswith(".h")}
    options = [f"--gpu-architecture={device.architecture}", f"--std={STANDARD}"]
    made = nvrtc.compile_text(module.device.name, module.device.text, headers, options)
    if not made.cubin:
        raise refusal("NVRTC", module, made.log)
    return _artifact(module, made.cubin, made.ptx, made.log, f"NVRTC {nvrtc.version()}")


def _with_nvcc(module: Module, device: Device, nvcc: str) -> Artifact:
    with folder_of(module) as folder:
        command = [nvcc, f"-arch={device.architecture}", f"-std={STANDARD}", "-O3"]
        cubin, log = compiled("nvcc", [*command, "-cubin", "-o", "out.cubin", module.device.name], module, folder, "out.cubin")
        ptx, _ = compiled("nvcc", [*command, "-ptx", "-o", "out.ptx", module.device.name], module, folder, "out.ptx")
    return _artifact(module, cubin, ptx, log, f"nvcc {_nvcc_version(nvcc)}")


def _artifact(module: Module, cubin: bytes, ptx: bytes, log: str, compiler: str) -> Artifact:
    name = module.graph.name
    return Artifact(module, cubin, None, log, {name + CUBIN: cubin, name + PTX: ptx}, compiler)


def identities() -> dict[str, str]:
    """What the environment names; else NVRTC, else nvcc with what it runs; of what the system's loader would find, the list
    that it looks into."""
    if named := os.environ.get(nvrtc.VARIABLE, ""):
        own = nvrtc.chosen()
        kept = identities_of([own, *nvrtc.builtins_beside(own)]) if own else _nvcc_identity(shutil.which(named))
        return {nvrtc.VARIABLE: f"{named} {kept}"}
    if found := nvrtc.installed():
        return {"NVRTC": identities_of(found)}
    return {"libraries": identity_of("/etc/ld.so.cache"), "nvcc": _nvcc_identity(shutil.which("nvcc"))}


def _nvcc_identity(nvcc: str | None) -> str:
    if nvcc is None:
        return ABSENT
    folders = {Path(program).parent for program in (os.path.realpath(nvcc), *programs_of(nvcc))}
    parts = ("nvcc", "ptxas", "cudafe++", "../nvvm/bin/cicc")
    return identities_of([nvcc, *(str(folder / part) for folder in sorted(folders) for part in parts)])


def states() -> tuple[ToolState, ...]:
    """NVRTC and nvcc, as `uol doctor` shows them."""
    nvcc = shutil.which("nvcc")
    return (
        *_named_state(),
        ToolState(
            "NVRTC",
            *_nvrtc_state(),
            "CUDA kernels are compiled by nvcc, which is slower, or not at all",
            "pip install nvidia-cuda-nvrtc",
        ),
        ToolState(
            "nvcc",
            nvcc is not None,
            f"{nvcc}, version {_nvcc_version(nvcc)}" if nvcc else "not found",
            "programs with CUDA's runtime, as the examples of bundles are, are not built here",
            "install the CUDA toolkit",
        ),
    )


def _named_state() -> Iterator[ToolState]:
    """What the environment names in place of what would be found, where it names anything."""
    if named := os.environ.get(nvrtc.VARIABLE, ""):
        cost = "CUDA kernels are not compiled: nothing else is tried"
        is_there = _nvrtc_state()[0] if nvrtc.chosen() else shutil.which(named) is not None
        yield ToolState(nvrtc.VARIABLE, is_there, f"{named} compiles CUDA kernels", cost, nvrtc.NAMED_HINT)


def _nvrtc_state() -> tuple[bool, str]:
    """Is there an NVRTC, and which?"""
    try:
        found = nvrtc.version()
    except ToolchainError as error:
        return False, error.message
    return bool(found), f"version {found}, {nvrtc.place()}" if found else "not found"


def _nvcc_version(nvcc: str) -> str:
    found = re.search(r"release ([\d.]+)", said_of_version(nvcc))
    return found[1] if found else "unknown"
