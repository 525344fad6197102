"""Cross-modal pooling, by hand.

N clips of C channels and A places (frames, lines, columns). Two convolutions of 27 taps give S channels at B places, then D
channels at P places, the tokens; the text has L words of width Q. R = N P tokens in all, J heads of H numbers, K groups of
channels in the norms.

    z1 = conv(video);  z2 = conv(relu(norm(z1)))             group norms: a mean and a deviation for each clip and group
    t = relu(norm(z2)) Wp + bp                               [R, D]
    q = t Wq + bq;  k = text Wk;  v = text Wv + bv           [R, D], [N L, D]
    r = attention(q, k, v) where the mask says there is a word
    a = norm(r Wo + t) = n * gamma + beta                    a layer norm; n is the normed row before scale and shift
    qs = seed Uq + cq;  ks = a Uk;  vs = a Uv + cv           [D], [R, D], [R, D]
    b = attention of the one query qs over each clip's tokens  [N, D]
    y = norm(b Uo + seed) = m * gamma + beta

and backwards from dy to all parameters; the video and the text need no gradient.

Layer norms are kept as the normed rows n: a is then steps of one tensor, and so an operand, and is not written; the gradient
needs n and the deviations of the rows. Attention keeps nothing: its gradient makes the scores again and has whole rows, so that
both the sum of a row's exponentials and the sum of p dp are functions of its rows; neither result nor log-sum-exp is read.

A bias is one more line of a weight, met by a column of ones; its gradient so comes with the weight's, from the operand there.
"""

from __future__ import annotations

from dataclasses import replace

from second_counting import Group, Step

DIMS = {
    "N": 64,
    "C": 64,
    "A": 8 * 28 * 28,
    "S": 128,
    "B": 4 * 14 * 14,
    "D": 256,
    "P": 4 * 7 * 7,
    "L": 32,
    "Q": 256,
    "K": 8,
    "J": 8,
    "H": 32,
    "R": 64 * 4 * 7 * 7,
}

WEIGHTS = {
    "W1": "2 27 C S",
    "W2": "2 27 S D",
    "gn1": "2 2 S",
    "gn2": "2 2 D",
    "Wp": "2 D D",
    "bp": "2 D",
    "Wq": "2 D D",
    "bq": "2 D",
    "Wk": "2 Q D",
    "Wv": "2 Q D",
    "bv": "2 D",
    "Wo": "2 D D",
    "ln1": "2 2 D",
    "seed": "2 D",
    "Uq": "2 D D",
    "cq": "2 D",
    "Uk": "2 D D",
    "Uv": "2 D D",
    "cv": "2 D",
    "Uo": "2 D D",
    "ln2": "2 2 D",
}
"""gn1, gn2, ln1, ln2: scale and shift of a norm."""

ROWS = ("t", "q", "r", "ks", "vs", "dks", "dvs", "ds", "dr", "dq", "dt")
TENSORS = {
    **WEIGHTS,
    **{f"d{name}": size for name, size in WEIGHTS.items()},
    **dict.fromkeys(ROWS, "2 R D"),
    **dict.fromkeys(("z1", "dn1", "dz1"), "2 N B S"),
    **dict.fromkeys(("z2", "dn2", "dz2"), "2 R D"),
    **dict.fromkeys(("stat1", "stat2", "back1", "back2"), "4 2 N K"),
    **dict.fromkeys(("k", "v", "dk", "dv"), "2 N L D"),
    **dict.fromkeys(("b", "db", "m", "y", "dy", "dm"), "2 N D"),
    **dict.fromkeys(("qs", "dqs"), "2 D"),
    "video": "2 N C A",
    "text": "2 N L Q",
    "mask": "1/8 N L",
    "dev2": "4 N",
    "dseed1": "4 D",
}
"""stat1, stat2: the sums of a clip's group that give its mean and deviation; back1, back2: those of its gradient."""
FUSED = {"n": "2 R D", "dev1": "4 R"}

GIVEN = f"video text mask dy {' '.join(WEIGHTS)}"
RESULTS = f"y {' '.join(f'd{name}' for name in WEIGHTS)}"

CONV1 = "2 N B S C 27"
CONV2 = "2 R D S 27"
LINEAR = "2 R D D"
WORDS = "2 2 N L Q D"
SCORES = "N J P L H"
POOL = "N J P H"


def linear(name: str, reads: str, writes: str, operations: str, why: str = "") -> Group:
    """A product of the forward part."""
    return Group("forward", name, reads, writes, operations, why)


def back(name: str, reads: str, writes: str, operations: str = "0", why: str = "") -> Group:
    """A group of the backward part."""
    return Group("backward", name, reads, writes, operations, why)


