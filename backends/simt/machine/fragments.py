"""Fragments: which lane of a warp holds which element of a small matrix in which of its registers, for each matrix unit.

An owner map gives the row and the column of an element by (lane, element of the lane). It is one function for numbers, arrays
of numpy and addresses (`c_text/address.py`) alike, so that an epilogue has its indices from it and a test its tables.

Sources: PTX ISA 8.x, "Matrix Fragments for mma.m16n8k16", "m16n8k8" and "m16n8k32"; AMD CDNA2 ISA, 7.1, and the AMD Matrix
Instruction Calculator for v_mfma_f32_32x32x8_f16, v_mfma_f32_16x16x16_f16 and their likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.address import quotient, remainder, scaled, total
from uol.ir.program.nodes import Expr
from uol.ir.types import DTYPES

Place = Expr | int
Places = Callable[[Place, Place], Expr]
WORD_BYTES = 4
NARROW = ("f16", "bf16")
"""Whose values tf32 has, too."""


@dataclass(frozen=True, slots=True)
class OwnerMap:
    """`rows` x `cols` elements over `lanes` lanes, `elements` of each lane; `parts`: registers of each where an element of 32
    bits is the sum of several, the first of all elements in front of the second."""

    rows: int
    cols: int
    lanes: int
    elements: int
    dtype: str
    row: Places
    col: Places
    parts: int = 1

    @property
    def registers(self) -> int:
        """Of 32 bits, that a lane needs."""
        return max(1, self.elements * DTYPES[self.dtype].bytes // WORD_BYTES) * self.parts


@dataclass(frozen=True, slots=True)
class MatrixUnit:
    """d[m, n] += sum of a[m, k] * b[k, n]: one instruction of a warp, or some. `name` is the primitive of the device header,
    `dtype` what is multiplied: of a factor in f32 perhaps its upper 19 bits alone, as tf32. `left` and `right`: types that a
    factor may have in memory, if not `dtype` alone; `products`: instructions for each product, where factors are in parts."""

    name: str
    m: int
    n: int
    k: int
    a: OwnerMap
    b: OwnerMap
    d: OwnerMap
    dtype: str
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    products: int = 1

    def takes(self, left: str, right: str) -> bool:
        """Does it multiply factors that have these types in memory?"""
        return left in (self.left or (self.dtype,)) and right in (self.right or (self.dtype,))

    @property
    def is_by_parts(self) -> bool:
        """Is a factor in f32 the sum of two in tf32?"""
        return self.dtype == "tf32" and self.products > 1

    @property
    def rounds_factors(self) -> bool:
        """Is of a factor in f32 less multiplied than there is?"""
        return self.dtype == "tf32" and self.products == 1

    @property
    def lanes(self) -> int:
        return self.d.lanes

    @property
    def factor(self) -> str:
        """The type of factors as they lie in registers."""
        return self.a.dtype

    @property
    def accumulator(self) -> str:
        return self.d.dtype

    @property
    def rate(self) -> str:
        """What a device's table calls its speed."""
        return f"{self.dtype}-matrix"

    @property
    def operations(self) -> int:
        """Multiplications and additions of all instructions."""
        return 2 * self.m * self.n * self.k * self.products


