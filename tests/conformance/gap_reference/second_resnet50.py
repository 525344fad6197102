"""ResNet-50 in training, by hand: 256 pictures, activations in the element type, master weights f32.

A convolution i gives z_i, and its batch norm is bn_i(z) = (z - mean) * r * gamma + beta. A block makes of its input a

    z1 = conv1(a);  z2 = conv2(relu(bn1(z1)));  z3 = conv3(relu(bn2(z2)))
    a' = relu(bn3(z3) + s), where s = a, or bnp(zp) with zp = convp(a) in the first block of a stage

relu(bn(z)) is steps of one tensor and vectors, so it is an operand of what comes next and is never written. a' is made of two
tensors, so it is. Backwards, e3 = da' where a' > 0 is what bn3 and the shortcut get, e2 and e1 what bn2 and bn1 get (masked by
relu), and the gradient of a batch norm

    dz = gamma r (e - mean(e) - x mean(e x)),  x = (z - mean) r;  dbeta = sum of e, dgamma = sum of e x

is made of two tensors, before two products: a pass that waits for the sums, which the group that makes e takes in its epilogue,
reading z. So for each norm: e written, z read (epilogue); e and z read, dz written (pass); dz read twice (products).

The mask a' > 0 in that epilogue: in the first block of a stage z3 and zp are read there anyway and give it; in the others it is
kept as bits, 1/8 byte written and 1/8 read, where a' or s would be 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from second_counting import Group, Part, Step

BATCH = 256
STAGES = ((64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7))
"""Width within, blocks, length of a side of the pictures after the first stride."""
WIDER = 4
CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Convolution:
    """`taps` x `taps` windows from `inputs` channels, pictures `side` long, to `outputs` channels, pictures `side / stride`."""

    name: str
    inputs: int
    outputs: int
    taps: int
    side: int
    stride: int = 1

    @property
    def result(self) -> str:
        """Numbers in z."""
        return f"{BATCH} {self.side // self.stride} {self.side // self.stride} {self.outputs}"

    @property
    def weights(self) -> str:
        """Numbers in the weight."""
        return f"{self.taps} {self.taps} {self.inputs} {self.outputs}"

    @property
    def operations(self) -> str:
        """The same forwards, of the data's gradient and of the weight's: full windows, whatever the padding."""
        return f"2 {self.result} {self.inputs} {self.taps} {self.taps}"


@dataclass(frozen=True, slots=True)
class Block:
    """The convolutions of a bottleneck, from `a` to `after`; `projection` is None where the shortcut is `a` itself."""

    name: str
    a: str
    after: str
    conv1: Convolution
    conv2: Convolution
    conv3: Convolution
    projection: Convolution | None

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """All of them."""
        return self.conv1, self.conv2, self.conv3, *([self.projection] if self.projection else [])

    @property
    def result(self) -> str:
        """Numbers in a'."""
        return self.conv3.result

    @property
    def share(self) -> bool:
        """Whether conv1 and the projection read the same rows of a, and so are one product. At stride 2 the projection has a
        quarter of the rows: another operand, and in the weights' gradients another reduced index."""
        return self.projection is not None and self.projection.stride == 1

    @property
    def ends(self) -> tuple[str, str]:
        """What bn3, and the projection's norm if there is one, need to be made again; and their gradients."""
        names = [c.name for c in (self.conv3, self.projection) if c]
        return " ".join(normed(n) for n in names), " ".join(f"dbn_{n}" for n in names)

    @property
    def mask(self) -> str:
        """What `a' > 0` is read from, beside what `ends` reads: the kept bits, or nothing."""
        return "" if self.projection else f"bits_{self.name}"


def normed(name: str) -> str:
    """What relu(bn(z)) is made of: z, the sums of the batch, scale and shift."""
    return f"z_{name} sums_{name} bn_{name}"


