"""`random_bits(seed, counter)` as vector code: the rounds of `uol.ir.program.threefry` on words of i32.

Sums wrap as those of the language do, so that no step is one that LLVM may take for impossible; every word of every round
has a name, for it is used twice.
"""

from __future__ import annotations

import numpy as np
from tvm import tirx

from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.wrapping import wrapping
from uol.ir.program import threefry
from uol.ir.program.threefry import PARITY, ROTATIONS, ROUNDS

WORD_BITS = 32


def random_bits(share: Share, seed: Term, counter: Term) -> Term:
    """A word of Threefry-2x32-20 of two i64, as i32."""
    if isinstance(seed, tirx.IntImm) and isinstance(counter, tirx.IntImm):
        return _word(int(threefry.random_bits(np.array(int(seed.value)), np.array(int(counter.value)))))
    keys = [share(word) for word in _words(share, seed)]
    schedule = [*keys, share(keys[0] ^ keys[1] ^ _word(PARITY))]
    counter = share(counter)
    block = counter >> tirx.const(1, "int64")
    first, second = (share(_sum(share, word, key)) for word, key in zip(_words(share, block), keys, strict=True))
    for number in range(ROUNDS):
        first = share(_sum(share, first, second))
        second = share(_rotated(second, ROTATIONS[number % len(ROTATIONS)]) ^ first)
        if number % 4 == 3:
            injection = number // 4 + 1
            first = share(_sum(share, first, schedule[injection % 3]))
            key = share(_sum(share, schedule[(injection + 1) % 3], _word(injection)))
            second = share(_sum(share, second, key))
    is_first = tirx.EQ(counter & tirx.const(1, "int64"), tirx.const(0, "int64"))
    return tirx.Select(is_first, first, second)


def _words(share: Share, value: Term) -> tuple[Term, Term]:
    """The low and the high half of 64 bits."""
    if isinstance(value, tirx.IntImm):
        return _word(int(value.value)), _word(int(value.value) >> WORD_BITS)
    value = share(value)
    low = value & tirx.const(2**WORD_BITS - 1, "int64")
    return tirx.Cast("int32", low), tirx.Cast("int32", value >> tirx.const(WORD_BITS, "int64"))


def _word(value: int) -> Term:
    """The low 32 bits of an integer, as i32."""
    half = 2 ** (WORD_BITS - 1)
    return tirx.const((value + half) % 2**WORD_BITS - half, "int32")


def _sum(share: Share, x: Term, y: Term) -> Term:
    if isinstance(x, tirx.IntImm) and isinstance(y, tirx.IntImm):  # TVM would fold what it then refuses
        return _word(int(x.value) + int(y.value))
    return wrapping(share, "+", x, y, "i32")


def _rotated(value: Term, bits: int) -> Term:
    """To the left. A right shift brings copies of the sign, which the mask removes."""
    back = tirx.const(WORD_BITS - bits, "int32")
    return (value << tirx.const(bits, "int32")) | ((value >> back) & tirx.const(2**bits - 1, "int32"))
