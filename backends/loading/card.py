"""A card as the runner of a pack sees it, on a machine without uol: this file travels with the pack and imports nothing of it.

A vendor's `card.py` has `open_card(number)`, which gives one. Addresses are of the card's memory, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # drivers, which name their calls as cards do, are loaded without it
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

Kind = Literal["native", "portable", ""]
"""Which of a case's binaries a card takes: the one for its architecture, the text that its driver compiles, or neither."""


class CardError(Exception):
    """A call of the driver that failed, with the driver's text."""


class NoCardError(Exception):
    """Why there is no card to run on, and what to do: one line."""


class Card(Protocol):
    """One device. Everything is enqueued on one stream, in order."""

    facts: Mapping[str, object]
    """Name, architecture, driver, clocks, memory: what a record says of it."""
    cache_bytes: int
    """Of its last level of cache."""
    torch_device: str
    """What PyTorch calls it."""

    def clocks(self) -> Mapping[str, object]:
        """What its clocks are now, as its vendor's tool says; nothing where that is missing."""
        ...

    def kind_for(self, architecture: str) -> Kind:
        """The binary that it takes of those that were built for an architecture."""
        ...

    def functions(self, binary: bytes, symbols: Sequence[str], shared_bytes: Mapping[str, int]) -> Mapping[str, object]:
        """The kernels of a binary by name, each allowed the dynamic shared memory that it asks for."""
        ...

    def unload(self) -> None:
        """Lets go of every binary."""
        ...

    def allocate(self, size_bytes: int) -> int: ...

    def free(self, address: int) -> None: ...

    def fill(self, address: int, byte: int, size_bytes: int) -> None: ...

    def write(self, address: int, array: Array) -> None:
        """A contiguous array to the card."""
        ...

    def read(self, address: int, array: Array) -> None:
        """From the card into a contiguous array."""
        ...

    def launch(
        self,
        function: object,
        grid: Sequence[int],
        block: Sequence[int],
        shared_bytes: int,
        values: Sequence[tuple[str, float | int]],
    ) -> None:
        """A kernel with its arguments, each "pointer", "f64", "f32" or "i64" and a number."""
        ...

    def event(self) -> object:
        """What can be recorded, again and again."""
        ...

    def record(self, event: object) -> None:
        """Marks a point in the stream, whose time will be known."""
        ...

    def elapsed_us(self, first: object, last: object) -> float:
        """Between two events, when the stream has got through both."""
        ...

    def synchronise(self) -> None:
        """Waits for all that was enqueued."""
        ...
