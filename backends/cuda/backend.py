"""The CUDA backend."""

from __future__ import annotations

from pathlib import Path

from uol.backends.cuda import driver, toolchain
from uol.backends.cuda.devices import DEFAULT, DEVICES
from uol.backends.cuda.target import TARGET
from uol.backends.simt.simt_backend import SimtBackend
from uol.codegen.backend import Artifact, Module, ToolState

INCLUDE = Path(__file__).parent / "include"


class CudaBackend(SimtBackend):
    """NVIDIA devices of compute capability 8.0 and later."""

    def __init__(self) -> None:
        super().__init__(TARGET, DEVICES, DEFAULT, INCLUDE, driver.SOURCE)

    def build(self, module: Module) -> Artifact:
        """A cubin, and PTX beside it: by NVRTC in this process where it is installed, else by nvcc."""
        return toolchain.build(module, self.devices[module.device_name])

    def doctor(self) -> tuple[ToolState, ...]:
        return (*toolchain.states(), self.driver.state())


BACKEND = CudaBackend()
