"""Inputs as functions of a seed and a place: drawn by a kernel on the card, and here at the few places that are judged.

    value(place) = sign * size where kept, else 0;  word = random_bits(seed, place), Threefry-2x32-20
    sign    bit 0                    kept    bits 1 to 12 below `keep` of 4,096
    size    of 1 bit: 1; of `bits` bits: an odd integer of so many bits, the lower ones from bit 13 on, over 2^(bits - 1)

They are the values of `uol.ops.wide_inputs`: one factor of a product is wide, the other signs, of which so many are 0 that
every sum is exact in f32. The kernels are operators' texts, compiled as any other's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uol.binding.named_binding import bind_names
from uol.codegen.backend import Artifact
from uol.compilation.pipeline import artifact_of, module_of
from uol.compilation.request import Request, Target
from uol.conformance.accuracy.interval import Array, Floats
from uol.ir.program.nodes import Program
from uol.ir.program.threefry import random_bits
from uol.ir.syntax.parser import parse
from uol.ir.types import is_float
from uol.ops.wide_inputs import BITS, TERMS, sums_of

WIDE = """uol 1
op draw_wide(like: T[N]; seed: int, half: int, scale: float, keep: int) -> (x: T[N]) for T in (f64, f32, f16, bf16) {
  x[n] = T(select(random_bits(seed, n) / 2 % 4096 < keep,
    f32((2 * (half + random_bits(seed, n) / 8192 % half) + 1) * (2 * (random_bits(seed, n) % 2) - 1)) * scale, 0.0))
}
"""
SIGNS = """uol 1
op draw_signs(like: T[N]; seed: int, keep: int) -> (x: T[N]) for T in (f64, f32, f16, bf16) {
  x[n] = T(select(random_bits(seed, n) / 2 % 4096 < keep, f32(2 * (random_bits(seed, n) % 2) - 1), 0.0))
}
"""
ALL = 4096
"""`keep` of an input of which nothing is 0."""
MOST_BITS = 12


@dataclass(frozen=True, slots=True)
class Draw:
    """How the values of one input follow from their places, row-major. `bits` is 1 for signs."""

    seed: int
    bits: int
    keep: int

    @property
    def attributes(self) -> dict[str, int | float]:
        """Of the operator that draws it."""
        given: dict[str, int | float] = {"seed": self.seed, "keep": self.keep}
        return given if self.bits == 1 else given | {"half": 2 ** (self.bits - 2), "scale": 2.0 ** (1 - self.bits)}

    def values(self, places: Array) -> Floats:
        """The values at these places, in float64.

        >>> Draw(seed=0, bits=1, keep=4096).values(np.arange(4))
        array([ 1., -1., -1., -1.])
        """
        words = random_bits(np.array(self.seed), places)
        size = np.float64(1.0)
        if self.bits > 1:
            half = 2 ** (self.bits - 2)
            size = np.ldexp(2.0 * (half + words // 8192 % half) + 1.0, 1 - self.bits)
        kept = words // 2 % ALL < self.keep
        return np.where(kept, size * (2 * (words % 2) - 1), 0.0)


def draws_of(program: Program, seed: int) -> dict[str, Draw]:
    """One for each float input of a program whose dims are given, by name."""
    sums = sums_of(program)
    found = {}
    for number, tensor in enumerate(t for t in program.by_role("in") if is_float(t.dtype)):
        bits = 1 if sums.side.get(tensor.name) == 1 else min(BITS[tensor.dtype], MOST_BITS)
        is_thin = bits == 1 or tensor.name not in sums.side
        share = min(1.0, TERMS / max(sums.terms.get(tensor.name, 1), 1)) if is_thin else 1.0
        found[tensor.name] = Draw(seed * 1000 + number, bits, round(share * ALL))
    return found


def drawing(draw: Draw, dtype: str, elements: int, target: Target) -> Artifact:
    """The kernel that draws so many elements on a card, built. Raises what the compiler raises."""
    (op,) = parse(SIGNS if draw.bits == 1 else WIDE, "draws")
    request = Request(bind_names(op, dtype, {"N": elements}, draw.attributes), target)
    return artifact_of(request, module_of(request))
