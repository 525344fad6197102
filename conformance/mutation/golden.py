"""The golden kernels: operators at fixed sizes whose emitted text is kept in tests/golden/, read, run, and mutated.

Sizes leave no fault without effect: more tiles than a machine has cores, so that each core goes round its loop, and through
each of its buffers, more than once; more than a block's threads along a reduced axis; a last tile of one element (`add`, where
a thread has several: of one thread); windows that lie outside the picture, beside it, and more than a block of 32 bytes within
its padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uol.backends import registry
from uol.conformance.cases.memory_order import Arrangement
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.verdict import Case
from uol.ops.inputs import Kind, kinds
from uol.ops.workloads import Workload

_ATTENTION = {"B": 2, "H": 3, "G": 1, "L": 43, "M": 97, "D": 48, "E": 33}
_ATTENTION_OF_MANY = {"B": 8, "H": 12, "G": 4, "L": 27, "M": 81, "D": 25, "E": 19}
"""As many rows as it takes for a thread to own several; a D whose root is whole, so that maxima differ by exactly 1."""
_CAUSAL = {"B": 4, "H": 12, "G": 4, "L": 64, "M": 64, "D": 64, "E": 32}

_CAUSAL_IN_TILES = {"B": 2, "H": 2, "G": 1, "L": 134, "M": 127, "D": 64, "E": 48}
_BESIDE: dict[str, int | float] = {"pad_top": 6, "pad_bottom": 2, "pad_left": 3, "pad_right": 2, "stride_w": 2}
_TURNED = {"N": 2, "C": 8, "H": 9, "W": 6, "D": 72, "R": 27, "S": 4}
_MASKED = {"B": 2, "H": 4, "G": 2, "L": 27, "M": 251, "D": 64, "E": 48}
_MASKED_BACK = {**_MASKED, "L": 131}
_PADDED = {**_MASKED, "B": 3}
_TO_CACHE = {"B": 3, "H": 4, "G": 2, "L": 27, "C": 7, "N": 31, "P": 64, "D": 64, "E": 48}
_OF_PARTS = {"B": 1, "H": 6, "G": 1, "L": 1, "M": 1000, "D": 64, "E": 48}
_OF_FILTERS = ("_dw_sum_parts_kernel", "_dw_sum_kernel")

_DROPPED = {"seed": (5 << 32) + 7, "p": 0.30019205808639526}


@dataclass(frozen=True, slots=True)
class Golden:
    """An operator at its golden sizes, and the types whose kernels are mutated; the text in the first of them is kept.

    on_cores      the sizes for machines that have cores in the place of blocks of threads, where one size cannot fill both
    threads_only  is it a form of kernel that those machines do not have?
    further       of kernels of any size: other sizes, at which others of them are launched
    mutated       are its mutants judged, or is it read and run alone?
    kernels       the ends of the names of those kernels whose mutants are judged, where others are of forms that other golden
                  operators have
    deterministic   are its sums in one order from run to run?
    inputs        kinds of inputs on which mutants are judged beside those that the operator is checked on
    segments      how many rows a sorted index has of -1, of 0, of 1 and so on, in inputs beside all those: one tuple each
    text          the name of the kept text, where it is not that of the operator: another golden kernel is of the same
    arrangement   how its tensors lie
    """

    workload: Workload
    dtypes: tuple[str, ...]
    on_cores: Workload | None = None
    threads_only: bool = False
    further: tuple[Workload, ...] = ()
    deterministic: bool = False
    mutated: bool = True
    kernels: tuple[str, ...] = ("",)
    inputs: tuple[Kind, ...] = ()
    segments: tuple[tuple[int, ...], ...] = ()
    text: str = ""
    arrangement: Arrangement = "row-major"

    def on(self, target: str) -> Workload | None:
        """The sizes for a target; None where it has no such kernel."""
        if registry.get(target.partition(":")[0]).capability.max_threads > 1:
            return self.workload
        return None if self.threads_only else self.on_cores or self.workload

    def case(self, target: str, dtype: str, workload: Workload) -> Case:
        """Its kernels, on random inputs."""
        sizes: Sizes = "open" if self.further else "fixed"
        lies = self.arrangement
        return Case(self.op, target, dtype, workload, arrangement=lies, sizes=sizes, deterministic=self.deterministic)

    def has(self, case: Case) -> bool:
        """Is a case one of its own, on whatever inputs?"""
        workload = self.on(case.target)
        if workload is None or case.dtype not in self.dtypes:
            return False
        return case == replace(self.case(case.target, case.dtype, workload), inputs=case.inputs, seed=case.seed)

    @property
    def op(self) -> str:
        return self.workload.op


def _on_matrix_units(
    workload: Workload,
    text: str,
    dtype: str = "f16",
    *,
    inputs: tuple[Kind, ...] = (),
    segments: tuple[tuple[int, ...], ...] = (),
    kernels: tuple[str, ...] = ("",),
    mutated: bool = True,
    arrangement: Arrangement = "row-major",
) -> Golden:
    given = Golden(workload, (dtype,), threads_only=True, text=text, inputs=inputs, segments=segments, kernels=kernels)
    return replace(given, mutated=mutated, arrangement=arrangement)



def _convolution(
    op: str,
    sizes: str,
    attrs: dict[str, int | float],
    text: str,
    lies: Arrangement = "channels-last",
    *,
    kernels: tuple[str, ...] = ("",),
) -> Golden:
    """On matrix units, of `sizes` as N, C, H, W, O, R, S."""
    dims = dict(zip("NCHWORS", map(int, sizes.split()), strict=True))
    workload = Workload(op, {**dims, "D": dims["C"]}, attrs)
    return _on_matrix_units(workload, f"{text}_on_matrix_units", arrangement=lies, kernels=kernels)


GOLDEN = (
    Golden(Workload("add", {"S": (794632,)}), ("f32", "f16"), Workload("add", {"S": (794625,)})),
    Golden(Workload("relu", {"S": (794625,)}), ("f32", "f16")),
    Golden(Workload("softmax", {"S": (101,), "C": 333}), ("f32", "f16")),
    Golden(Workload("linear_relu", {"S": (257,), "N": 97, "K": 517}), ("f32", "f16")),
    Golden(
        Workload(
            "conv2d",
            {"N": 3, "C": 12, "H": 9, "W": 13, "O": 97, "D": 12, "R": 3, "S": 16},
            {"stride": 2, "pad_top": 2, "pad_bottom": 0, "pad_left": 17, "pad_right": 4},
        ),
        ("f32", "f16"),
    ),
    Golden(
        Workload(
            "max_pool2d",
            {"N": 1, "C": 53, "H": 2, "W": 11},
            {
                **{"kernel": 2, "kernel_w": 15, "stride": 1, "stride_w": 2},
                **{"pad_top": 1, "pad_bottom": 0, "pad_left": 10, "pad_right": 2},
            },
        ),
        ("f32", "f16"),
    ),
    Golden(Workload("matmul", {"S": (), "M": 97, "N": 113, "K": 389}), ("f16",)),
    # Several rows a block, and of a last block not all; vectors that a last turn has not all of.
    Golden(Workload("layer_norm", {"S": (866,), "C": 264}), ("f16",), Workload("layer_norm", {"S": (101,), "C": 333})),
    Golden(
        Workload("transpose", {"S": (3,), "M": 96, "N": 100}),
        ("f16",),
        Workload("transpose", {"S": (3,), "M": 84, "N": 100}),
    ),
    # Tiles by single elements, in several turns; of a last tile not all, on either side.
    Golden(Workload("transpose", {"S": (3,), "M": 97, "N": 67}), ("f32",), threads_only=True, text="transpose_by_elements"),
    Golden(Workload("embedding", {"S": (389,), "N": 53, "D": 88}), ("f16",)),
    # Few long rows, a running fold of each in parts, and a rest; two positions a thread; of a last turn not all.
    Golden(Workload("cumsum", {"S": (3,), "N": 70006}), ("f32",), Workload("cumsum", {"S": (5,), "N": 333})),
    Golden(Workload("attention", _ATTENTION_OF_MANY), ("f16",), Workload("attention", _ATTENTION)),
    # Scores that depend on the place of a row, by threads; whole tiles and steps. The root of D is whole, as above. On matrix
    # units: rows and keys beyond whole tiles, tiles that no row of a block sees, one that some do, and as many before as fill
    # each stage twice. A mask of which some rows are empty, and more keys, for heads that share them.
    _on_matrix_units(Workload("causal_attention", _CAUSAL_IN_TILES), ""),
    _on_matrix_units(Workload("masked_attention", _MASKED), ""),
    # Not mutated: beside the masked one it has another line where a score is made, whose mutants are of that line alone.
    _on_matrix_units(Workload("biased_attention", _MASKED), "", mutated=False),
    # Not mutated either: tiles before a window, behind a length, by a table of pages, and weights that are left out. What is
    # theirs alone has faults planted by hand: `test_sliding_windows`, `test_key_lengths`, `planted_faults`.
    _on_matrix_units(Workload("sliding_attention", {**_CAUSAL_IN_TILES, "M": 291}, {"window": 70}), "", mutated=False),
    _on_matrix_units(Workload("padded_attention", _PADDED), "", mutated=False),
    _on_matrix_units(Workload("paged_attention", _TO_CACHE), "", mutated=False),
    _on_matrix_units(Workload("paged_attention", {**_TO_CACHE, "P": 16}), "attention_of_small_pages", mutated=False),
    _on_matrix_units(Workload("dropout_attention", _CAUSAL_IN_TILES, {**_DROPPED, "causal": 1}), "", mutated=False),
    # Gradients: as many tiles of keys, and of queries, as fill each stage twice; the mask leaves some rows empty.
    _on_matrix_units(Workload("masked_attention_grad", _MASKED_BACK), "", kernels=("_dq_sum_kernel", "_dk_sum_kernel")),
    # One query, and many keys in parts. What merges the parts is judged: they are attentions of their own, beside where they
    # end; `test_split_attention` plants faults there by hand.
    _on_matrix_units(Workload("masked_attention", _OF_PARTS), "attention_of_parts", kernels=("_attention_kernel",)),
    Golden(Workload("causal_attention", _CAUSAL), ("f32",), threads_only=True, text="causal_attention_by_threads"),
    Golden(Workload("attention_grad", _ATTENTION_OF_MANY), ("f16",), Workload("attention_grad", _ATTENTION)),
    # Products side by side, of whole tiles.
    Golden(Workload("batched_matmul", {"B": 3, "M": 128, "K": 69, "N": 128}), ("f16",), threads_only=True),
    # Few rows: several turns along the terms, of the last not all; of a last block not all columns. Terms, and columns, side by
    # side, by threads; and by matrix units, in two fragments of rows. A deep product as sums of parts of its terms.
    Golden(Workload("linear_gelu", {"S": (3,), "N": 45, "K": 2072}), ("f16",), threads_only=True),
    Golden(Workload("matmul_add", {"S": (2,), "M": 3, "K": 1301, "N": 76}), ("f32",), threads_only=True),
    Golden(Workload("linear", {"S": (13,), "N": 365, "K": 328}), ("f16",), threads_only=True, text="linear_of_few_rows"),
    Golden(
        Workload("batched_matmul", {"B": 2, "M": 13, "K": 328, "N": 76}), ("f16",), threads_only=True, text="matmul_of_few_rows"
    ),
    Golden(Workload("matmul", {"S": (), "M": 40, "K": 1560, "N": 37}), ("f16",), threads_only=True, text="matmul_of_parts"),
    # On matrix units: rows and columns beyond whole tiles, a first tile of terms that is partial, each stage filled more than
    # once; factors in f32.
    _on_matrix_units(Workload("matmul", {"S": (), "M": 40, "K": 344, "N": 72}), "matmul_on_matrix_units"),
    _on_matrix_units(Workload("matmul", {"S": (), "M": 40, "K": 344, "N": 72}), "matmul_of_f32_on_matrix_units", "f32"),
    # Rows of segments, in several tiles, of the last not all; some of no segment.
    _on_matrix_units(Workload("grouped_matmul", {"M": 205, "D": 344, "E": 3, "F": 72}), "grouped_matmul_on_matrix_units"),
    # Rows of segments, and sums over the terms of each: of one tile of terms, two, and more than there are stages. The segments
    # are of three tiles less one row, where a tile more would begin inside; of one whole tile; of no row; and the last one
    # ends with the last row, behind which nothing may be read.
    _on_matrix_units(
        Workload("grouped_matmul_grad", {"M": 600, "D": 40, "E": 5, "F": 280}),
        "grouped_matmul_grad_on_matrix_units",
        inputs=("uneven",),
        segments=((20, 191, 64, 0, 62, 263),),
    ),
    # One factor in f32 and one of 16 bits, along k and from row to row. Sums of infinities, which matrix units make NaN: the
    # kernel adds them again, from 0.
    _on_matrix_units(Workload("moe_scores_grad", {"N": 280, "D": 40, "E": 280}), "", inputs=("special", "sunk")),
    # The sum of two products by the matrices of a row's segment, and terms whose rows data names: each fills its stages more
    # than once. Of the sums over terms one is judged, for the other has the same text but for its names. The last term of a
    # segment of four tiles is in the one whose rows are looked up last in front of the loop.
    _on_matrix_units(
        Workload("moe_swiglu_grad", {"N": 40, "M": 600, "D": 40, "E": 5, "F": 344}),
        "moe_swiglu_grad_on_matrix_units",
        inputs=("uneven",),
        segments=((20, 191, 64, 0, 62, 263), (0, 70, 1, 250, 150, 129)),
        kernels=("_dr_sum2_kernel", "_dgate_sum_kernel"),
    ),
    # Convolutions with channels last: rows of three pictures, columns and channels beyond whole tiles, pixels on every side of
    # which windows reach beyond the picture, a first tile of terms that is partial, each stage filled more than once. Windows
    # are high, and channels few, so that every tile of terms has several lines of a window, and as much lies beside the picture
    # that each of the first lines is there for some pixels alone: of one line in the tiles before the loop, a fifteenth of the
    # mutants would change nothing.
    _convolution("conv2d", "3 8 21 7 72 23 3", _BESIDE, "conv2d"),
    # The data gradient of a stride: a product for each residue, of windows of their own. One of them is judged: the other has
    # the same text but for where windows begin, and ends before the filter does. Channels are few, so that a tile of terms has
    # several lines of a window, of which each is beside the picture for some pixels.
    _on_matrix_units(
        Workload("conv_transpose2d", _TURNED, {"pad_top": 8, "pad_bottom": 8, "pad_left": 1, "stride_w": 2}),
        "data_gradient_by_residues",
        kernels=("_at_0_kernel",),
        arrangement="channels-last",
    ),
    # The gradient of filters in parts of the pixels, which are added up in order; of each part more tiles than there are
    # stages. Pictures are small, so that a tile has several of them. The data gradient beside it has the form of the one above.
    _convolution("conv2d_grad", "26 16 15 5 24 9 2", {"pad": 1}, "conv2d_grad", kernels=_OF_FILTERS),
    # A model's first layer, whose three channels become four by a copy with the zeros beside the picture.
    _convolution("conv2d", "2 3 41 21 72 21 5", {"pad": 2, "stride": 2}, "stem"),
    # Pictures whose channels are not last, and filters as PyTorch has them, each by a copy.
    _convolution("conv2d", "2 56 5 5 72 3 3", {"pad": 1}, "conv2d_by_copies", "row-major"),
    Golden(Workload("grouped_matmul", {"M": 97, "D": 69, "E": 3, "F": 53}), ("f16",)),
    Golden(Workload("scatter_add", {"N": 389, "D": 53}, {"places": 97}), ("f32",)),
    Golden(
        Workload("topk", {"S": (5,), "C": 261}, {"top": 11}),
        ("f16",),
        # As many rows that the last of them has its largest element last, among the inputs with infinities.
        Workload("topk", {"S": (161,), "C": 131}, {"top": 5}),
    ),
    # The first places as extrema, one after another, of what is left.
    Golden(Workload("topk", {"S": (165,), "C": 131}, {"top": 3}), ("f16",), threads_only=True, text="topk_of_few"),
    # Counted keys of several blocks, of the last not all, more than a block has threads; how many there are of each.
    Golden(Workload("moe_dispatch", {"M": 2051}, {"experts": 397, "top": 4}), ("f32",), threads_only=True),
    # Seven tiles of a row, of the last not all: merges of two of them, of one alone, and of runs of which one is short.
    Golden(Workload("argsort", {"S": (4,), "C": 14335}), ("f32",), threads_only=True),
    # Several points a thread, and of a last block not all.
    Golden(Workload("weighted_bincount", {"N": 20011}, {"bins": 1201}), ("f32",), threads_only=True),
    # A running fold of any length: short, and long; four positions a thread, and one; of a last turn not all.
    Golden(
        Workload("cummax", {"S": (5,), "N": 1324}),
        ("f32",),
        threads_only=True,
        further=tuple(Workload("cummax", {"S": (5,), "N": size}) for size in (332, 333, 1325)),
    ),
    # A mean of any length: by a block, and in parts, of which the last is shorter and some are empty; four elements at once,
    # two, and one. Not mutated: every thread of a block has its sum, so that it does not matter which of them writes it, and
    # parts of many lengths cover a row.
    Golden(
        Workload("mse_loss", {"S": (1300,)}),
        ("f32",),
        threads_only=True,
        further=tuple(Workload("mse_loss", {"S": (size,)}) for size in (1302, 1301, 33000, 33002, 33001)),
        mutated=False,
    ),
    # Many terms for one place, few, and none; more places than a block has threads.
    Golden(
        Workload("scatter_add", {"N": 389, "D": 7}, {"places": 97}),
        ("f32",),
        threads_only=True,
        deterministic=True,
        text="in_one_order_scatter_add",
    ),
    # Windows that overlap and lie beside the picture, picked from vectors by four rows a thread; of a last block not all.
    Golden(
        Workload("avg_pool2d", {"N": 9, "C": 12, "H": 15, "W": 160}, {"kernel": 3, "stride": 2, "pad": 1}),
        ("f32",),
        threads_only=True,
    ),
    # Elements of two lines by turns, picked from a vector of each; of a last block not all.
    Golden(Workload("pixel_shuffle", {"N": 5, "C": 12, "H": 5, "W": 44}, {"factor": 2}), ("f32",), threads_only=True),
    # Steps of a recurrence, composed: several positions a thread; of a last turn not all.
    Golden(Workload("linear_recurrence", {"S": (5,), "N": 1324}), ("f32",), threads_only=True),
    # More elements wanted than a tile has: merges of two runs that go no further than those, to half of a last tile; of the
    # last two runs one is short.
    Golden(Workload("topk", {"S": (3,), "C": 6500}, {"top": 3072}), ("f32",), threads_only=True, text="topk_of_many"),
    # As many wanted as a tile has, of rows of two: one merge a row, of no rest.
    Golden(Workload("topk", {"S": (8,), "C": 4096}, {"top": 2048}), ("f32",), threads_only=True, text="topk_of_a_tile"),
    # Places of the greatest, of few long rows in parts, of which the last is shorter.
    Golden(Workload("argmax", {"S": (3,), "C": 70001}), ("f32",), threads_only=True),
    # Short rows, of which a block has so many that they come to shared memory in whole vectors first.
    Golden(Workload("global_avg_pool2d", {"N": 48, "C": 74, "H": 7, "W": 7}), ("f32",), threads_only=True),
    # Windows side by side, each read once, in vectors; of a last block not all.
    Golden(Workload("max_pool1d", {"N": 9, "C": 13, "W": 488}, {"kernel": 2, "stride": 2}), ("f32",), threads_only=True),
    # Elements of either of two tensors, and of one or of none: what a whole vector is asked for. Of a last block
    # not all, and whole blocks alone.
    Golden(Workload("concat_2", {"N0": 1228, "N1": 96, "S": ()}), ("f32",), threads_only=True),
    Golden(Workload("pad1d", {"S": (64,), "W": 52}, {"left": 4, "right": 8}), ("f32",), threads_only=True),
    # Elements of any number: four at once, and one.
    Golden(Workload("silu", {"S": (1324,)}), ("f32",), threads_only=True, further=(Workload("silu", {"S": (1325,)}),)),
    # Sums of columns over blocks, in parts of which the last is shorter, two columns a thread, of a last block not all; and
    # rows kept in two turns of vectors, the last of one vector.
    Golden(Workload("rms_norm_grad", {"S": (1009,), "C": 1028}), ("f32",), threads_only=True),
    # Few long rows, a fold of each in parts, of which the last is shorter.
    Golden(Workload("vector_norm", {"S": (3,), "C": 70001}), ("f32",), threads_only=True),
    # A search for each thread; of a last block not all.
    Golden(Workload("searchsorted", {"E": 301, "S": (1021,)}), ("f32",), threads_only=True),
    # A seed of two words, and as many elements that those of a thread draw all words of a block of random bits. The probability
    # is what element 1134 draws: `>=` and `>` differ there.
    Golden(
        Workload("dropout", {"S": (397308,)}, _DROPPED),
        ("f32",),
        Workload("dropout", {"S": (397313,)}, _DROPPED),
    ),
)
"""In the order in which they are mutated."""


def cases_of_sizes(case: Case) -> tuple[Case, ...]:
    """A golden case at each of its sizes, which have one text; another case as it is."""
    further = (each for golden in GOLDEN if golden.has(case) for each in golden.further)
    return (case, *(replace(case, workload=each) for each in further))


def judged_on(case: Case) -> tuple[Case, ...]:
    """A golden case on each kind of inputs, at each of its sizes."""
    further = [kind for golden in GOLDEN if golden.has(case) for kind in golden.inputs]
    return tuple(replace(each, inputs=kind) for kind in (*kinds(case.op), *further) for each in cases_of_sizes(case))


def text_of(case: Case) -> str:
    """The name of a golden case's kept text."""
    return next(golden.text or golden.op for golden in GOLDEN if golden.has(case))


