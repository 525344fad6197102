"""ResNet-50 without any fusion, by hand: products of plain tensors, and passes between them.

What fusion saves: the sums of each norm are a pass that reads z; relu(bn(z)) is written, read, and kept for the weight's
gradient; backwards the sums are a pass, too, over what the product gave, g, and z (which gives relu's mask).

Where the shortcut is a itself, da = dz1 W1 + e3 is added in the pass of the sums of the block before, which also masks it and
writes it, as three more passes read it. Where it is projected, the product gives all of da: the passes read it with the mask's
bits, which is less than to write it masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from second_counting import Group, Step
from second_resnet50 import (
    BATCH,
    BLOCKS,
    CLASSES,
    CONVOLUTIONS,
    FEATURES,
    GIVEN,
    HEAD_BACKWARD,
    LAST,
    RESULTS,
    STEM,
    STEM_BACKWARD,
    WEIGHTS,
    Block,
    Convolution,
    block_forward,
    group,
    normed,
    tensors,
    together,
)

FOLLOWED_BY_PROJECTION = frozenset(b.a for b in BLOCKS if b.projection)


def convolve(c: Convolution, operand: str) -> Iterator[Group]:
    """z, and its sums in a pass."""
    yield group("forward", f"conv {c.name}", f"{operand} W_{c.name}", f"z_{c.name}", c.operations)
    yield sums(c)


def sums(c: Convolution) -> Group:
    """The statistics of a batch."""
    return group("forward", f"sums of z {c.name}", f"z_{c.name}", f"sums_{c.name}")


def forward(b: Block) -> Iterator[Group]:
    """A block; its norms but the last are written."""
    own = list(convolve(b.conv1, b.a))
    if b.projection:
        other = list(convolve(b.projection, b.a if b.share else f"part_of_{b.a}"))
        own = [together(own[0], other[0]), own[1], other[1]] if b.share else own + other
    yield from own
    for c, inner in ((b.conv2, b.conv1), (b.conv3, b.conv2)):
        yield group("forward", f"norm {inner.name}", normed(inner.name), f"y_{inner.name}")
        yield from convolve(c, f"y_{inner.name}")
    *_, add = block_forward(b)
    yield add


def comes(b: Block) -> str:
    """What bn3 and the shortcut of a block get: e3, or what it is made of."""
    if b is LAST:
        return f"dmean {b.mask}"
    return f"d{b.after} {b.mask}" if b.after in FOLLOWED_BY_PROJECTION else f"e_{b.name}"


def data(c: Convolution, writes: str) -> Group:
    """The gradient of what c convolved, and nothing else."""
    return group("backward", f"conv {c.name}, data", f"dz_{c.name} W_{c.name}", writes, c.operations)


def weight(c: Convolution, operand: str) -> Group:
    """The gradient of c's weight."""
    return group("backward", f"conv {c.name}, weight", f"dz_{c.name} {operand}", f"dW_{c.name}", c.operations)


def backward(b: Block, before: Block | None) -> Iterator[Group]:
    """From what a block gets to what the block before gets."""
    made = f"dz_{b.conv3.name}" + (f" dz_{b.projection.name}" if b.projection else "")
    yield group("backward", f"norm {b.conv3.name}, gradient", f"{comes(b)} {b.ends[0]} {b.ends[1]}", made)
    for c, inner in ((b.conv3, b.conv2), (b.conv2, b.conv1)):
        g, dbn = f"g_{inner.name}", f"dbn_{inner.name}"
        yield data(c, g)
        yield group("backward", f"sums of norm {inner.name}", f"{g} {normed(inner.name)}", dbn)
        yield weight(c, f"y_{inner.name}")
        yield group("backward", f"norm {inner.name}, gradient", f"{g} {normed(inner.name)} {dbn}", f"dz_{inner.name}")
    into = f"d{b.a}"
    if b.projection is None:
        yield data(b.conv1, into)
        yield weight(b.conv1, b.a)
    else:
        yield together(data(b.conv1, into), data(b.projection, into))
        weights = weight(b.conv1, b.a), weight(b.projection, b.a if b.share else f"part_of_{b.a}")
        yield from [together(*weights)] if b.share else weights
    if before:
        yield end_sums(b, before)


def end_sums(b: Block, before: Block) -> Group:
    """The sums of the last norm of the block before, over da and, where the shortcut is a itself, what it gives."""
    name, reads = f"sums of norm {before.conv3.name}", f"d{b.a} {before.ends[0]} {before.mask}"
    if b.projection:
        return group("backward", name, reads, before.ends[1])
    return group("backward", name, f"{reads} {comes(b)}", f"e_{before.name} {before.ends[1]}")


def head(*, strict: bool) -> tuple[list[Group], list[Group]]:
    """The scores, their loss and its gradient."""
    product = f"2 {BATCH} {FEATURES} {CLASSES}"
    raw = [group("forward", "classes", "mean fc", "scores0", product), group("forward", "bias", "scores0 bias", "scores")]
    scores = raw if strict else [group("forward", "classes", "mean fc bias", "scores", product)]
    bias = (" dbias", "") if strict else ("", " dbias")
    gradient = [
        group("backward", "loss, gradient", "scores labels", f"dscores{bias[0]}"),
        group("backward", "classes, data", "dscores fc", "dmean", product),
        group("backward", "classes, weight", "dscores mean", f"dfc{bias[1]}", product),
        HEAD_BACKWARD[-1],
    ]
    return [*scores, group("forward", "loss", "scores labels", "loss")], gradient


def spelt_out(groups: list[Group]) -> Iterator[Group]:
    """With the casts of the weights and the strided copies as passes of their own; both are kept for the gradients."""
    yield from (group("forward", f"cast {c.name}", f"W_{c.name}", f"W2_{c.name}") for c in CONVOLUTIONS)
    yield group("forward", "cast classes", "fc", "fc2")
    for g in groups:
        reads = ["fc2" if n == "fc" else n.replace("W_", "W2_").replace("part_of", "copy_of") for n in g.reads.split()]
        if g.part == "forward" and (copied := [n for n in reads if n.startswith("copy_of")]):
            yield group("forward", "strided copy", copied[0].replace("copy_of", "part_of"), copied[0])
        yield replace(g, reads=" ".join(reads))


def unfused(*, strict: bool) -> Step:
    """No prologue and no epilogue. A product casts its weights, takes a strided part and adds its bias by itself, unless
    `strict`: then these are passes, too."""
    scores, gradient = head(strict=strict)
    pool = group("forward", "pool", normed("0"), "pooled")
    groups = [*convolve(STEM, "pictures"), pool, *(g for b in BLOCKS for g in forward(b)), *scores, *gradient]
    for b, before in zip(reversed(BLOCKS), [*reversed(BLOCKS[:-1]), None], strict=True):
        groups += backward(b, before)
    groups += STEM_BACKWARD
    return Step({}, tensors(), GIVEN, RESULTS, tuple(spelt_out(groups) if strict else groups), WEIGHTS)
