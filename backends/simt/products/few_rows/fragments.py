"""How the operands of a product of few rows lie in the fragments of a matrix unit, whose rows are those of the long operand.

A sum may have its terms in any order, if both operands have them in the same one. So a lane takes terms, or columns, that lie
side by side in memory, and gives them to several instructions: `group` says which terms of a step of the warp are a lane's,
`position` which of the long operand's columns.

    along terms     a lane has 8 terms of each of its rows; instruction h takes terms 4 h to 4 h + 3
    along columns   a lane has 4 terms of `each` columns; instruction c takes one column for each of its rows
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.address import quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.machine.fragments import MatrixUnit, Places
from uol.backends.simt.products.few_rows.schedule import FewRowsByUnits, Shape
from uol.codegen.indexing.arithmetic import ZERO
from uol.ir.program.nodes import Expr
from uol.ir.program.walk import rewrite

LANE = Local("lane")
LANE_TERMS = 4
"""Terms of a lane in one instruction: two registers of 16-bit values."""
HALVES = 2
"""16-bit values of a register."""


@dataclass(frozen=True, slots=True)
class Fragments:
    """What a warp has with a schedule. `unit` takes 16-bit factors: each lane four terms of its rows and of its column."""

    unit: MatrixUnit
    schedule: FewRowsByUnits

    @property
    def lane_rows(self) -> int:
        """Rows of an instruction that a lane holds terms of."""
        return self.unit.a.registers // HALVES

    @property
    def positions(self) -> int:
        """Lanes that hold terms of other rows."""
        return self.unit.m // self.lane_rows

    @property
    def instructions(self) -> int:
        """Of a step, for each fragment of the short operand, that add to sums of their own."""
        return 1 if self.schedule.along == "terms" else self.schedule.each // self.lane_rows

    @property
    def columns(self) -> int:
        """Of the long operand, that a warp has."""
        return self.unit.m * self.instructions

    @property
    def lane_terms(self) -> int:
        """Of a step, that a lane has."""
        return self.schedule.each if self.schedule.along == "terms" else LANE_TERMS

    @property
    def step(self) -> int:
        """Terms of a warp at a time."""
        return self.unit.k // LANE_TERMS * self.lane_terms

    @property
    def block(self) -> int:
        """Columns of a block."""
        return self.columns * self.schedule.groups

    @property
    def shape(self) -> Shape:
        """Of the sums of a block."""
        schedule = self.schedule
        return Shape(schedule.of, schedule.fragments * self.unit.n, self.block, schedule.shares)

    @property
    def group(self) -> Expr:
        """Which of the terms of a step are a lane's."""
        return remainder(LANE, self.unit.k // LANE_TERMS) if self._by_fours else quotient(LANE, self.unit.n)

    @property
    def _by_fours(self) -> bool:
        """Do neighbouring lanes have neighbouring terms?"""
        return self.unit.b.col(LANE, ZERO) == quotient(LANE, self.unit.k // LANE_TERMS)

    @property
    def few(self) -> Expr:
        """Which row of a fragment of the short operand is a lane's."""
        return self.unit.b.col(LANE, ZERO)

    @property
    def position(self) -> Expr:
        """Which of the rows of an instruction a lane has first."""
        return self.unit.a.row(LANE, ZERO)

    def row_of_sum(self, element: Expr, instruction: Expr) -> Expr:
        """Which of a warp's columns of the long operand one of a lane's sums is of."""
        row = self._of_sum(self.unit.d.row, LANE, element)
        if self.schedule.along == "terms":
            return row
        position, which = row, instruction
        if self.lane_rows > 1:  # a lane's rows are as many apart as there are positions
            position = self.unit.d.row(LANE, ZERO)
            further = quotient(self._of_sum(self.unit.d.row, ZERO, element), self.positions)
            which = total(scaled(instruction, self.lane_rows), further)
        return total(scaled(position, self.schedule.each), which)

    def few_of_sum(self, element: Expr) -> Expr:
        """Which row of its fragment of the short operand."""
        return self._of_sum(self.unit.d.col, LANE, element)

    def _of_sum(self, place: Places, lane: Expr, element: Expr) -> Expr:
        """The row or column of one of a lane's sums, of which the map knows how many there are."""
        one = remainder(element, self.unit.d.registers)
        return rewrite(place(lane, one), lambda node: element if node == one else None)

