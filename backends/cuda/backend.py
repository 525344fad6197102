"""The CUDA backend: NVIDIA devices of compute capability 8.0 and later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uol.backends.cuda import driver, main_loops, resources, toolchain
from uol.backends.cuda.devices import DEFAULT, DEVICES
from uol.backends.cuda.target import TARGET
from uol.backends.simt.running.torch_side import TorchSide
from uol.backends.simt.simt_backend import SimtBackend, Toolchain
from uol.codegen.backend import Artifact
from uol.codegen.extensions import MainLoop


def torch_devices() -> frozenset[str]:
    """A PyTorch that is built for ROCm calls AMD's devices "cuda", too."""
    import torch

    return frozenset({"cuda"} if torch.version.hip is None else ())


def compute_architecture(properties: Any) -> str:
    """`sm_90` of a compute capability of 9.0."""
    return f"sm_{properties.major}{properties.minor}"


def generation(architecture: str) -> int | None:
    """The compute capability as one number: that of `sm_90` is 90."""
    return int(architecture.removeprefix("sm_"))


class CudaBackend(SimtBackend):
    """A SIMT target whose machine code cuobjdump reads."""

    def main_loops(self, artifact: Artifact) -> Mapping[str, MainLoop]:
        return main_loops.main_loops(artifact)


BACKEND = CudaBackend(
    TARGET,
    DEVICES,
    DEFAULT,
    include=Path(__file__).parent / "include",
    toolchain=Toolchain(toolchain.build, toolchain.states, toolchain.identities, resources.resources),
    driver=driver.SOURCE,
    torch=TorchSide(torch_devices, compute_architecture, generation),
)