def mma_16_8(name: str, k: int, factor: str, accumulator: str) -> MatrixUnit:
    """`mma.sync` of m16n8: a row of four lanes holds as many neighbours along k as a register has, in two halves of k; the
    rows of a lane are 8 apart."""
    side = WORD_BYTES // DTYPES[factor].bytes
    """Neighbours along k in one register."""

    def along_k(lane: Place, element: Place, half: int) -> Expr:
        """`half`: how many elements lie before those of the second half of k."""
        within = total(scaled(remainder(lane, 4), side), remainder(element, side))
        return total(within, scaled(quotient(element, half), 4 * side))

    return MatrixUnit(
        name, 16, 8, k,
        a=OwnerMap(16, k, 32, k // 2, factor,
            lambda lane, e: total(quotient(lane, 4), scaled(remainder(quotient(e, side), 2), 8)),
            lambda lane, e: along_k(lane, e, 2 * side)),
        b=OwnerMap(k, 8, 32, k // 4, factor, lambda lane, e: along_k(lane, e, side), lambda lane, e: quotient(lane, 4)),
        d=OwnerMap(16, 8, 32, 4, accumulator,
            lambda lane, e: total(quotient(lane, 4), scaled(quotient(e, 2), 8)),
            lambda lane, e: total(scaled(remainder(lane, 4), 2), remainder(e, 2))),
        dtype=name.rpartition("_")[2],
    )  # fmt: skip


def by_tf32(name: str, parts: tuple[int, int], left: tuple[str, ...], right: tuple[str, ...]) -> MatrixUnit:
    """Two `mma.sync` of m16n8k8 on tf32 for each pair of parts of the factors. Either factor has its k in the order in which
    `m16n8k16` has those of 16 bits, two neighbours in a lane: a sum may have its terms in any order that both share. Products
    of second parts are left out, which are 2^-24 of the whole at most."""
    unit = mma_16_8(name, 16, "f16", "f32")
    a, b = (replace(each, dtype="f32", parts=n) for each, n in zip((unit.a, unit.b), parts, strict=True))
    return replace(unit, a=a, b=b, dtype="tf32", left=left, right=right, products=sum(parts) - 1)


def mfma(name: str, side: int, k: int, factor: str, accumulator: str) -> MatrixUnit:
    """`v_mfma` of side x side: a lane holds a row of a (a column of b) and its neighbours along k; of d one column, in groups
    of four rows."""
    groups = 64 // side
    each = k // groups
    """Neighbours along k that a lane holds."""

    def along_k(lane: Place, element: Place) -> Expr:
        return total(scaled(quotient(lane, side), each), element)

    return MatrixUnit(
        name, side, side, k,
        a=OwnerMap(side, k, 64, each, factor, lambda lane, e: remainder(lane, side), along_k),
        b=OwnerMap(k, side, 64, each, factor, along_k, lambda lane, e: remainder(lane, side)),
        d=OwnerMap(side, side, 64, side * side // 64, accumulator,
            lambda lane, e: total(scaled(quotient(e, 4), 4 * groups), scaled(quotient(lane, side), 4), remainder(e, 4)),
            lambda lane, e: remainder(lane, side)),
        dtype=factor,
    )  # fmt: skip


MMA = (
    mma_16_8("mma_16x8x16_f16", 16, "f16", "f32"),
    mma_16_8("mma_16x8x16_bf16", 16, "bf16", "f32"),
    mma_16_8("mma_16x8x8_tf32", 8, "f32", "f32"),
    mma_16_8("mma_16x8x32_i8", 32, "i8", "i32"),
    by_tf32("mma_16x8x16_f32_f32", (2, 2), ("f32",), ("f32",)),
    by_tf32("mma_16x8x16_f32_tf32", (2, 1), ("f32",), NARROW),
    by_tf32("mma_16x8x16_tf32_f32", (1, 2), NARROW, ("f32",)),
    by_tf32("mma_16x8x16_tf32_tf32", (1, 1), ("f32",), ("f32",)),
)
MFMA = (
    mfma("mfma_32x32x8_f16", 32, 8, "f16", "f32"),
    mfma("mfma_16x16x16_f16", 16, 16, "f16", "f32"),
    mfma("mfma_32x32x8_bf16", 32, 8, "bf16", "f32"),
    mfma("mfma_16x16x16_bf16", 16, 16, "bf16", "f32"),
    replace(mfma("mfma_32x32x2_f32", 32, 2, "f32", "f32"), left=("f32", *NARROW), right=("f32", *NARROW)),
    replace(mfma("mfma_16x16x4_f32", 16, 4, "f32", "f32"), left=("f32", *NARROW), right=("f32", *NARROW)),
    mfma("mfma_32x32x8_i8", 32, 8, "i8", "i32"),
    mfma("mfma_16x16x16_i8", 16, 16, "i8", "i32"),
)
UNITS = {unit.name: unit for unit in (*MMA, *MFMA)}
