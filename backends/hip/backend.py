"""The HIP backend."""

from __future__ import annotations

from pathlib import Path

from uol.backends.hip import driver, toolchain
from uol.backends.hip.devices import DEFAULT, DEVICES
from uol.backends.hip.target import TARGET
from uol.backends.simt.simt_backend import SimtBackend
from uol.codegen.backend import Artifact, Module, ToolState

INCLUDE = Path(__file__).parent / "include"


class HipBackend(SimtBackend):
    """AMD devices of the CDNA2 generation."""

    def __init__(self) -> None:
        super().__init__(TARGET, DEVICES, DEFAULT, INCLUDE, driver.SOURCE)

    def build(self, module: Module) -> Artifact:
        """A code object, by hipcc."""
        return toolchain.build(module, self.devices[module.device_name])

    def doctor(self) -> tuple[ToolState, ...]:
        return (*toolchain.states(), self.driver.state())


BACKEND = HipBackend()
