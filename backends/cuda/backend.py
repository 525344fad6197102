"""The CUDA backend: NVIDIA devices of compute capability 8.0 and later."""

from __future__ import annotations

from pathlib import Path

from uol.backends.cuda import driver, toolchain
from uol.backends.cuda.devices import DEFAULT, DEVICES
from uol.backends.cuda.target import TARGET
from uol.backends.simt.simt_backend import SimtBackend, Toolchain

BACKEND = SimtBackend(
    TARGET,
    DEVICES,
    DEFAULT,
    include=Path(__file__).parent / "include",
    toolchain=Toolchain(toolchain.build, toolchain.states, toolchain.identities),
    driver=driver.SOURCE,
)