def blocks() -> Iterator[Block]:
    """The sixteen, in order."""
    a, inputs = "pooled", 64
    for stage, (width, count, side) in enumerate(STAGES, 1):
        for at in range(count):
            name, stride = f"{stage}{'abcdef'[at]}", 2 if stage > 1 and not at else 1
            outputs, before = width * WIDER, side * stride
            yield Block(
                name,
                a,
                f"a_{name}",
                Convolution(f"{name}1", inputs, width, 1, before),
                Convolution(f"{name}2", width, width, 3, before, stride),
                Convolution(f"{name}3", width, outputs, 1, side),
                None if at else Convolution(f"{name}p", inputs, outputs, 1, before, stride),
            )
            a, inputs = f"a_{name}", outputs


STEM = Convolution("0", 3, 64, 7, 224, 2)
BLOCKS = tuple(blocks())
CONVOLUTIONS = (STEM, *(c for block in BLOCKS for c in block.convolutions))
LAST = BLOCKS[-1]
FEATURES = STAGES[-1][0] * WIDER


def tensors() -> dict[str, str]:
    """The bytes of every tensor, fused or not."""
    found = {
        "pictures": f"2 {BATCH} 224 224 3",
        "labels": f"4 {BATCH}",
        "pooled": f"2 {BATCH} 56 56 64",
        "dpooled": f"2 {BATCH} 56 56 64",
        "mean": f"2 {BATCH} {FEATURES}",
        "dmean": f"2 {BATCH} {FEATURES}",
        "scores": f"2 {BATCH} {CLASSES}",
        "scores0": f"2 {BATCH} {CLASSES}",
        "dscores": f"2 {BATCH} {CLASSES}",
        "lse": f"4 {BATCH}",
        "loss": "4",
        "fc": f"4 {FEATURES} {CLASSES}",
        "dfc": f"4 {FEATURES} {CLASSES}",
        "fc2": f"2 {FEATURES} {CLASSES}",
        "bias": f"4 {CLASSES}",
        "dbias": f"4 {CLASSES}",
    }
    for c in CONVOLUTIONS:
        found |= dict.fromkeys((f"{kind}_{c.name}" for kind in ("z", "y", "e", "g", "dz")), f"2 {c.result}")
        found |= dict.fromkeys((f"W_{c.name}", f"dW_{c.name}"), f"4 {c.weights}")
        found |= dict.fromkeys((f"{kind}_{c.name}" for kind in ("sums", "bn", "dbn")), f"4 2 {c.outputs}")
        found[f"W2_{c.name}"] = f"2 {c.weights}"
    for block in BLOCKS:
        found |= dict.fromkeys((block.after, f"d{block.after}", f"e_{block.name}"), f"2 {block.result}")
        found[f"bits_{block.name}"] = f"1/8 {block.result}"
        if block.projection:
            rows = f"2 {BATCH} {block.conv3.side} {block.conv3.side} {block.conv1.inputs}"
            found |= dict.fromkeys((f"part_of_{block.a}", f"copy_of_{block.a}"), rows)
    return found


WEIGHTS = " ".join([*(f"W_{c.name} bn_{c.name}" for c in CONVOLUTIONS), "fc bias"])
GIVEN = f"pictures labels {WEIGHTS} {' '.join(f'part_of_{b.a}' for b in BLOCKS if b.projection and not b.share)}"
RESULTS = " ".join(["loss", *(f"d{name}" for name in WEIGHTS.split())])


def group(part: Part, name: str, reads: str, writes: str, operations: str = "0", why: str = "") -> Group:
    """A group, its spaces in order."""
    return Group(part, name, " ".join(reads.split()), " ".join(writes.split()), operations, why)


def convolve(c: Convolution, operand: str) -> Group:
    """z and its sums, in the epilogue; f32 weights are cast in the operand."""
    return group("forward", f"conv {c.name}", f"{operand} W_{c.name}", f"z_{c.name} sums_{c.name}", c.operations)


