"""What the matrix units of an architecture do, as data: a folder of a vendor has a table of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uol.backends.simt.machine.fragments import MatrixUnit


@dataclass(frozen=True, slots=True)
class MatrixUnits:
    """What kernels on matrix units rest upon.

    products       names of the primitives of `fragments.py` that a warp has, of each type the one to prefer first
    async_bytes    sizes of copies from global to shared memory that go on beside what a thread does; none: by registers
    shared_bytes   of a block, what is asked for at the launch included
    """

    products: tuple[str, ...]
    async_bytes: frozenset[int]
    shared_bytes: int

    def of(self, dtype: str) -> tuple[MatrixUnit, ...]:
        """The units that multiply a type."""
        from uol.backends.simt.machine.fragments import UNITS  # what makes kernels is loaded when one is made

        return tuple(UNITS[name] for name in self.products if UNITS[name].dtype == dtype)

    def for_factors(self, left: str, right: str, *, tf32: bool = False) -> tuple[MatrixUnit, ...]:
        """The units that multiply factors of these types, to the last bit of their products; with `tf32` first those that round
        factors in f32."""
        from uol.backends.simt.machine.fragments import UNITS

        units = [unit for name in self.products if (unit := UNITS[name]).takes(left, right)]
        exact = [unit for unit in units if not unit.rounds_factors]
        return (*(unit for unit in units if unit.rounds_factors), *exact) if tf32 else tuple(exact)
