"""Products whose rows are the pixels of lines of an image, and whose columns are channels."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import prod

from uol.backends.cpu.expressions.dtypes import representation
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.schedules.cost import size
from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import static, value_at
from uol.codegen.specs.nodes import Contract, Guard, Read, Within
from uol.ir.program.nodes import Axis, Const
from uol.ir.program.walk import variables

LANES, MOST_CHANNELS = 16, 48
"""Channels are a multiple of the lanes of the widest vector, in f32, and as many as have a register for each row of a tile and
fourteen rows; of three vectors nine rows."""
LEAST_LEFT_OUT = 1 / 9
"""The share of the products that are left out, which pays for filters that are read anew for every line: of the gradients of x
of 3-D convolutions of 4 planes with 64 and 128 channels, lines took 0.85 and 0.75 of the time of panels."""
MOST_POINTS = 1 << 12
"""Points that are counted."""
LEAST_LINE, MOST_TAPS = 7, 8
"""Pixels of a line that keep the units for multiply-adds busy with two vectors each; taps that are written out."""
LEAST_ROWS, MOST_ROWS, LEAST_PIXELS = 8, 14, 1024
"""Taps that are the rows of a tile, and pixels that are worth the copies."""
LEAST_TERMS = 64
"""A shorter sum (3 channels of 3 x 3 taps have 27 terms) saves less than what is done with its results takes."""


def is_of_lines(spec: Contract) -> bool:
    """Are its columns the pixels of lines that are read where they lie, under guards, and its rows few channels, in whole
    vectors?"""
    if len(spec.m) != 1 or not spec.n or len(spec.k) < 2 or spec.segments is not None:
        return False
    if not _are_few(spec.m[0]):
        return False
    line, tap, read, filters = spec.n[-1], _tap_of(spec), the_read(spec.b), the_read(spec.a)
    if size(spec.axes) is None or (size(spec.k) or 0) < LEAST_TERMS:
        return False
    if (static(line.extent) or 0) < LEAST_LINE or (static(tap.extent) or 0) > MOST_TAPS:
        return False
    if not read.guard or read.fill != Const(0, read.dtype) or filters.guard:
        return False
    if not all(isinstance(guard, Within) and affine(guard.value) is not None for guard in read.guard):
        return False
    kinds = [representation(each.dtype) for each in (read, filters)]
    return (coefficient(read.offset, line.name) or 0) > 0 and all(kind.storage == kind.compute for kind in kinds)


def is_of_taps(spec: Contract) -> bool:
    """Are its columns the taps of filters, over the pixels of an image under guards, and its rows few channels?"""
    if len(spec.m) != 1 or not _are_few(spec.m[0]) or len(spec.n) < 2 or len(spec.k) < 2 or spec.segments is not None:
        return False
    read, cotangents = the_read(spec.b), the_read(spec.a)
    if size(spec.axes) is None or (size(spec.k) or 0) < LEAST_PIXELS or not read.guard or cotangents.guard:
        return False
    taps = size(spec.n[-2:]) or 0
    if not LEAST_ROWS <= taps <= MOST_ROWS or (static(spec.k[-1].extent) or 0) < LEAST_LINE:
        return False
    kinds = [representation(each.dtype) for each in (read, cotangents)]
    return all(kind.storage == kind.compute for kind in kinds)


def _are_few(channels: Axis) -> bool:
    number = static(channels.extent) or 0
    return number % LANES == 0 and LANES <= number <= MOST_CHANNELS


def leaves_out_many(spec: Contract) -> bool:
    """Is a good part of its products those of lines that are not there? A convolution over planes of which there are few has
    such."""
    within = (guard for guard in the_read(spec.b).guard if isinstance(guard, Within))
    guards = [guard for guard in within if spec.n[-1].name not in variables(guard.value)]
    return 1 - prod(_share_within(guard, spec) for guard in guards) >= LEAST_LEFT_OUT


def _share_within(guard: Within, spec: Contract) -> float:
    """The share of the points along a guard's axes at which the guard holds; 1 where that is not known."""
    axes = [axis for axis in spec.axes if axis.name in variables(guard.value)]
    points = size(tuple(axes)) or 0
    if not 0 < points <= MOST_POINTS or affine(guard.value) is None:
        return 1.0
    places = product(*(range(static(axis.extent) or 0) for axis in axes))
    named = ({axis.name: place for axis, place in zip(axes, each, strict=True)} for each in places)
    return sum(all(value_at(c, at) for c in guard.conditions) for at in named) / points


def has_channels_on_lanes(spec: Contract) -> bool:
    """Is it a product over lines, or over taps that are one axis, whose other operand lies along the channels?"""
    if len(spec.m) != 1 or coefficient(the_read(spec.a).offset, spec.m[0].name) != 1:
        return False
    return is_of_lines(spec) or has_flat_taps(spec)


def has_flat_taps(spec: Contract) -> bool:
    """Is it a product over taps that are one axis, as the copies of `is_of_taps` leave it? A line is there for all of them, or
    for none."""
    if len(spec.m) != 1 or not _are_few(spec.m[0]) or not spec.n or not spec.k:
        return False
    if (static(spec.n[-1].extent) or MOST_ROWS + 1) > MOST_ROWS:
        return False
    read, varying = the_read(spec.b), {spec.n[-1].name, spec.k[-1].name}
    if not all(isinstance(guard, Within) and not variables(guard.value) & varying for guard in read.guard):
        return False
    return size(spec.axes) is not None and affine(read.offset, [spec.n[-1].name]) is None


def by_pixels(spec: Contract) -> Contract:
    """The same product with pixels as rows and channels as columns, the taps along a line last: as its tiles are written. Its
    result does not lie along its columns then, as that of a spec must."""
    if has_flat_taps(spec):
        return replace(spec, m=spec.n, n=spec.m, a=spec.b, b=spec.a)
    tap = _tap_of(spec)
    k = (*(axis for axis in spec.k if axis != tap), tap)
    return replace(spec, m=spec.n, n=spec.m, k=k, a=spec.b, b=spec.a)


def _tap_of(spec: Contract) -> Axis:
    """The axis of k that goes along the lines: of those that a guard has with their pixels, or the last."""
    guarded = [variables(guard.value) for guard in the_read(spec.b).guard if isinstance(guard, Within)]
    along = frozenset[str]().union(*(names for names in guarded if spec.n[-1].name in names))
    return next((axis for axis in spec.k if axis.name in along), spec.k[-1])


def line_guards(spec: Contract) -> tuple[Guard, ...]:
    """The guards of a, by pixels, that are the same for all pixels of a line."""
    return tuple(g for g in the_read(spec.a).guard if isinstance(g, Within) and spec.m[-1].name not in variables(g.value))


def within_lines(spec: Contract) -> Read:
    """The read of a, by pixels, in lines that there are."""
    read, there = the_read(spec.a), line_guards(spec)
    kept = tuple(guard for guard in read.guard if guard not in there)
    return replace(read, guard=kept, fill=read.fill if kept else None)
