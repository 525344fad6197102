"""The HIP backend: AMD devices of the CDNA2 generation."""

from __future__ import annotations

from pathlib import Path

from uol.backends.hip import driver, toolchain
from uol.backends.hip.devices import DEFAULT, DEVICES
from uol.backends.hip.target import TARGET
from uol.backends.simt.simt_backend import SimtBackend, Toolchain


def torch_devices() -> frozenset[str]:
    """A PyTorch that is built for ROCm calls its devices "cuda"."""
    import torch

    return frozenset({"hip"} if torch.version.hip is None else {"hip", "cuda"})


BACKEND = SimtBackend(
    TARGET,
    DEVICES,
    DEFAULT,
    include=Path(__file__).parent / "include",
    toolchain=Toolchain(toolchain.build, toolchain.states, toolchain.identities),
    driver=driver.SOURCE,
    torch_devices=torch_devices,
)
