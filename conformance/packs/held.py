"""What a case holds of its inputs and results, its launches, and its binaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from uol.codegen.backend import Artifact, Kernel
from uol.conformance.accuracy.interval import Array
from uol.conformance.packs.runner.judge import Owed

NATIVE, PORTABLE = "native", "portable"
"""What a binary is for: the pack's architecture alone, or later ones, too, whose driver compiles it."""

Binaries = Mapping[str, tuple[str, bytes]]
"""The content of each kind, with the suffix of its file."""
Draws = Mapping[str, tuple[Mapping[str, object], Binaries]]
"""By input, what launches the kernel that draws it, and its binaries."""


@dataclass(frozen=True, slots=True)
class Held:
    """`owed`: by result; `arrays`: what travels of inputs, and where results are sampled; `draws`: inputs that are drawn."""

    owed: list[Owed]
    arrays: Mapping[str, Array]
    draws: Draws


def launch_of(kernel: Kernel, scalars: Mapping[str, float]) -> dict[str, object]:
    """What launches a kernel: its symbol, its sizes, and the kind and name of each parameter."""
    kinds = [("pointer" if p.kind == "buffer" else p.dtype, p.name) for p in kernel.params]
    return {
        "symbol": kernel.name,
        "grid": list(kernel.launch.blocks(scalars)),
        "block": list(kernel.launch.block),
        "shared_bytes": kernel.launch.shared_bytes,
        "parameters": [list(each) for each in kinds],
    }


def binaries_of(artifact: Artifact) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """The binary, and what the compiler made beside it for cards that come later."""
    suffixes = {content: "." + name.rpartition(".")[2] for name, content in artifact.files.items()}
    yield NATIVE, (suffixes.get(artifact.binary, ".bin"), artifact.binary)
    for content, suffix in suffixes.items():
        if content != artifact.binary:
            yield PORTABLE, (suffix, content)
