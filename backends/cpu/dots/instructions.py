"""The processor's instructions on words, as functions that kernels call.

They are LLVM text, `instructions.ll.j2`, that is compiled with the kernels and dissolves in them: TVM has no types for what the
intrinsics take. Documented in Intel's Architecture Instruction Set Extensions: VDPBF16PS, VPDPBUSD, TDPBF16PS, TDPBSSD.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tvm import tirx

from uol.backends.c_text.template_folder import template_of
from uol.backends.cpu.dots.words import Words
from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import Term
from uol.codegen.backend import Kernel

FOLDER = Path(__file__).parent
WORDS_AT_ONCE = {"dots": 4, "tiles": 16}
"""Words along k that are added in one go: as many as are written out, and the words of a tile register's row."""
OTHER_SIGN = tirx.const(-0x7F7F7F80, "int32")
"""The sign bits of a word of bytes."""
Place = tuple[Term, int]
"""The first element of a matrix of words or sums, and how many of them its rows are apart."""


def dot(words: Words, lanes: int, total: Term, a: Term, b: Term) -> Term:
    """total + a . b in each lane: `a` is one word."""
    a = tirx.Broadcast(a, lanes)
    kind, compute = ("bf16", "float32") if words.name == "bf16" else ("u8_i8", "int32")
    first, second = (a, b) if words.name == "bf16" or words.b == "i8" else (b, a)  # the one without a sign is first
    return tirx.call_extern(f"{compute}x{lanes}", f"uol_dot_{kind}_{lanes}", total, first, second)


def add_tiles(words: Words, tiles: tuple[int, int], sums: Place, a: Place, b: Place, count: int) -> Term:
    """The statement sums += a . b, on rows x columns tile registers of sums, over `count` words of k."""
    places = [part for first, pitch in (sums, a, b) for part in (tirx.address_of(first), index(4 * pitch))]
    name = f"uol_tiles_{words.a}_{words.b}_{tiles[0]}x{tiles[1]}"
    return tirx.Evaluate(tirx.call_extern("int32", name, *places, index(count // WORDS_AT_ONCE["tiles"])))


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
    return template_of(FOLDER, "instructions.ll.j2").render()