# The parts that fusion does not change.
TEXT = linear("keys and values of words", "text Wk Wv bv", "k v", WORDS, "One product: they share the text.")
READ = linear("attention to words", "q k v mask", "r", f"2 2 {SCORES}", "Two products; scores stay within; r is kept for dWo.")
SEED = linear("query of the seed", "seed Uq cq", "qs", "2 D D")
ASK = linear("attention of the seed", "qs ks vs", "b", f"2 2 {POOL}")
SEED_NORM_BACK = back(
    "norm of the result, gradient",
    "dy m dev2 ln2",
    "dm dln2 dseed1",
    why="dy and m are two tensors before a product: a pass. The seed is a bias: the first part of its gradient is a sum.",
)
OUT2_BACK = back("out of the seed, data", "dm Uo", "db", "2 N D D")
OUT2_WEIGHT = back("out of the seed, weight", "dm b", "dUo", "2 N D D")
ASK_BACK = back(
    "attention of the seed, gradient",
    "qs ks vs db",
    "dqs dks dvs",
    f"5 2 {POOL}",
    "Five products, as of any attention: scores, dp, dvs, dks, dqs. dks = dscore qs and dvs = p db are products though only one"
    " query is summed over, so they are written and not made anew in operands.",
)
SEED_BACK = back("query of the seed, data", "dqs Uq dseed1", "dseed", "2 D D", "The first part is added.")
SEED_WEIGHT = back("query of the seed, weight", "dqs seed", "dUq dcq", "2 D D")
OUT1_BACK = back("out of words, data", "ds Wo", "dr", LINEAR)
OUT1_WEIGHT = back("out of words, weight", "ds r", "dWo", LINEAR)
READ_BACK = back("attention to words, gradient", "q k v mask dr", "dq dk dv", f"5 2 {SCORES}", "No result and no log-sum-exp.")
QUERY_WEIGHT = back("query, weight", "dq t", "dWq dbq", LINEAR)
TEXT_WEIGHT = back("keys and values of words, weight", "dk dv text", "dWk dWv dbv", WORDS, "They share the text and its rows.")
CONV1_WEIGHT = back("conv1, weight", "dz1 video", "dW1", CONV1, "The whole gradient of the video's convolution.")
NORM2_BACK = back("norm 2, gradient", "dn2 z2 stat2 back2 gn2", "dz2", why="Two tensors before a product: a pass.")
NORM1_BACK = back("norm 1, gradient", "dn1 z1 stat1 back1 gn1", "dz1", why="As norm 2.")
SEED_PART = (SEED_NORM_BACK, OUT2_BACK, OUT2_WEIGHT, ASK_BACK, SEED_BACK, SEED_WEIGHT)


def fused() -> Step:
    """The least bytes under the rule."""
    forward = (
        linear("conv1", "video W1", "z1 stat1", CONV1, "Windows of 3 at stride 2 touch the whole video. Sums in the epilogue."),
        linear("conv2", "z1 stat1 gn1 W2", "z2 stat2", CONV2, "relu(norm(z1)) is steps of z1 and vectors: the operand."),
        linear("project", "z2 stat2 gn2 Wp bp", "t", LINEAR, "relu(norm(z2)) is the operand, the tokens a view."),
        linear("query", "t Wq bq", "q", LINEAR),
        TEXT,
        READ,
        linear("out of words", "r Wo t", "n dev1", LINEAR, "t is added and the row normed in the epilogue; a is not written."),
        SEED,
        linear("keys and values of tokens", "n ln1 Uk Uv cv", "ks vs", "2 2 R D D", "They share a, steps of n."),
        ASK,
        linear("out of the seed", "b Uo seed ln2", "y m dev2", "2 N D D", "The norm is of a row: the epilogue."),
    )
    backward = (
        *SEED_PART,
        back(
            "keys and values of tokens, data",
            "dks dvs Uk Uv n dev1 ln1",
            "ds dln1",
            "2 2 R D D",
            "Only added: one product. The layer norm's gradient is of a row, in the epilogue; dln1 are sums over rows.",
        ),
        back("keys and values of tokens, weight", "dks dvs n ln1", "dUk dUv dcv", "2 2 R D D", "They share a and its rows."),
        OUT1_BACK,
        OUT1_WEIGHT,
        READ_BACK,
        back("query, data", "dq Wq ds", "dt", LINEAR, "What the sum of norm(r Wo + t) gives to t is added in the epilogue."),
        QUERY_WEIGHT,
        TEXT_WEIGHT,
        back("project, data", "dt Wp z2 stat2 gn2", "dn2 back2 dgn2", LINEAR, "relu's mask from z2; all sums of norm 2."),
        back("project, weight", "dt z2 stat2 gn2", "dWp dbp", LINEAR),
        NORM2_BACK,
        back("conv2, data", "dz2 W2 z1 stat1 gn1", "dn1 back1 dgn1", CONV2, "As project, data."),
        back("conv2, weight", "dz2 z1 stat1 gn1", "dW2", CONV2),
        NORM1_BACK,
        CONV1_WEIGHT,
    )
    return Step(DIMS, TENSORS | FUSED, GIVEN, RESULTS, forward + backward, " ".join(WEIGHTS))


def biased(product: Group, bias: str, *, strict: bool) -> tuple[Group, ...]:
    """A product and its bias, in one group or, if `strict`, in two; then what the product gives is named with a 0."""
    if not strict:
        return (replace(product, reads=f"{product.reads} {bias}"),)
    *others, result = product.writes.split()
    added = linear(f"{product.name}, bias", f"{result}0 {bias}", result, "0")
    return replace(product, writes=" ".join([*others, f"{result}0"])), added


