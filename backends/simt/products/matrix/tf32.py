"""Fragments of factors that are multiplied in tf32: what a lane loads of a tile, and what it makes of it.

A lane has two neighbours along k of a row, as of elements of 16 bits: these are made wider. Elements of 32 bits come by
accesses of 8 bytes where they lie along k, else one by one; where their products must be those of f32, each becomes two parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Element, Local, Offset, Pointer, Primitive, Word
from uol.backends.simt.kernel.layouts import BANKS_BYTES, CHUNK_BYTES, SharedTile
from uol.backends.simt.kernel.nodes import Body, Declare, Do
from uol.backends.simt.kernel.pipeline import READ
from uol.backends.simt.machine.fragments import OwnerMap
from uol.backends.simt.products.matrix.operand import Operand, Side
from uol.backends.simt.products.matrix.place import GROUP, HALF, KK, LANE, MI, NEXT, NI, SHARED, Place, nest, unrolled
from uol.ir.program.nodes import Expr

FOUR = 4
"""Lanes that have a row, bytes of an element, elements of 16 bytes."""
TWO_CHUNKS = 2 * CHUNK_BYTES
TOGETHER = 2
"""Chunks of a row that four lanes read at once."""


def tile_of(operand: Operand, outer: int, k: int) -> SharedTile:
    """Elements of 32 bits in shared memory, so that what half a warp reads along k lies in different banks, or what a warp
    reads of every other k."""
    if operand.along_k:
        return SharedTile(outer, k * operand.bytes, together=TOGETHER)
    return SharedTile(k, outer * operand.bytes)


def defect(operand: Operand, outer: int) -> str | None:
    """Why fragments are not read so."""
    if not operand.along_k and outer * operand.bytes < BANKS_BYTES:
        return f"rows of {outer * operand.bytes} bytes are shorter than {BANKS_BYTES}"
    return None


@dataclass(frozen=True, slots=True)
class Fragments:
    """Of a side, whose tile begins at byte `begin` of a stage."""

    place: Place
    side: Side
    tile: SharedTile
    begin: int

    @property
    def is_a(self) -> bool:
        return self.side is self.place.a

    @property
    def owned(self) -> OwnerMap:
        return self.place.unit.a if self.is_a else self.place.unit.b

    @property
    def number(self) -> Local:
        return MI if self.is_a else NI

    @property
    def count(self) -> int:
        return self.place.rows if self.is_a else self.place.cols

    @property
    def words(self) -> Local:
        return Local(self.place.name(self.side, "part"), Word())

    @property
    def is_loaded(self) -> bool:
        """Are words multiplied as they lie?"""
        return self.side.operand.bytes == FOUR and self.owned.parts == 1

    @property
    def multiplied(self) -> Local:
        return self.words if self.is_loaded else Local(self.place.name(self.side, "tf32"), Word())

    def first(self) -> Expr:
        """The byte of a lane's first element of 32 bits."""
        row, side, tile = quotient(LANE, FOUR), self.side, self.tile
        if side.operand.along_k:
            chunk = tile.chunk(total(side.first_of_warp, row), quotient(remainder(LANE, FOUR), TOGETHER))
            return total(chunk, scaled(remainder(LANE, TOGETHER), 2 * FOUR))
        chunk = flipped(scaled(side.warp, side.within_warp // FOUR), quotient(LANE, 4 * FOUR))
        return total(tile.chunk(scaled(remainder(LANE, FOUR), 2), chunk), scaled(remainder(row, FOUR), FOUR))

    def loads(self) -> Body:
        """Of the elements of 32 bits of all fragments, in the order in which a lane owns them."""
        groups = ("group", 2 if self.is_a else 1)
        each = Element(self.words, self.number, Word())
        into = total(scaled(HALF, 4 if self.is_a else 2), scaled(GROUP, 2))
        at, tile, number = Local(self.place.name(self.side, "at")), self.tile, self.number
        high = self.owned.rows if self.is_a else self.owned.cols
        if self.side.operand.along_k:
            byte = flipped(at, scaled(KK, 2 * TWO_CHUNKS), scaled(HALF, TWO_CHUNKS))
            byte = total(byte, tile.rows_further(number, high), tile.rows_further(GROUP, 8), READ, self.begin)
            load = self._load(2 * FOUR, each, into, byte)
            return nest(((number.name, self.count), ("half", 2), groups), (load,))
        byte = flipped(at, scaled(number, high * FOUR), scaled(GROUP, TWO_CHUNKS), scaled(NEXT, CHUNK_BYTES))
        rows = (tile.rows_further(KK, 16), tile.rows_further(HALF, 8), scaled(NEXT, tile.row_bytes))
        load = self._load(FOUR, each, total(into, NEXT), total(byte, *rows, READ, self.begin))
        return nest(((number.name, self.count), ("half", 2), groups, ("r", 2)), (load,))

    def _load(self, size: int, words: Expr, into: Expr, at: Expr) -> Do:
        return Do(Primitive("load_words", (size,), (Offset(words, into), Pointer(SHARED, at))))

    def made(self) -> Body:
        """What is multiplied, of the words."""
        if self.is_loaded:
            return ()
        name, array, elements = self.multiplied.name, self.multiplied, self.owned.elements
        made = Element(array, self.number, Word())
        if self.side.operand.bytes == FOUR:
            make = Primitive("tf32_parts", (elements,), (made, Element(self.words, self.number, Word())))
        else:
            make = Primitive(f"widen_{self.side.operand.read.dtype}", (elements,), (made, self._of_halves()))
        declared = Declare(name, Word(), extent=(self.count, self.owned.registers))
        return (declared, unrolled(self.number.name, self.count, Do(make)))

    def _of_halves(self) -> Expr:
        """The words of a fragment of 16 bits; of b those of two lie together."""
        if self.is_a:
            return Element(self.words, MI, Word())
        ni = self.place.ni
        return Offset(Element(self.words, quotient(ni, 2), Word()), scaled(remainder(ni, 2), 2))
