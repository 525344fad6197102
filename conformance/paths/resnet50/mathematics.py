"""The mathematics of ResNet-50 in training, as tensors and what each is computed from.

    z = conv(x, w);  y = relu(norm(z))              norm: over a batch's pictures, lines and columns
    out = relu(norm(z3) + x), or norm(z of x)       at the end of a block, which begins with x
    loss = cross entropy of the scores

N pictures of 3 x S x S, W channels after the stem, Z classes. Weights, their gradients and the optimiser's state are f32, what
passes between layers is in the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.conformance.gap.reference.graph import BIT, F32, I32, Axes, Graph, Tensor, axes

BLOCKS = (3, 4, 6, 3)


@dataclass(frozen=True, slots=True)
class Convolved:
    """A convolution `z` of `x` by `weight`, with the statistics of the batch and the norm's parameters."""

    name: str
    x: Tensor
    weight: Tensor
    z: Tensor
    statistics: Tensor
    affine: Tensor


@dataclass(frozen=True, slots=True)
class Block:
    """`y1`, `y2`: the results of its first two norms. `shortcut`: the convolution past the block, if there is one."""

    stage: int
    x: Tensor
    first: Convolved
    y1: Tensor
    second: Convolved
    y2: Tensor
    third: Convolved
    shortcut: Convolved | None
    out: Tensor
    positive: Tensor


