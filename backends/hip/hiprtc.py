"""hiprtc, AMD's compiler as a library: where it is found. It knows HIP's headers by itself, and needs no GPU."""

from __future__ import annotations

from functools import cache

from uol.backends.hip.card import LIBRARIES as RUNTIMES
from uol.backends.hip.target import OPTIONS
from uol.backends.simt.running.runtime_compiler import RuntimeCompiler
from uol.backends.toolchain.diagnostics import refusal
from uol.backends.toolchain.shared_library import loaded_first
from uol.codegen.backend import Device, Module

LIBRARIES = ("libhiprtc.so", "libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5", *RUNTIMES)
"""Up to ROCm 5 it may be a part of the runtime's library."""


@cache
def find() -> RuntimeCompiler | None:
    """The first that is loaded or installed."""
    compilers = (library for library in loaded_first(LIBRARIES) if hasattr(library, "hiprtcCompileProgram"))
    library = next(compilers, None)
    return None if library is None else RuntimeCompiler(library, "hiprtc", "hiprtc")


def build(compiler: RuntimeCompiler, module: Module, device: Device, standard: str) -> tuple[bytes, str]:
    """The module's device text as a code object, and what hiprtc said. Raises ToolchainError for its refusal."""
    headers = {f.name: f.text for f in module.host if f.name.endswith(".h")}
    options = [f"--offload-arch={device.architecture}", f"-std={standard}", *OPTIONS]
    made, log = compiler.compile(module.device.name, module.device.text, headers, options, ("Code",))
    if not made:
        raise refusal(compiler.name, module, log)
    return made["Code"], log
