"""The HIP backend: AMD devices of the CDNA2 and CDNA3 generations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uol.backends.hip import accesses, driver, main_loops, resources, toolchain
from uol.backends.hip.devices import DEFAULT, DEVICES
from uol.backends.hip.target import TARGET
from uol.backends.simt.running.torch_side import TorchSide
from uol.backends.simt.simt_backend import SimtBackend, Toolchain
from uol.codegen.backend import Artifact
from uol.codegen.extensions import Accesses, MainLoop


def torch_devices() -> frozenset[str]:
    """A PyTorch that is built for ROCm calls its devices "cuda"."""
    import torch

    return frozenset({"hip"} if torch.version.hip is None else {"hip", "cuda"})


def gcn_architecture(properties: Any) -> str:
    """`gfx90a` of "gfx90a:sramecc+:xnack-"."""
    name: str = properties.gcnArchName
    return name.partition(":")[0]


def generation(architecture: str) -> int | None:
    """The number of `gfx90a`, 0x90a. None for what is not of GFX9, whose waves have 64 lanes."""
    found = re.fullmatch(r"gfx(9[0-9a-f]{2})", architecture)
    return int(found[1], 16) if found else None


class HipBackend(SimtBackend):
    """A SIMT target whose machine code the disassembler beside its compiler reads."""

    def accesses(self, artifact: Artifact) -> Mapping[str, Accesses]:
        return accesses.accesses(artifact)

    def main_loops(self, artifact: Artifact) -> Mapping[str, MainLoop]:
        return main_loops.main_loops(artifact)


BACKEND = HipBackend(
    TARGET,
    DEVICES,
    DEFAULT,
    include=Path(__file__).parent / "include",
    toolchain=Toolchain(toolchain.build, toolchain.states, toolchain.identities, resources.resources),
    driver=driver.SOURCE,
    torch=TorchSide(torch_devices, gcn_architecture, generation),
)
