"""What the matrix units of an architecture do, as data: a folder of a vendor has a table of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatrixInstruction:
    """d[m, n] += a[m, k] b[k, n], by all lanes of a warp together. `name` is that of the primitive in the device header; a lane
    holds its share of each operand in registers of 32 bits."""

    name: str
    m: int
    n: int
    k: int
    dtype: str
    acc_dtype: str


@dataclass(frozen=True, slots=True)
class MatrixUnits:
    """What kernels on matrix units rest upon.

    instructions   the products that a warp computes at once
    async_bytes    sizes of copies from global to shared memory that go on beside what a thread does; none: by registers
    matrix_loads   are fragments loaded by the warp from rows of shared memory (`load_matrices`)?
    buffer_loads   are there loads that give zeros beyond a range (`load_buffer`)?
    shared_bytes   of a block, what is asked for at the launch included
    registers      of a thread, of 32 bits
    """

    instructions: tuple[MatrixInstruction, ...]
    async_bytes: frozenset[int]
    matrix_loads: bool
    buffer_loads: bool
    shared_bytes: int
    registers: int

    def of(self, dtype: str) -> tuple[MatrixInstruction, ...]:
        """The instructions whose factors are of a type, in the order of the table: the one to prefer first."""
        return tuple(each for each in self.instructions if each.dtype == dtype)
