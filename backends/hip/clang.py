"""The clang that hipcc runs, without hipcc and without HIP's headers, which take most of the time of a build."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from uol.backends.hip.target import OPTIONS
from uol.backends.toolchain.running import compiled, folder_of, said_of_version
from uol.codegen.backend import Device, Module

PRELUDE = Path(__file__).parent / "prelude"
"""What stands in place of HIP's headers."""
OUTPUT = "out.co"
LIBRARIES = "lib/clang/*/amdgcn/bitcode/ocml.bc", "../amdgcn/bitcode/ocml.bc"
"""Where the device's mathematics lies, from the folder that LLVM is in: Debian's, ROCm's."""
VARIABLES = ("HIP_CLANG_PATH", "HIP_PATH", "ROCM_PATH", "HIP_USE_PERL_SCRIPTS")
"""By which hipcc finds its clang."""


def find() -> str | None:
    """The newest of the first folder that has one with the device's libraries; None where there is none, as beside an LLVM
    without them."""
    return next((str(path) for path in compilers() if _has_libraries(path)), None)


def compilers() -> Iterator[Path]:
    """Every clang that hipcc may run, in the order in which it looks for them; of a folder the newest first."""
    hipcc = shutil.which("hipcc")
    beside = [str(Path(hipcc).resolve().parent)] if hipcc else []
    rocm = os.environ.get("ROCM_PATH") or "/opt/rocm"
    for root in (os.environ.get("HIP_CLANG_PATH"), f"{rocm}/llvm/bin", *beside, "/usr/bin"):
        if root:
            yield from sorted(Path(root).glob("clang++*"), key=_version, reverse=True)


def build(clang: str, module: Module, device: Device, standard: str) -> tuple[bytes, str]:
    """The module's device text as a code object, and what clang said. Raises ToolchainError for its refusal."""
    resources = next(_llvm(Path(clang)).glob("lib/clang/*/include/__clang_hip_runtime_wrapper.h")).parent
    command = [
        *(clang, "-x", "hip", "--cuda-device-only", "--no-gpu-bundle-output", f"--offload-arch={device.architecture}"),
        *("-nogpuinc", "-nostdinc", "-D__HIPCC_RTC__"),  # clang's own HIP headers then take none of the host's
        *("-isystem", str(resources), "-isystem", str(PRELUDE)),
        *(f"-std={standard}", *OPTIONS, "-o", OUTPUT, module.device.name),
    ]
    with folder_of(module) as folder:
        return compiled("clang", command, module, folder, OUTPUT)


@cache
def version(clang: str) -> str:
    """`clang 17.0.6`."""
    found = re.search(r"clang version (\S+)", said_of_version(clang))
    return f"clang {found[1]}" if found else "clang"


def _has_libraries(clang: Path) -> bool:
    llvm = _llvm(clang)
    headers = any(llvm.glob("lib/clang/*/include/__clang_hip_runtime_wrapper.h"))
    return headers and any(any(llvm.glob(pattern)) for pattern in LIBRARIES)


def _llvm(clang: Path) -> Path:
    """`/usr/lib/llvm-17` of `/usr/bin/clang++-17`."""
    return clang.resolve().parent.parent


def _version(clang: Path) -> int:
    """The number that ends its name, or that of the folder which it lies in; 0 where there is none."""
    found = re.search(r"-(\d+)", clang.name) or re.search(r"llvm-(\d+)", str(clang.resolve()))
    return int(found[1]) if found else 0