def together(first: Group, second: Group) -> Group:
    """Two products that share an operand, or whose results are added, as one."""
    reads = " ".join(dict.fromkeys(f"{first.reads} {second.reads}".split()))
    writes = " ".join(dict.fromkeys(f"{first.writes} {second.writes}".split()))
    operations = f"{first.operations} + {second.operations}"
    return Group(first.part, f"{first.name} and {second.name}", reads, writes, operations, first.why or second.why)


def block_forward(b: Block) -> Iterator[Group]:
    """conv1 (with the projection, if both read the same rows), conv2, conv3, and the sum."""
    first = convolve(b.conv1, b.a)
    if b.share and b.projection:
        yield together(first, convolve(b.projection, b.a))
    else:
        yield first
    if b.projection and not b.share:
        yield convolve(b.projection, f"part_of_{b.a}")
    yield convolve(b.conv2, normed(b.conv1.name))
    yield convolve(b.conv3, normed(b.conv2.name))
    shortcut = "" if b.projection else b.a
    made = "mean" if b is LAST else b.after
    kept = b.mask
    why = "A pass: the sums of bn3 are known when conv3 has ended. The last a' is used by its mean and its mask only."
    yield group("forward", f"add {b.name}", f"{b.ends[0]} {shortcut}", f"{made} {kept}", why=why)


HEAD_FORWARD = group(
    "forward",
    "classes",
    "mean fc bias labels",
    "scores lse loss",
    f"2 {BATCH} {FEATURES} {CLASSES}",
    "Log-sum-exp is a reduction of a row, the loss of all a sum: the epilogue. Here the forward part ends.",
)
HEAD_BACKWARD = (
    group(
        "backward",
        "classes, data",
        "scores lse labels fc",
        "dmean",
        f"2 {BATCH} {FEATURES} {CLASSES}",
        "softmax - smoothed label is steps of the scores and of vectors: the operand. Spreading over the places leaves the"
        " index space, so the gradient of the mean is written.",
    ),
    group(
        "backward",
        "classes, weight",
        "scores lse labels mean",
        "dfc dbias",
        f"2 {BATCH} {FEATURES} {CLASSES}",
        "The bias is a line of the weight that meets ones.",
    ),
    group(
        "backward",
        "sums of the last norm",
        f"dmean {LAST.mask} {LAST.ends[0]}",
        LAST.ends[1],
        why="e3 = dmean / 49 where a' > 0 is made anew from a vector and bits wherever it is needed. Both sums: a pass.",
    ),
)
STEM_BACKWARD = (
    group(
        "backward",
        "sums of norm 0",
        f"dpooled {normed('0')}",
        "dbn_0",
        why="Which place of a window was the largest is found again from z: an index would be 4 bytes, z is needed anyway. What"
        " comes to z is not written, as z / 4 of dpooled is less to read again.",
    ),
    group("backward", "pool and norm 0, gradient", f"dpooled {normed('0')} dbn_0", "dz_0", why="Waits for the sums."),
    group("backward", "conv 0, weight", "dz_0 pictures", "dW_0", STEM.operations, "The pictures need no gradient."),
)


def comes(b: Block) -> str:
    """e3 of a block, or what it is made of."""
    return f"dmean {b.mask}" if b is LAST else f"e_{b.name}"


def data(c: Convolution, epilogue: str, writes: str) -> Group:
    """The gradient of what c convolved."""
    return group("backward", f"conv {c.name}, data", f"dz_{c.name} W_{c.name} {epilogue}", writes, c.operations)


def weight(c: Convolution, operand: str) -> Group:
    """The gradient of c's weight, in f32."""
    return group("backward", f"conv {c.name}, weight", f"dz_{c.name} {operand}", f"dW_{c.name}", c.operations)


def norm_back(c: Convolution) -> Group:
    """dz of bn1 or bn2."""
    return group("backward", f"norm {c.name}, gradient", f"e_{c.name} {normed(c.name)} dbn_{c.name}", f"dz_{c.name}")


def end_back(b: Block) -> Group:
    """dz3, and dzp in the same pass, as they share e3."""
    made = f"dz_{b.conv3.name}" + (f" dz_{b.projection.name}" if b.projection else "")
    return group("backward", f"norm {b.conv3.name}, gradient", f"{comes(b)} {b.ends[0]} {b.ends[1]}", made)


