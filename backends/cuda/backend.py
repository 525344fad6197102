"""The CUDA backend: NVIDIA devices of compute capability 8.0 and later."""

from __future__ import annotations

from pathlib import Path

from uol.backends.cuda import driver, toolchain
from uol.backends.cuda.devices import DEFAULT, DEVICES
from uol.backends.cuda.target import TARGET
from uol.backends.simt.simt_backend import SimtBackend, Toolchain


def torch_devices() -> frozenset[str]:
    """A PyTorch that is built for ROCm calls AMD's devices "cuda", too."""
    import torch

    return frozenset({"cuda"} if torch.version.hip is None else ())


BACKEND = SimtBackend(
    TARGET,
    DEVICES,
    DEFAULT,
    include=Path(__file__).parent / "include",
    toolchain=Toolchain(toolchain.build, toolchain.states, toolchain.identities),
    driver=driver.SOURCE,
    torch_devices=torch_devices,
)
