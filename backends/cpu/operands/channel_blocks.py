"""Products over lines of pixels of many channels, block by block of those whose filters a tile reads.

    w[o, k]  ->  w[o / 32][k][o % 32]

Channels are on the lanes (see `channel_lanes.py`), two vectors of them a tile. Where the copy of the filters had all channels
beside each other, a tile would read a cache line or two of each of its rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.pixel_lines import MOST_CHANNELS, is_of_lines, leaves_out_many
from uol.backends.cpu.schedules.cost import size
from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import add, mul, static, substituted
from uol.codegen.specs.nodes import Contract, Let, Read, Step, Store, Strides
from uol.codegen.specs.traverse import map_step, reads
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite

BLOCK = 32
"""Channels: two vectors of f32, as a tile of fourteen pixels has them."""
MOST_TERMS, MOST_TERMS_OF_STEPS = 1 << 10, 1 << 11
"""Terms up to which the filters of a block stay near, where nothing else speaks for lines; and where pixels are some steps
apart, which costs panels more. On one thread panels took 1.05 times as long as lines of 576 terms (64 channels of 56 x 56
pixels), 1.08 times of 576, 1152 and 1728 terms with a stride of 2, but 0.94 times of 2304 with a stride of 1."""


def in_blocks(spec: Contract) -> Contract | None:
    """The product with blocks of channels as a batch; None where panels are as good, or a block is no whole number of them."""
    channels = static(spec.m[0].extent) if len(spec.m) == 1 else None
    if channels is None or channels <= MOST_CHANNELS or channels % BLOCK or not spec.n:
        return None
    named = f"{spec.m[0].name}_block"
    if spec.segments is not None or named in {axis.name for axis in spec.axes} or not _is_affine(spec):
        return None
    blocks = _split(spec, named)
    return blocks if is_of_lines(blocks) and (_is_short(blocks) or leaves_out_many(blocks)) else None


def _is_short(spec: Contract) -> bool:
    terms, step = size(spec.k) or 0, coefficient(the_read(spec.b).offset, spec.n[-1].name) or 1
    return terms <= (MOST_TERMS if step == 1 else MOST_TERMS_OF_STEPS)


def _is_affine(spec: Contract) -> bool:
    """Has every place a number of elements for each step of each axis?"""
    values = (spec.a, spec.b, *(step.value for step in spec.epilogue if isinstance(step, Let | Store)))
    offsets = [node.offset for value in values for node in reads(value)]
    offsets += [step.offset for step in spec.epilogue if isinstance(step, Store)]
    return all(affine(offset, [axis.name for axis in spec.axes]) is not None for offset in offsets)


def _split(spec: Contract, name: str) -> Contract:
    """The product with the axis of its rows as one of blocks, by that name, and one within a block."""
    (channel,) = spec.m
    blocks = Axis(name, Const((static(channel.extent) or 0) // BLOCK))
    within = replace(channel, extent=Const(BLOCK))
    batch = (*spec.batch, blocks)
    axes = (*batch, within, *spec.n, *spec.k)
    place: dict[str, Expr] = {channel.name: add(mul(Var(name), Const(BLOCK)), Var(channel.name))}

    def strides(offset: Expr, over: Sequence[str]) -> Strides:
        form = affine(offset, [axis.name for axis in axes])
        assert form is not None
        return tuple((each, form.factor(each)) for each in over)

    def placed(expr: Expr) -> Expr:
        return rewrite(substituted(expr, place), lambda node: strided(node) if isinstance(node, Read) else None)

    def strided(read: Read) -> Read:
        return replace(read, strides=strides(read.offset, _with([each for each, _ in read.strides], channel.name, name, axes)))

    def step(old: Step) -> Step:
        new = map_step(old, placed)
        assert isinstance(new, Let | Store)
        over = tuple(_with(new.axes, channel.name, name, axes))
        if isinstance(new, Let):
            return replace(new, axes=over)
        return replace(new, axes=over, strides=strides(new.offset, over))

    epilogue = tuple(step(each) for each in spec.epilogue)
    return replace(spec, batch=batch, m=(within,), a=placed(spec.a), b=placed(spec.b), epilogue=epilogue)


def _with(own: Collection[str], channel: str, blocks: str, axes: Sequence[Axis]) -> list[str]:
    """Names of axes, of the blocks where the channel is one, in the order of a spec's axes."""
    named = {*own} | ({blocks} if channel in own else set())
    return [axis.name for axis in axes if axis.name in named]
