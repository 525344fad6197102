"""What expressions of kernels have in common that no spec has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uol.ir.program.nodes import Expr

if TYPE_CHECKING:
    from uol.backends.simt.c_text.printer import Printer


@dataclass(frozen=True, slots=True)
class Term(Expr):
    """Base of the expressions that only kernels have: `terms.py` has them. A printer asks each for its text."""

    def c_text(self, printer: Printer, level: int) -> str:
        """The term as C; in parentheses if it binds looser than `level`."""
        raise NotImplementedError  # every kind has its own
