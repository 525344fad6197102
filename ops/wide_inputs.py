"""Inputs of kind `wide`: sums of them are exact in the accumulator in any order, and in no narrower arithmetic.

    wide    odd integers of as many bits as the type has, over a power of two: +-(1 to 2), the last bit always set
    signs   -1, 0 and 1

A sum of products takes `wide` from one factor and `signs` from the other, by turns of the rows, so that each factor is the wide
one somewhere. Every partial sum, in whatever order, is then a multiple of the wide values' last bit and below 2^24 of them
(`GRAINS`), which f32 holds: a result is exact or wrong. A factor that was rounded (TF32 has 11 bits, bf16 8), an accumulator of
f16 or bf16, a term that was dropped or added twice: each shows as a difference, at any number of terms. Of long sums most terms
are 0, so that the bound holds; the first and the last `ENDS` are not, for that is where a loop loses one.

What a sum adds up is found in the program:

    matmul      sum[k](a * b)        rows of `a` are wide and signs by turns, columns of `b` signs and wide
    sum         sum[c](x)            wide, and few
    rms_norm    sum[c](x * x)        odd integers of 6 bits, whose squares have 12; each stands beside its negative, so that the
                                     mean of a row is 0 and a variance exact as well
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from uol.ir.program.nodes import Call, Const, Expr, Load, Program, Reduce, Scatter, Tensor
from uol.ir.program.walk import walk
from uol.ir.types import is_float
from uol.ops.reduced_dims import reduced_dims
from uol.ops.row_inputs import Floats, from_rows, rows_and_columns

BITS = {"f64": 40, "f32": 12, "f16": 11, "bf16": 8, "f8e4m3": 4, "f8e5m2": 3}
"""Of a wide value: one more than TF32 holds where the type has them; all that a narrower type has; of f64 more than f32 has."""
GRAINS = 2**24
"""So many of the wide values' last bit f32 adds up without a rounding."""
TERMS = 3600
"""Terms of a sum that are not 0. Below 2 each, of 12 bits: 3,600 and what chance adds to them stay below 2^13."""
ENDS = 64


@dataclass(frozen=True, slots=True)
class Sums:
    """What the sums of a program say of its inputs.

    terms     by input: how many terms the longest sum has that it goes into
    side      by input that is a factor: 0, or 1 where the other factor is 0
    squared   the inputs that are multiplied with themselves
    """

    terms: dict[str, int] = field(default_factory=dict)
    side: dict[str, int] = field(default_factory=dict)
    squared: set[str] = field(default_factory=set)


def wide_values(
    program: Program, shapes: Mapping[str, tuple[int, ...]], generator: np.random.Generator, *, paired: bool
) -> dict[str, Floats]:
    """Wide values for every float input of a program, not yet rounded to its type. Without `paired` each input is wide by
    itself: what it is multiplied with has to be signs."""
    sums, dims = sums_of(program), reduced_dims(program)
    start = int(generator.integers(0, 2))
    found: dict[str, Floats] = {}
    for tensor in program.by_role("in"):
        shape = shapes[tensor.name]
        if is_float(tensor.dtype) and 0 not in shape:
            along = dims.get(tensor.name, (len(shape) - 1,) if shape else ())
            found[tensor.name] = from_rows(
                _rows(tensor, sums, rows_and_columns(shape, along), start, generator, paired), shape, along
            )
    return found


