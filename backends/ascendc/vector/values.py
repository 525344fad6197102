"""Values while a vector kernel is written: lanes in UB, masks of bits, and uniform values that are C text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uol.backends.ascendc.helpers import INFINITE, NOT_A_NUMBER
from uol.backends.ascendc.instructions import View
from uol.backends.ascendc.vector.tile import Span
from uol.ir.errors import RefusalError


class Unsupported(RefusalError):
    """The machine has no instruction sequence for this, or a limit is passed; the spec is refused. `hint` says what would be
    right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)


@dataclass(frozen=True, slots=True)
class Lanes:
    """Lanes of a value. `spare`: nothing else refers to the buffer, so that the next instruction may write over it."""

    view: View
    span: Span
    spare: bool = True

    @property
    def dtype(self) -> str:
        return self.view.dtype

    def kept(self) -> Lanes:
        """The same for a value that will be used again."""
        return Lanes(self.view, self.span, spare=False)


@dataclass(frozen=True, slots=True)
class Mask:
    """One bit a lane, least significant first, as Compare writes and Select reads them."""

    view: View
    span: Span


@dataclass(frozen=True, slots=True)
class Uniform:
    """The same for all lanes, known to the scalar unit: C text, and the number where it is a constant."""

    text: str
    dtype: str
    number: float | int | None = None


def reinterpreted(value: Lanes, dtype: str) -> Lanes:
    """The same bits as another type of the same size."""
    return Lanes(value.view.of_type(dtype), value.span, value.spare)


Value = Lanes | Uniform
Truth = Mask | Uniform

ELSEWHERE = "run this operator on a target that has it, such as cpu"
"""What to do about a refusal where the text of the op has no other way to say the same."""


def real(value: float) -> Uniform:
    """A constant of f32."""
    return Uniform(float_text(value), "f32", float(np.float32(value)))


def float_text(value: float) -> str:
    """An f32 constant as C: the shortest decimal that reads back as the value."""
    if value != value:
        return NOT_A_NUMBER
    if value in (np.inf, -np.inf):
        return f"-{INFINITE}" if value < 0 else INFINITE
    single = np.float32(value)
    if single in (np.inf, -np.inf):
        return float_text(float(single))
    scientific = abs(single) >= 1e7 or 0 < abs(single) < 1e-4
    form = np.format_float_scientific if scientific else np.format_float_positional
    return f"{form(single, unique=True, trim='0')}f"


def int_text(value: int) -> str:
    return "(-2147483647 - 1)" if value == -(2**31) else str(value)
