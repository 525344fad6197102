"""Seeded inputs for an operator: values that are exact in every type, random ones, and the special ones.

    exact     small integers (and powers of two where a scale or variance is asked for): sums and products of them are
              exact in f32, so an error of a single element shows; it proves indexing and nothing about rounding
    random    standard normal values: rounding, cancellation, growth of error
    steep     rows with one element at 300 (the last, the first, at a power of two), and rows at -300: an exponential
              overflows where the maximum missed it, and an extremum stands where a loop could lose it
    lone      random rows with one NaN, at the places where `steep` has its 300; for operators that are not checked on `steep`,
              as contractions, two NaN in the first input, the last element and one in the middle: they must reach the
              results that they are terms of, and no other
    wide      values with as many bits as the type has, and signs that they are multiplied with, so that sums are exact in the
              accumulator and in nothing narrower (`wide_inputs`); `signs` is -1, 0 and 1 (or `exact` values, where something
              else is asked for), which a gradient's forward is given where its cotangents are wide
    uneven    random values, and indices of which most are small: segments of many rows, of few, and of none
    mixed     rows by turns of all the kinds that the operator is checked on (`_mixed`): the adversarial case of a quick check
    special   random values mixed with zeros of both signs, infinities, NaN, subnormals, halves and the largest values

and those that are made row by row: constant, faint, offset, negative, large, ties, infinite, ordered, paired,
sunk, unseen (`row_inputs`).

All arrays are float64 (or int64, or bool) and hold values that the tensor's type represents.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import UolError
from uol.ir.library import GRADIENT
from uol.ir.program.dtype_encoding import require_dims
from uol.ir.program.nodes import Const, Expr, Load, Program, Scatter, Tensor
from uol.ir.program.walk import walk
from uol.ir.types import integer_range, is_float
from uol.ops.reduced_dims import reduced_dims
from uol.ops.row_inputs import EVERYWHERE, RowKind, Turn, from_rows, row_values, rows_and_columns
from uol.ops.wide_inputs import sign_values, wide_values
from uol.ops.workloads import cases_of

Kind = Literal["exact", "random", "steep", "lone", "special", "wide", "signs", "uneven", "mixed", RowKind]
Array = NDArray[np.generic]

SPECIAL = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, -3.7, 127.5, 300.0, -129.0, 65504.0, 65519.0, 65520.0),
    *(3e9, -3e9, 1e-3, 2.0**-24, 3 * 2.0**-26, 2.0**-130, 2.0**-149, 3e38, -3e38, np.inf, -np.inf, np.nan),
)
"""Zeros, halves, edges of the narrow types (f16's largest value and its rounding edge, i8, u8, i32), subnormals, inf, NaN."""

INTEGERS = (
    *(0, 1, -1, 2, 127, 128, 129, 255, 256, -128, -129, 32767, 32768, -32768, -32769),
    *(2**24, 2**24 + 1, 2**31 - 1, -(2**31), 2**53),
)
"""The edges of the integer types, and of the integers that f32 and f64 hold."""

Ask = Literal[
    "any", "positive", "nonzero", "unit", "above_minus_one", "within_one", "from_one", "few", "skewed", "ascending", "places"
]
"""What the values of an input must be: of any sign; above 0; not 0; between 0 and 1; above -1; between -1 and 1; above 1;
integers from -1 to 8; from -3 to 496, mostly small; each at least as large as the one before; places of a type's bits, and some
beyond either end."""


def make_inputs(program: Program, kind: Kind, seed: int = 0) -> dict[str, Array]:
    """Values for every input of a program whose dims are given, the same on every machine for one seed. Raises ShapeError
    where a tensor of the program has more dims than an array may have."""
    if kind not in get_args(Kind):
        raise UolError(f"no kind of inputs {kind!r}", hint=f"one of {', '.join(get_args(Kind))}")
    for tensor in program.tensors.values():
        require_dims(program.name, tensor.name, len(tensor.shape))
    if kind == "mixed":
        return _mixed(program, seed)
    few = kind == "lone" and "lone" in kinds(program.name) and "steep" not in kinds(program.name)
    return _of_kind(program, kind, seed, few=few)


def _of_kind(program: Program, kind: Kind, seed: int, *, few: bool = False) -> dict[str, Array]:
    """Values of one kind; with `few`, two NaN in the first input instead of one a row."""
    generator = np.random.Generator(np.random.Philox(seed))
    places = indexed_extents(program)
    by_rows = _by_rows(program, kind, int(generator.integers(0, 64))) if kind in get_args(RowKind) else {}
    wide = _wide(program, generator) if kind == "wide" else {}
    inputs: dict[str, Array] = {}
    for t in program.by_role("in"):
        ask = _ask(program.name, t.name)
        if t.name in places:
            inputs[t.name] = _places(t, places[t.name], generator, power=4 if kind == "uneven" else 1)
        elif t.name in wide:
            inputs[t.name] = _asked_for(wide[t.name], ask, t.dtype)
        elif t.name in by_rows:
            inputs[t.name] = _row_values(t, ask, cast(RowKind, kind), *by_rows[t.name], generator)
        else:
            inputs[t.name] = _values(t, ask, "random" if few else kind, generator)
    for name in inputs:
        if name in program.sorted or _ask(program.name, name) == "ascending":
            inputs[name] = np.sort(inputs[name])
        if name in program.permutations:
            inputs[name] = generator.permutation(inputs[name].size).reshape(inputs[name].shape)
    if few:
        first = next(iter(inputs.values())).reshape(-1)
        if first.dtype.kind == "f":
            first[[first.size // 2, -1] if first.size else []] = np.nan
    return inputs


def kinds(op: str) -> tuple[Kind, ...]:
    """The kinds of inputs that an operator is checked on."""
    cases = cases_of(op)
    return ("exact", "random") if cases is None else cast(tuple[Kind, ...], cases.inputs)


def _mixed(program: Program, seed: int) -> dict[str, Array]:
    """Rows by turns of the kinds that the operator is checked on. Where they must not be of several (a NaN of one would be in
    every result), all are of the first kind beside exact and random ones."""
    known = [k for k in kinds(program.name) if k not in ("exact", "random")] or ["exact"]
    along = _of_one_kind(program)
    if not along:
        return make_inputs(program, known[0], seed)
    sunk: tuple[Kind, ...] = ("sunk",) if "infinite" in known else ()
    each = [_of_kind(program, kind, seed + number) for number, kind in enumerate((*known, *sunk, "exact", "random"))]
    inputs = dict(each[-1])
    for name, dims in along.items():
        shape = inputs[name].shape
        size = rows_and_columns(shape, dims)
        turns = np.broadcast_to((np.arange(size[0]) % len(each))[:, None], size)
        whose = from_rows(turns.astype(np.float64), shape, dims)
        inputs[name] = np.select([whose == number for number in range(len(each))], [e[name] for e in each])
    return inputs


def _of_one_kind(program: Program) -> dict[str, tuple[int, ...]] | None:
    """The dims of each float input along which its values are of one kind, where they are of several: rows where a result is of
    one row of each input, elements where nothing is reduced, else all but the first dim where that is a batch."""
    dims = reduced_dims(program)
    shapes = {t.name: static_shape(t) for t in program.by_role("in") if is_float(t.dtype)}
    results = [static_shape(t) for t in program.by_role("out")]
    rows = {rows_and_columns(shape, dims[name])[0] for name, shape in shapes.items() if name in dims}
    if not dims or not shapes:
        return dict.fromkeys(shapes, ())
    if len(rows) == 1 and min(map(prod, results)) >= max(rows):
        return {name: dims.get(name, (len(shape) - 1,) if shape else ()) for name, shape in shapes.items()}
    of_batch = [shape[0] for shape in (*shapes.values(), *results) if len(shape) > 2]
    if len(of_batch) == len(shapes) + len(results) and len(set(of_batch)) == 1 and not any(0 in d for d in dims.values()):
        return {name: tuple(range(1, len(shape))) for name, shape in shapes.items()}
    return None


def _by_rows(program: Program, kind: Kind, start: int) -> dict[str, tuple[Turn, tuple[int, ...]]]:
    """The inputs that a kind makes row by row, each with its turn and the dims that its rows lie along."""
    dims = reduced_dims(program)
    floats = [t for t in program.by_role("in") if is_float(t.dtype)]
    reduced = [t for t in floats if t.name in dims]
    chosen = floats if kind in EVERYWHERE or not reduced else reduced
    last = {t.name: (len(t.shape) - 1,) if t.shape else () for t in chosen}
    return {t.name: (Turn(number, len(chosen), start), dims.get(t.name, last[t.name])) for number, t in enumerate(chosen)}


def static_shape(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a tensor whose dims were given."""
    extents = [extent.value for extent in tensor.shape if isinstance(extent, Const)]
    if len(extents) != len(tensor.shape):
        raise UolError(f"{tensor.name} has symbolic dims", hint="instantiate the operator with every dim")
    return tuple(int(extent) for extent in extents)


def _ask(op: str, tensor: str) -> Ask:
    """What a tensor's values must be for the operator to have a finite value."""
    cases = cases_of(op)
    ask = "any" if cases is None else cases.values.get(tensor, "any")
    if ask not in get_args(Ask):
        raise UolError(f"no values {ask!r} for {tensor} of {op}", hint=f"one of {', '.join(get_args(Ask))}")
    return cast(Ask, ask)


def _values(tensor: Tensor, ask: Ask, kind: Kind, generator: np.random.Generator) -> Array:
    from uol.ir.program.rounding import round_to

    shape = static_shape(tensor)
    if not is_float(tensor.dtype):
        if ask == "skewed":
            return np.floor(500 * generator.random(shape) ** 4).astype(np.int64) - 3
        if ask == "places":
            least, greatest = integer_range(tensor.dtype)
            bits = (greatest - least).bit_length()
            return generator.integers(max(least, -2), min(greatest, bits + 2), size=shape, endpoint=True)
        return generator.integers(-1, 9, size=shape) if ask == "few" else _integers(tensor.dtype, shape, kind, generator)
    values = _exact(shape, ask, generator) if kind == "exact" else _random(shape, ask, generator)
    if kind == "signs":
        values = sign_values(shape, generator) if ask == "any" else _exact(shape, ask, generator)
    if kind == "steep":
        values = np.where(_rows(shape, 9), values - 300.0, values + 300.0 * _spikes(shape))
    if kind == "lone":
        values = np.where(_spikes(shape), np.nan, values)
    if kind == "special":
        chosen = generator.choice(np.array(SPECIAL), size=shape)
        values = np.where(generator.random(shape) < 0.4, chosen, values)
    rounded: Array = round_to(values, tensor.dtype)
    return rounded


def _row_values(
    tensor: Tensor, ask: Ask, kind: RowKind, turn: Turn, dims: tuple[int, ...], generator: np.random.Generator
) -> Array:
    return _asked_for(row_values(kind, turn, static_shape(tensor), dims, tensor.dtype, generator), ask, tensor.dtype)


def _wide(program: Program, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    shapes = {t.name: static_shape(t) for t in program.by_role("in")}
    return wide_values(program, shapes, generator, paired=not program.name.endswith(GRADIENT))


def _asked_for(values: NDArray[np.float64], ask: Ask, dtype: str) -> NDArray[np.float64]:
    """Values of a type, as they are asked for."""
    from uol.ir.program.rounding import round_to

    return _asked(np.asarray(round_to(_asked(values, ask), dtype), np.float64), ask)


def _asked(values: NDArray[np.float64], ask: Ask) -> NDArray[np.float64]:
    """The nearest values of those that are asked for, or their negatives; infinities and NaN stay."""
    match ask:
        case "positive":
            return np.where(values == 0, 1.0, np.abs(values))
        case "nonzero":
            return np.where(values == 0, 1.0, values)
        case "unit":
            return np.where(np.isfinite(values), np.clip(np.abs(values), 0.0, 1.0), values)
        case "above_minus_one":
            return np.where(values <= -1, -values, values)
        case "within_one":
            return np.where(np.isfinite(values) & (np.abs(values) >= 1), 0.75 / np.where(values == 0, 1, values), values)
        case "from_one":
            return np.where(np.abs(values) <= 1, 1.5 + np.abs(values), np.abs(values))
    return values


def _exact(shape: tuple[int, ...], ask: Ask, generator: np.random.Generator) -> NDArray[np.float64]:
    if ask in ("any", "above_minus_one", "ascending"):
        return generator.integers(-3 if ask == "any" else 0, 4, size=shape).astype(np.float64)
    if ask == "unit":
        return np.asarray(generator.choice(np.array([0.25, 0.5, 0.75]), size=shape))
    if ask == "within_one":
        return np.asarray(generator.choice(np.array([-0.75, -0.5, 0.0, 0.25, 0.5]), size=shape))
    if ask == "from_one":
        return generator.integers(2, 6, size=shape).astype(np.float64)
    signs = np.where((ask == "nonzero") & (generator.random(shape) < 0.5), -1.0, 1.0)
    return np.asarray(signs * generator.choice(np.array([0.25, 1.0, 4.0]), size=shape))


def _random(shape: tuple[int, ...], ask: Ask, generator: np.random.Generator) -> NDArray[np.float64]:
    values = generator.standard_normal(shape)
    match ask:
        case "positive":
            return np.asarray(np.abs(values) + 0.25)
        case "nonzero":
            return np.asarray(values + np.copysign(0.125, values))
        case "unit":
            return np.asarray(1.0 / (1.0 + np.exp(-values)))
        case "above_minus_one":
            return np.asarray(np.abs(values) - 0.75)
        case "within_one":
            return np.asarray(0.96875 * np.tanh(values))
        case "from_one":
            return np.asarray(1.125 + np.abs(values))
    return np.asarray(values)


def _spikes(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """One element of each row (along the last dim): by turns the last, the first, and those at powers of two."""
    spikes = np.zeros(shape, dtype=bool)
    if not shape or 0 in shape:
        return spikes
    columns = shape[-1]
    places = np.array([columns - 1, 0, *(p for p in (256, 128, 64, 32, 16, 8) if p < columns)])
    flat = spikes.reshape(-1, columns)
    rows = np.arange(len(flat))
    flat[rows, places[rows % len(places)]] = True
    return spikes


def _rows(shape: tuple[int, ...], every: int) -> NDArray[np.bool_]:
    """The elements of each `every`-th row, from the third on."""
    chosen = np.zeros(shape, dtype=bool)
    if shape and 0 not in shape:
        chosen.reshape(-1, shape[-1])[2::every] = True
    return chosen


def _integers(dtype: str, shape: tuple[int, ...], kind: Kind, generator: np.random.Generator) -> Array:
    if dtype == "bool":
        return generator.random(shape) < 0.5
    bits = int(dtype[1:])
    low, high = (0, 2**bits) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if kind in ("exact", "constant", "ties"):
        low, high = max(low, -3), min(high, 4)
    values = generator.integers(low, high, size=shape, dtype=np.int64)
    if kind == "special":
        chosen = generator.choice(np.array([v for v in INTEGERS if low <= v < high]), size=shape)
        values = np.where(generator.random(shape) < 0.4, chosen, values)
    return values


def indexed_extents(program: Program) -> dict[str, int]:
    """The integer inputs that serve as an index, with the extent of the dim that they index."""
    extents: dict[str, int] = {}
    for tensor, indices in _accesses(program):
        for index, extent in zip(indices, program.tensors[tensor].shape, strict=True):
            for inner in (node for node in walk(index) if isinstance(node, Load)):
                if isinstance(extent, Const):
                    extents.setdefault(inner.tensor, int(extent.value))
    return extents


def _accesses(program: Program) -> Iterator[tuple[str, tuple[Expr, ...]]]:
    """Every tensor that is read or added to, with its indices."""
    for stage in program.stages:
        yield from ((node.tensor, node.index) for node in walk(stage.value) if isinstance(node, Load))
        if isinstance(stage, Scatter):
            yield stage.name, stage.target


def _places(tensor: Tensor, extent: int, generator: np.random.Generator, power: int) -> Array:
    """Indices: mostly in range; now and then one just outside on either side, or far outside. Those in range are as frequent as
    each other where the power is 1; with a larger one small indices are more frequent."""
    shape, bits = static_shape(tensor), int(tensor.dtype[1:])
    low, high = (0, 2**bits - 1) if tensor.dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    count = max(1, min(extent, high + 1))
    inside = generator.integers(0, count, size=shape, dtype=np.int64)
    if power != 1:
        inside = np.floor(count * generator.random(shape) ** power).astype(np.int64)
    outside = generator.choice(np.array([v for v in (-1, extent, low, high) if low <= v <= high]), size=shape)
    return np.where(generator.random(shape) < 0.2, outside, inside)
