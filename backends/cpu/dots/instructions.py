"""The processor's instructions on words, as functions that kernels call.

They are LLVM text, `instructions.ll.j2`, that is compiled with the kernels and dissolves in them: TVM has no types for what the
intrinsics take. Documented in Intel's Architecture Instruction Set Extensions: VDPBF16PS, VPDPBUSD, TDPBF16PS, TDPBSSD.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tvm import tirx

from uol.backends.c_text.template_folder import template_of
from uol.backends.cpu.dots.words import Words
from uol.backends.cpu.expressions.builder import Extent, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.codegen.backend import Kernel

FOLDER = Path(__file__).parent
WORDS_AT_ONCE = {"dots": 4, "tiles": 16}
"""Words along k that are added in one go: as many as are written out, and the words of a tile register's row."""
ROWS_AHEAD = 4
"""Rows of a that a tile asks for while it multiplies others; their number divides that of its own rows."""
OTHER_SIGN = tirx.const(-0x7F7F7F80, "int32")
"""The sign bits of a word of bytes."""
Place = tuple[Term, int]
"""The first word of an operand, and how many of them its parts are apart."""


def dot(words: Words, lanes: int, total: Term, a: Term, b: Term) -> Term:
    """total + a . b in each lane: `a` is one word."""
    a = tirx.Broadcast(a, lanes)
    kind, compute = ("bf16", "float32") if words.name == "bf16" else ("u8_i8", "int32")
    first, second = (a, b) if words.name == "bf16" or words.b == "i8" else (b, a)  # the one without a sign is first
    return tirx.call_extern(f"{compute}x{lanes}", f"uol_dot_{kind}_{lanes}", total, first, second)


@dataclass(frozen=True, slots=True)
class TileSums:
    """Where the sums of a tile are written, `pitch` apart by rows; what they go on from, where the condition holds."""

    first: Term
    pitch: int
    before: Term
    goes_on: Term


@dataclass(frozen=True, slots=True)
class TileRows:
    """The rows of a that a tile multiplies, and of those after them the first that is asked for meanwhile."""

    first: Term
    pitch_bytes: int
    ahead: Term


def multiply_tiles(words: Words, tiles: tuple[int, int], sums: TileSums, a: TileRows, b: Place, count: Extent) -> Term:
    """The statement sums = before + a . b, on rows x columns tile registers of sums, over `count` steps of a register's words
    along k. The registers of b for one of them are so many words apart from those for the next."""
    (b_first, b_step), at = b, tirx.address_of
    name = f"uol_tiles_{words.a}_{words.b}_{tiles[0]}x{tiles[1]}"
    of_sums = tirx.Cast("int32", sums.goes_on), at(sums.before), at(sums.first), index(4 * sums.pitch)
    of_a = at(a.first), index(a.pitch_bytes), at(a.ahead)
    return tirx.Evaluate(tirx.call_extern("int32", name, *of_sums, *of_a, at(b_first), index(4 * b_step), index(count)))


def begin_tiles() -> Term:
    """The statement that gives a thread its tile registers, all of 16 rows of 64 bytes."""
    return tirx.Evaluate(tirx.call_extern("int32", "uol_begin_tiles"))


def end_tiles() -> Term:
    return tirx.Evaluate(tirx.call_extern("int32", "uol_end_tiles"))


def functions_of(kernels: Iterable[Kernel]) -> str:
    """What kernels call, as LLVM text; empty where none of them calls any."""
    if not any(getattr(kernel.schedule, "unit", "") for kernel in kernels):
        return ""
    return functions()


def functions() -> str:
    return template_of(FOLDER, "instructions.ll.j2").render(rows_ahead=ROWS_AHEAD)