def mathematics(dims: Mapping[str, int], width: float) -> Graph:
    """Forward to the loss, and backward to every parameter; the pictures need no gradient."""
    graph = Graph(width)
    n, size, w, classes = dims["N"], dims["S"], dims["W"], dims["Z"]
    pictures = graph.given("pictures", axes(N=n, Y=size, X=size, C=3))
    graph.at("forward", "stem")
    stem = _convolved(graph, "stem", pictures, axes(N=n, Y=size // 2, X=size // 2, C=w), 49)
    normed = _normed(graph, stem)
    pooled = graph.move("pooled", axes(N=n, Y=size // 4, X=size // 4, C=w), normed)
    blocks: list[Block] = []
    x = pooled
    for stage, count in enumerate(BLOCKS):
        for number in range(count):
            blocks.append(_block(graph, stage + 1, number, x, w << stage, size // 4 >> stage))
            x = blocks[-1].out

    graph.at("forward", "head")
    last = 32 * w
    mean = graph.total("mean of each channel", axes(N=n, C=last), x, width=width)
    weight, bias = graph.given("head: weight", axes(Z=classes, C=last), F32), graph.given("head: bias", axes(Z=classes), F32)
    product = graph.product("head: product", axes(N=n, Z=classes), (mean, weight), ("C",), 2 * n * last * classes)
    scores = graph.elements("scores", product.axes, product, bias)
    labels = graph.given("labels", axes(N=n), I32)
    lse = graph.rows("log of sums", axes(N=n), scores, width=F32)
    loss = graph.total("loss", axes(one=1), scores, lse, labels)

    graph.at("backward", "head: gradient")
    d_scores = graph.elements("gradient of the scores", product.axes, scores, lse, labels)
    d_bias = graph.total("head: gradient of the bias", bias.axes, d_scores)
    d_weight = graph.product(
        "head: gradient of the weight", weight.axes, (mean, d_scores), ("N",), product.operations, width=F32
    )
    d_mean = graph.product("gradient of the mean", mean.axes, (d_scores, weight), ("Z",), product.operations)
    graph.result(loss, d_bias, d_weight)

    d_out = d_mean
    for block in reversed(blocks):
        d_out = _block_gradient(graph, block, d_out)
    graph.at("backward", "stem: gradient")
    routed = graph.move("gradient of the stem before pooling", stem.z.axes, d_out, stem.z, stem.statistics, stem.affine)
    _gradient(graph, stem, routed, pictures)
    return graph


def _convolved(graph: Graph, name: str, x: Tensor, out: Axes, taps: int) -> Convolved:
    taken, channels = x.axes[-1][1], out[-1][1]
    weight = graph.given(f"{name}: weight", axes(O=channels, taps=taps, C=taken), F32)
    affine = graph.given(f"{name}: scale and shift", axes(two=2, C=channels), F32)
    n, lines, columns, _ = (extent for _, extent in out)
    operations = 2 * taps * taken * channels * n * lines * columns
    z = graph.product(name, out, (x, weight), ("C", "taps"), operations)
    statistics = graph.total(f"{name}: statistics", affine.axes, z)
    return Convolved(name, x, weight, z, statistics, affine)


def _normed(graph: Graph, of: Convolved) -> Tensor:
    return graph.elements(f"{of.name}: normed", of.z.axes, of.z, of.statistics, of.affine)


def _block(graph: Graph, stage: int, number: int, x: Tensor, channels: int, size: int) -> Block:
    """A bottleneck: 1x1, 3x3 with the stride of the stage, 1x1 to four times the channels."""
    name, (n, before, _, _) = f"stage {stage}.{number}", (extent for _, extent in x.axes)
    narrow, small = f"stage {stage}: 1x1 convolutions", axes(N=n, Y=size, X=size, C=channels)
    graph.at("forward", narrow)
    first = _convolved(graph, f"{name} first", x, axes(N=n, Y=before, X=before, C=channels), 1)
    y1 = _normed(graph, first)
    graph.at("forward", f"stage {stage}: 3x3 convolutions")
    second = _convolved(graph, f"{name} second", y1, small, 9)
    y2 = _normed(graph, second)
    graph.at("forward", narrow)
    wide = axes(N=n, Y=size, X=size, C=4 * channels)
    third = _convolved(graph, f"{name} third", y2, wide, 1)
    shortcut: Convolved | None = None
    past: tuple[Tensor, ...] = (x,)
    if number == 0:
        every = x if before == size else graph.part(f"{name} taken", axes(N=n, Y=size, X=size, C=x.axes[-1][1]), x)
        shortcut = _convolved(graph, f"{name} shortcut", every, wide, 1)
        past = (shortcut.z, shortcut.statistics, shortcut.affine)
    out = graph.elements(f"{name} out", wide, third.z, third.statistics, third.affine, *past)
    positive = graph.elements(f"{name} positive", wide, out, width=BIT)
    return Block(stage, x, first, y1, second, y2, third, shortcut, out, positive)


def _block_gradient(graph: Graph, block: Block, d_out: Tensor) -> Tensor:
    """The gradient of what the block begins with, from that of its result."""
    graph.at("backward", f"stage {block.stage}: gradient")
    name = block.first.name.removesuffix(" first")
    kept = graph.elements(f"{name} gradient before relu", block.out.axes, d_out, block.positive)
    dz = _norm_gradient(graph, block.third, kept)
    dz = _norm_gradient(graph, block.second, _before_relu(graph, block.second, _by_both(graph, block.third, block.y2, dz)))
    dz = _norm_gradient(graph, block.first, _before_relu(graph, block.first, _by_both(graph, block.second, block.y1, dz)))
    dx, past = _by_both(graph, block.first, block.x, dz), kept
    if block.shortcut is not None:
        of = block.shortcut
        past = _by_both(graph, of, of.x, _norm_gradient(graph, of, kept), block.x.axes)
    return graph.elements(f"{name} gradient of x", block.x.axes, dx, past)


def _before_relu(graph: Graph, of: Convolved, dy: Tensor) -> Tensor:
    return graph.elements(f"{of.name}: gradient before relu", of.z.axes, dy, of.z, of.statistics, of.affine)


def _norm_gradient(graph: Graph, of: Convolved, kept: Tensor) -> Tensor:
    """The gradient of a norm's input. Its two sums are the gradients of shift and scale, too."""
    sums = graph.total(f"{of.name}: gradient of scale and shift", of.affine.axes, kept, of.z, of.statistics)
    graph.result(sums)
    return graph.elements(f"{of.name}: gradient", of.z.axes, kept, of.z, of.statistics, of.affine, sums)


def _by_both(graph: Graph, of: Convolved, x: Tensor, dz: Tensor, at: Axes | None = None) -> Tensor:
    """Adds the gradient by the weight, in f32, and gives that by the input; `at` is its axes where a part of it was taken."""
    operations = of.z.operations
    d_weight = graph.product(
        f"{of.name}: gradient of the weight", of.weight.axes, (x, dz), ("N", "Y", "X"), operations, width=F32
    )
    graph.result(d_weight)
    return graph.product(f"{of.name}: gradient of its input", at or x.axes, (dz, of.weight), ("O", "taps"), operations)


def _gradient(graph: Graph, of: Convolved, kept: Tensor, x: Tensor) -> None:
    """Adds the gradient by the weight alone."""
    dz = _norm_gradient(graph, of, kept)
    d_weight = graph.product(
        f"{of.name}: gradient of the weight", of.weight.axes, (x, dz), ("N", "Y", "X"), of.z.operations, width=F32
    )
    graph.result(d_weight)


def optimiser_bytes(dims: Mapping[str, int], width: float) -> float:
    """SGD with momentum in f32: reads a parameter, its gradient and its momentum; writes the parameter and the momentum."""
    w, classes = dims["W"], dims["Z"]
    count, taken = 3 * 49 * w + 2 * w + 32 * w * classes + classes, w
    for stage, blocks in enumerate(BLOCKS):
        c = w << stage
        count += taken * c + (blocks - 1) * 4 * c * c + blocks * (9 * c * c + 4 * c * c) + 4 * taken * c
        count += 2 * (6 * blocks * c + 4 * c)
        taken = 4 * c
    return 5 * F32 * count