def bias_gradient(product: Group, bias: str, operand: str, *, strict: bool) -> tuple[Group, ...]:
    """A product of a weight's gradient and the bias's gradient, in one group or, if `strict`, in two."""
    if not strict:
        return (replace(product, writes=f"{product.writes} d{bias}"),)
    return product, back(f"{product.name}, bias", operand, f"d{bias}")


def unfused(*, strict: bool) -> Step:
    """No prologue and no epilogue. A product has its bias by itself, unless `strict`: then it is added in a pass, and its
    gradient is a pass, too. The layer norms keep nothing: their gradient reads again what was normed, which is less."""
    forward = (
        linear("conv1", "video W1", "z1", CONV1),
        linear("sums of z1", "z1", "stat1", "0"),
        linear("norm 1", "z1 stat1 gn1", "f1", "0", "With relu; kept for the weight's gradient, as f2."),
        linear("conv2", "f1 W2", "z2", CONV2),
        linear("sums of z2", "z2", "stat2", "0"),
        linear("norm 2", "z2 stat2 gn2", "f2", "0"),
        *biased(linear("project", "f2 Wp", "t", LINEAR), "bp", strict=strict),
        *biased(linear("query", "t Wq", "q", LINEAR), "bq", strict=strict),
        *biased(linear("keys and values of words", "text Wk Wv", "k v", WORDS), "bv", strict=strict),
        READ,
        linear("out of words", "r Wo", "o", LINEAR),
        linear("add and norm", "o t ln1", "a", "0"),
        *biased(linear("query of the seed", "seed Uq", "qs", "2 D D"), "cq", strict=strict),
        *biased(linear("keys and values of tokens", "a Uk Uv", "ks vs", "2 2 R D D"), "cv", strict=strict),
        ASK,
        *biased(linear("out of the seed", "b Uo", "s", "2 N D D"), "seed", strict=strict),
        linear("norm of the result", "s ln2", "y", "0"),
    )
    backward = (
        back("norm of the result, gradient", "dy s ln2", "dm dln2 dseed1"),
        OUT2_BACK,
        OUT2_WEIGHT,
        ASK_BACK,
        back("query of the seed, data", "dqs Uq", "dseed2", "2 D D"),
        back("sum of the seed", "dseed1 dseed2", "dseed"),
        *bias_gradient(back("query of the seed, weight", "dqs seed", "dUq", "2 D D"), "cq", "dqs", strict=strict),
        back("keys and values of tokens, data", "dks dvs Uk Uv", "da", "2 2 R D D"),
        back("add and norm, gradient", "da o t ln1", "ds dln1"),
        *bias_gradient(
            back("keys and values of tokens, weight", "dks dvs a", "dUk dUv", "2 2 R D D"), "cv", "dvs", strict=strict
        ),
        OUT1_BACK,
        OUT1_WEIGHT,
        READ_BACK,
        back("query, data", "dq Wq", "dt0", LINEAR),
        back("sum of the tokens", "dt0 ds", "dt dbp", why="The bias's gradient is a sum that this pass has in hand."),
        *bias_gradient(back("query, weight", "dq t", "dWq", LINEAR), "bq", "dq", strict=strict),
        *bias_gradient(back("keys and values of words, weight", "dk dv text", "dWk dWv", WORDS), "bv", "dv", strict=strict),
        back("project, data", "dt Wp", "dn2", LINEAR),
        back("sums of norm 2", "dn2 z2 stat2 gn2", "back2 dgn2"),
        back("project, weight", "dt f2", "dWp", LINEAR),
        NORM2_BACK,
        back("conv2, data", "dz2 W2", "dn1", CONV2),
        back("sums of norm 1", "dn1 z1 stat1 gn1", "back1 dgn1"),
        back("conv2, weight", "dz2 f1", "dW2", CONV2),
        NORM1_BACK,
        CONV1_WEIGHT,
    )
    own = {**dict.fromkeys(("f2", "o", "a", "da", "t0", "q0", "vs0", "dt0"), "2 R D"), "f1": "2 N B S", "s": "2 N D"}
    own |= {"s0": "2 N D", "v0": "2 N L D", "qs0": "2 D", "dseed2": "4 D"}
    return Step(DIMS, TENSORS | own, GIVEN, RESULTS, forward + backward, " ".join(WEIGHTS))


READINGS = {
    "a is written beside n, and read in its place by the products": "2 R D",
    "the gradient of attention to words reads its result and the log-sum-exp of its rows, which is kept": "2 R D + 2 4 N J P",
    "r Wo + t is kept with the mean and the deviation of its rows, instead of n and the deviation": "4 4 R",
    "the seed's attention gives dscore and p, [N, J, P], and operands make dks = dscore qs and dvs = p db of these vectors": (
        "-3 2 2 R D + 3 2 2 N J P"
    ),
}
"""What other readings of the rule add to the bytes of forward and backward together."""