def block_backward(b: Block, before: Block | None) -> Iterator[Group]:
    """From e3 to e3 of the block before, whose mask and sums are the epilogue of what gives it."""
    yield end_back(b)
    for c, inner in ((b.conv3, b.conv2), (b.conv2, b.conv1)):
        yield data(c, normed(inner.name), f"e_{inner.name} dbn_{inner.name}")
        yield weight(c, normed(inner.name))
        yield norm_back(inner)
    epilogue = "" if b.projection else comes(b)
    if before:
        first = data(b.conv1, f"{epilogue} {before.ends[0]} {before.mask}", f"e_{before.name} {before.ends[1]}")
    else:
        first = data(b.conv1, epilogue, "dpooled")
    second = data(b.projection, "", "") if b.projection else None
    yield together(first, second) if second else first
    yield from first_weights(b)


def first_weights(b: Block) -> Iterator[Group]:
    """The gradients of the weights of conv1 and of the projection: one product if they have the same rows."""
    own = weight(b.conv1, b.a)
    if b.projection is None:
        yield own
    elif b.share:
        yield together(own, weight(b.projection, b.a))
    else:
        yield own
        yield weight(b.projection, f"part_of_{b.a}")


def fused() -> Step:
    """The least bytes under the rule."""
    forward = [
        convolve(STEM, "pictures"),
        group("forward", "pool", normed("0"), "pooled", why="Windows: a pass; relu(bn0(z0)) is made within."),
        *(g for b in BLOCKS for g in block_forward(b)),
        HEAD_FORWARD,
    ]
    backward = [*HEAD_BACKWARD]
    for b, before in zip(reversed(BLOCKS), [*reversed(BLOCKS[:-1]), None], strict=True):
        backward += block_backward(b, before)
    return Step({}, tensors(), GIVEN, RESULTS, (*forward, *backward, *STEM_BACKWARD), WEIGHTS)


def everywhere(width: str, blocks: list[Block]) -> str:
    """So many bytes a number of what comes into each of these blocks."""
    sides = ((b.conv1.side, b.conv1.inputs) for b in blocks)
    return " + ".join(f"{width} {BATCH} {side} {side} {inputs}" for side, inputs in sides)


IDENTITY = [b for b in BLOCKS if not b.projection]
STRIDED = [b for b in BLOCKS if b.projection and not b.share]
POOLED, LAST_SUM = f"2 {BATCH} 56 56 64", f"2 {LAST.result}"
READINGS = {
    "where the shortcut is a itself, relu's mask comes from a' (in the last block, where it is not written, from z3 and a)": (
        f"{everywhere('2', IDENTITY)} + {everywhere('-1/4', IDENTITY)} + 3 {LAST_SUM} + -1/4 {LAST.result}"
    ),
    "projections at stride 2 read all of a, not the quarter that they use": everywhere("2 2 3/4", STRIDED),
    "projections at stride 2 are one product with conv1, forwards and of the weights": everywhere("-1 2 2 1/4", STRIDED),
    "what a projection at stride 2 gives back is a product apart, added in the epilogue of conv1, data": (
        everywhere("2 2 1/4", STRIDED)
    ),
    "the projection at stride 1 is a product apart from conv1, forwards and of the weights": f"2 {POOLED}",
    "what the pool gives back is written by the pass of the sums, and read by the next": f"2 2 {STEM.result} + -1 {POOLED}",
    "the pool keeps z where it was largest; of it conv1 makes its operand, and the epilogue of its gradient the sums of"
    " norm 0: a sum over places rewritten as one over windows": f"-1 2 {STEM.result}",
    "the last a' is written, and its mean a pass apart": f"2 {LAST_SUM}",
    "sums of the last norm with dmean taken out of the sum over places": f"-1 {LAST_SUM} + -1/8 {LAST.result}",
}
"""What other readings of the rule add to the bytes of forward and backward together."""