def sign_values(shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    """-1 and 1, and of eight one 0."""
    return _signs(shape, generator) * (generator.random(shape) < 0.875)


def _rows(
    tensor: Tensor, sums: Sums, size: tuple[int, int], start: int, generator: np.random.Generator, paired: bool
) -> Floats:
    few = _few(size, sums.terms.get(tensor.name, 1), generator)
    if tensor.name in sums.squared and paired:
        few[:, 1::2] = few[:, : size[1] // 2 * 2 : 2]
        return few * _balanced(size, generator)
    wide = _odd(size, BITS[tensor.dtype], generator) * _signs(size, generator)
    if tensor.name not in sums.side or not paired:
        return np.asarray(few * wide)
    is_wide = (np.arange(size[0]) + start + sums.side[tensor.name]) % 2 == 0
    return np.where(is_wide[:, None], wide, few * _signs(size, generator))


def _odd(size: tuple[int, ...], bits: int, generator: np.random.Generator) -> Floats:
    """Odd integers of so many bits, over the power of two that brings them between 1 and 2."""
    half = 2 ** (bits - 2)
    return np.asarray(np.ldexp(generator.integers(half, 2 * half, size=size) * 2.0 + 1.0, 1 - bits), np.float64)


def _signs(size: tuple[int, ...], generator: np.random.Generator) -> Floats:
    return np.asarray(generator.choice((-1.0, 1.0), size=size))


def _few(size: tuple[int, int], terms: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Which elements of rows are not 0, where so many go into a sum."""
    chosen: NDArray[np.bool_] = generator.random(size) < TERMS / max(terms, 1)
    chosen[:, :ENDS] = chosen[:, -ENDS:] = True
    return chosen


def _balanced(size: tuple[int, int], generator: np.random.Generator) -> Floats:
    """Odd integers of 6 bits between 1 and 2, each beside its negative; of an odd number of them the last is 0."""
    values = np.zeros(size)
    pairs = size[1] // 2
    values[:, : 2 * pairs : 2] = _odd((size[0], pairs), 6, generator) * _signs((size[0], pairs), generator)
    values[:, 1 : 2 * pairs : 2] = -values[:, : 2 * pairs : 2]
    return values


def sums_of(program: Program) -> Sums:
    """What the sums of a program say of its float inputs, through the statements that lie between."""
    made, sums = _made_of(program), Sums()
    pairs: list[tuple[frozenset[str], frozenset[str]]] = []
    for terms, body in _sums(program):
        body = _plain(body)
        for name in _inputs(body, made):
            sums.terms[name] = max(sums.terms.get(name, 1), terms)
        if not (isinstance(body, Call) and body.fn == "*"):
            continue
        if body.args[0] == body.args[1]:
            sums.squared.update(_inputs(body, made))
        else:
            pairs.append((_inputs(body.args[0], made), _inputs(body.args[1], made)))
    for left, right in pairs:
        for first, second in ((a, b) for a in sorted(left - right) for b in sorted(right - left)):
            side = 1 - sums.side[second] if second in sums.side else 0
            sums.side.setdefault(second, 1 - sums.side.setdefault(first, side))
    return sums


def _sums(program: Program) -> Iterator[tuple[int, Expr]]:
    """Every sum of floats: of how many terms at most, and its term."""
    for stage in program.stages:
        if isinstance(stage, Scatter) and is_float(stage.dtype):
            yield prod(_extent(a.extent) for a in stage.axes), stage.value
        for node in walk(stage.value):
            if isinstance(node, Reduce) and node.op == "sum" and is_float(node.dtype):
                yield prod(_extent(a.extent) for a in node.axes), node.body


def _made_of(program: Program) -> dict[str, frozenset[str]]:
    """The float inputs that each tensor is made of."""
    made = {t.name: frozenset((t.name,)) for t in program.by_role("in") if is_float(t.dtype)}
    for stage in program.stages:
        made[stage.name] = made.get(stage.name, frozenset()) | _inputs(stage.value, made)
    return made


def _inputs(expr: Expr, made: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(name for node in walk(expr) if isinstance(node, Load) for name in made.get(node.tensor, ()))


def _plain(expr: Expr) -> Expr:
    """A term without the casts around it, and of a choice the arm that is chosen where there is one."""
    match expr:
        case Call(fn="cast", args=(inner,)):
            return _plain(inner)
        case Call(fn="select", args=(_, arm, Const() | Call(fn="cast", args=(Const(),)))):
            return _plain(arm)
    return expr


def _extent(extent: Expr) -> int:
    return int(extent.value) if isinstance(extent, Const) else 1