def segments_of(case: Case) -> tuple[tuple[int, ...], ...]:
    """The segments that a golden case is judged on besides, one tuple for each time; none of most."""
    return next((golden.segments for golden in GOLDEN if golden.has(case)), ())


def is_judged(case: Case, kernel: str) -> bool:
    """Are the mutants judged that a golden case has in one of its kernels?"""
    return kernel.endswith(next((golden.kernels for golden in GOLDEN if golden.has(case)), ("",)))


def golden_cases(targets: Sequence[str], dtypes: Sequence[str] = ("f32", "f16")) -> tuple[Case, ...]:
    """The kernels whose texts are kept, in those of `dtypes` that each is golden in."""
    return _cases(targets, dtypes, GOLDEN)


def mutated_cases(targets: Sequence[str], dtypes: Sequence[str] = ("f32", "f16")) -> tuple[Case, ...]:
    """Those whose mutants are judged."""
    return _cases(targets, dtypes, [golden for golden in GOLDEN if golden.mutated])


def _cases(targets: Sequence[str], dtypes: Sequence[str], chosen: Sequence[Golden]) -> tuple[Case, ...]:
    return tuple(
        golden.case(target, dtype, workload)
        for target in targets
        for golden in chosen
        if (workload := golden.on(target)) is not None
        for dtype in dtypes
        if dtype in golden.dtypes
    )
