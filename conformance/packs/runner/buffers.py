"""The memory of one call: where each tensor and workspace lies, with a fence behind each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from uol.backends.loading.card import Card
from uol.conformance.packs.runner.contents import Json
from uol.conformance.packs.runner.numbers import STORAGE, Array

UNWRITTEN = 0xFF
"""What memory is filled with at first: NaN in every type of floats."""
FENCE_BYTES = 256
"""Behind every buffer, of which a kernel may write nothing."""


@dataclass(slots=True)
class Buffers:
    """Where each tensor and workspace lies, by name; the workspaces' name is empty."""

    card: Card
    places: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, size_bytes: int) -> None:
        self.places[name] = self.card.allocate(size_bytes + FENCE_BYTES)
        self.sizes[name] = size_bytes
        self.card.fill(self.places[name], UNWRITTEN, size_bytes + FENCE_BYTES)

    def read(self, tensor: Json) -> Array:
        """The elements of a tensor, copied from the card."""
        storage = np.dtype(STORAGE[tensor["dtype"]])
        memory = np.zeros(self.sizes[tensor["name"]] // storage.itemsize, storage)
        self.card.read(self.places[tensor["name"]], memory)
        return viewed(memory, tensor).copy()

    def broken(self) -> list[str]:
        """The buffers that were written beyond their ends."""
        found = []
        for name, place in self.places.items():
            fence = np.zeros(FENCE_BYTES, np.uint8)
            self.card.read(place + self.sizes[name], fence)
            if not (fence == UNWRITTEN).all():
                found.append(name)
        return found

    def free(self) -> None:
        while self.places:
            self.card.free(self.places.popitem()[1])


def span_bytes(tensor: Json) -> int:
    """From the first element to the last.

    >>> span_bytes({"shape": [2, 3], "strides": [4, 1], "dtype": "f32"})
    28
    """
    if 0 in tensor["shape"]:
        return 0
    last = sum((size - 1) * stride for size, stride in zip(tensor["shape"], tensor["strides"], strict=True))
    return int(last + 1) * np.dtype(STORAGE[tensor["dtype"]]).itemsize


def viewed(memory: Array, tensor: Json) -> Array:
    """The elements of a tensor in its memory."""
    strides = tuple(stride * memory.itemsize for stride in tensor["strides"])
    return np.lib.stride_tricks.as_strided(memory, tuple(tensor["shape"]), strides)
