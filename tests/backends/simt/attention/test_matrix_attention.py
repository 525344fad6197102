"""Attention on matrix units in the twin: beside PyTorch in float64, within what rounding weights to the type of values loses.

A weight is rounded once, by u of itself or half the least subnormal number; a result once more. Beside that f32 is exact
enough: the bound is the sum of these, with one part in 2^17 of the sum of |p v| for sums, exponentials and quotients in f32.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
import torch
from attention_bounds import may_be_lost, with_fault
from simt_cases import widened

from uol.backends import registry
from uol.backends.simt.attention.matrix.counts import matrix_attention_counts
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.matrix.scores import left_operand
from uol.backends.simt.attention.schedule import RowTile
from uol.backends.simt.c_text.address import value_of
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.machine.fragments import UNITS
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Kernel, Module, Refusal
from uol.codegen.cost import middle
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention
from uol.conformance.cases.memory_order import all_laid_out
from uol.conformance.counts import compare
from uol.ir import Library, instantiate
from uol.ir.gradients.residuals import saving_operator
from uol.ir.program.dtype_encoding import decode, encode
from uol.ir.program.nodes import Const
from uol.operators.registry import catalogue, find_operator

Arrays = dict[str, Array]
BIG, EIGHT, SMALL, WIDE = MatrixRows(128, 64, 4), MatrixRows(128, 64, 8), MatrixRows(16, 32, 1), MatrixRows(64, 32, 4)


@dataclass(frozen=True)
class Case:
    """B, H, G, L, M, D, E of an attention, and how it lies on warps. `great`: what scores are multiplied by, about; `shift`: of
    where tensors begin; `fixed`: the dims that are no arguments."""

    op: str
    sizes: tuple[int, int, int, int, int, int, int]
    tile: MatrixRows = WIDE
    dtype: str = "f16"
    great: float = 1.0
    shift: int = 0
    fixed: str = "BHGLMDE"
    target: str = field(default="cuda")

    @property
    def dims(self) -> dict[str, int]:
        return dict(zip("BHGLMDE", self.sizes, strict=True))

    @property
    def name(self) -> str:
        sizes, tile = "x".join(map(str, self.sizes)), f"{self.tile.rows}x{self.tile.cols}"
        return f"{self.target}-{self.op}-{sizes}-{tile}-{self.dtype}-{self.great:g}-{self.shift}-{self.fixed}"


CASES = (
    Case("attention", (1, 2, 2, 128, 128, 64, 64), BIG),
    Case("attention", (1, 1, 1, 33, 127, 64, 64)),
    Case("attention", (2, 2, 1, 1, 33, 64, 64)),
    Case("attention", (2, 2, 2, 5, 2, 64, 64)),
    Case("attention", (1, 1, 1, 513, 33, 16, 8)),
    Case("attention", (1, 2, 1, 40, 513, 24, 40), SMALL),
    Case("attention", (1, 1, 1, 64, 64, 128, 128), MatrixRows(64, 64, 4), great=8.0),
    Case("attention", (1, 1, 1, 64, 96, 256, 256), MatrixRows(64, 32, 4)),
    Case("attention", (1, 1, 1, 40, 70, 80, 96), MatrixRows(16, 64, 1), "bf16"),
    Case("attention", (1, 1, 1, 40, 200, 64, 64), great=40.0),
    Case("attention", (1, 1, 1, 40, 70, 20, 20)),
    Case("attention", (1, 1, 1, 40, 70, 6, 10)),
    Case("attention", (1, 2, 1, 65, 70, 64, 64), shift=1),
    Case("causal_attention", (1, 4, 2, 127, 127, 64, 64)),
    Case("causal_attention", (1, 1, 1, 256, 256, 64, 64), BIG),
    Case("causal_attention", (1, 1, 1, 513, 513, 32, 32), MatrixRows(128, 64, 8)),
    Case("causal_attention", (1, 1, 1, 33, 127, 64, 64)),
    Case("causal_attention", (1, 2, 2, 127, 33, 64, 64), SMALL, "bf16"),
    Case("causal_attention", (1, 1, 1, 65, 65, 64, 64), shift=1),
    *(Case("attention", (2, 4, 2, length, m, 64, 64), fixed="DE") for length, m in ((1, 1), (33, 127), (70, 64), (5, 0))),
    Case("attention", (2, 4, 2, 33, 70, 24, 40), SMALL, "bf16", fixed="HGDE"),
    *(Case("causal_attention", (1, 4, 2, length, m, 64, 64), fixed="DE") for length, m in ((1, 1), (127, 127), (33, 70))),
    Case("causal_attention", (1, 4, 2, 65, 65, 64, 64), BIG, fixed="DE", shift=1),
    Case("biased_attention", (1, 2, 2, 33, 70, 64, 64), EIGHT, fixed="DE"),
    Case("masked_attention", (1, 2, 1, 33, 70, 64, 64)),
    Case("masked_attention", (2, 2, 1, 40, 127, 32, 40), SMALL, "bf16"),
    *(
        Case(op, sizes, MatrixRows(*tile), dtype, great, shift, fixed, "hip")
        for op, sizes, tile, dtype, great, shift, fixed in (
            ("attention", (1, 2, 2, 128, 128, 64, 64), (128, 64, 4), "f16", 1.0, 0, "BHGLMDE"),
            ("attention", (1, 2, 1, 33, 127, 64, 64), (64, 32, 2), "f16", 1.0, 0, "BHGLMDE"),
            ("attention", (2, 2, 1, 1, 33, 64, 64), (32, 32, 1), "bf16", 1.0, 0, "BHGLMDE"),
            ("attention", (1, 1, 1, 40, 513, 128, 128), (128, 32, 4), "f16", 8.0, 0, "BHGLMDE"),
            ("attention", (1, 1, 1, 40, 70, 24, 40), (64, 64, 2), "f16", 40.0, 0, "BHGLMDE"),
            ("attention", (1, 2, 1, 65, 70, 64, 64), (64, 64, 2), "f16", 1.0, 1, "BHGLMDE"),
            ("attention", (2, 4, 2, 33, 127, 64, 64), (128, 64, 4), "f16", 1.0, 0, "DE"),
            ("attention", (2, 4, 2, 5, 0, 64, 64), (128, 64, 4), "f16", 1.0, 0, "DE"),
            ("causal_attention", (1, 4, 2, 127, 127, 64, 64), (64, 64, 2), "f16", 1.0, 0, "BHGLMDE"),
            ("causal_attention", (1, 1, 1, 256, 256, 64, 64), (128, 64, 4), "bf16", 4.0, 0, "BHGLMDE"),
            ("causal_attention", (1, 1, 1, 33, 127, 32, 32), (32, 32, 1), "f16", 1.0, 0, "BHGLMDE"),
            ("causal_attention", (1, 4, 2, 127, 33, 64, 64), (64, 32, 2), "f16", 1.0, 0, "DE"),
            ("masked_attention", (1, 2, 1, 33, 70, 64, 64), (64, 32, 2), "f16", 1.0, 0, "BHGLMDE"),
            ("biased_attention", (1, 2, 1, 33, 70, 64, 64), (64, 64, 2), "bf16", 4.0, 0, "BHGLMDE"),
        )
    ),
    Case("biased_attention", (1, 2, 1, 33, 70, 64, 64), great=4.0),
    Case("biased_attention", (1, 2, 2, 64, 64, 64, 64), EIGHT, "bf16"),
)


def inputs_of(case: Case) -> Arrays:
    """Rounded to the type; of a mask some rows see nothing, and some nothing for long."""
    b, h, g, length, m, d, e = case.sizes
    rng = np.random.default_rng(52)
    shapes = {"q": (b, h, length, d), "k": (b, g, m, d), "v": (b, g, m, e), "bias": (b, h, length, m)}
    found = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    found["q"] *= case.great
    rounded = {name: decode(encode(array, case.dtype), case.dtype).astype(np.float64) for name, array in found.items()}
    mask = rng.integers(0, 4, (b, h, length, m)).astype(bool)
    mask[:, :, ::3] = False
    mask[:, :, 1::3, : m // 2] = False
    wanted = {"masked_attention": "mask", "biased_attention": "bias"}.get(case.op, "")
    return {name: array for name, array in {**rounded, "mask": mask}.items() if name in ("q", "k", "v", wanted)}


def expected(case: Case, inputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """What PyTorch makes of the inputs in float64, and how much may be lost."""
    share = case.dims["H"] // case.dims["G"]
    q, k, v = (torch.from_numpy(np.asarray(inputs[name])) for name in ("q", "k", "v"))
    k, v = (each.repeat_interleave(share, 1) for each in (k, v))
    length, m = q.shape[2], k.shape[2]
    mask = None
    if case.op == "causal_attention":
        mask = torch.ones(length, m, dtype=torch.bool).tril()
    if "mask" in inputs:
        mask = torch.from_numpy(np.asarray(inputs["mask"]))
    if "bias" in inputs:
        mask = torch.from_numpy(np.asarray(inputs["bias"]))
    attend = torch.nn.functional.scaled_dot_product_attention
    y, size = (torch.nan_to_num(attend(q, k, each, attn_mask=mask)) for each in (v, v.abs()))
    return y.numpy(), may_be_lost(y, size, v, case.dtype, case.target).numpy()


@cache
def kernels(case: Case) -> tuple[Module, Kernel]:
    backend = registry.get(case.target)
    assert isinstance(backend, SimtBackend)
    device = backend.devices[backend.default_device]
    dims = {name: size for name, size in case.dims.items() if name in case.fixed}
    program = instantiate(find_operator(case.op), Library(), types={"T": case.dtype}, dims=dims)
    graph = lower(program, backend, {})
    spec, *further = graph.specs
    assert isinstance(spec, Attention)
    kernel = backend.render(spec, case.tile, device)
    behind = [backend.render(each, next(iter(backend.schedules(each, device))), device) for each in further]
    return backend.assemble(graph, (kernel, *behind), device), kernel


def job_of(case: Case) -> Job:
    buffers = {name: array if name == "mask" else encode(array, case.dtype) for name, array in inputs_of(case).items()}
    open_dims = {name: size for name, size in case.dims.items() if name not in case.fixed}
    return Job(kernels(case)[0], buffers, open_dims, shift=case.shift)


@cache
def results() -> dict[Case, tuple[Array, object]]:
    runs = execute_many([job_of(case) for case in CASES])
    return {case: (run.outputs["y"], run.findings) for case, run in zip(CASES, runs, strict=True)}


def is_right(case: Case, output: Array) -> bool:
    y, lost = expected(case, inputs_of(case))
    return bool(np.all(np.abs(widened(output, case.dtype) - y) <= lost))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_attentions(case: Case) -> None:
    output, findings = results()[case]
    text = kernels(case)[1].text
    assert not findings, f"{findings}\n{text}"
    y, lost = expected(case, inputs_of(case))
    apart = np.abs(widened(output, case.dtype) - y)
    wrong = int(np.sum(~(apart <= lost)))
    assert not wrong, f"{wrong} elements, {np.max(apart / lost)} of what may be lost\n{text}"


def test_rows_that_see_nothing_give_0() -> None:
    case = next(each for each in CASES if each.op == "masked_attention")
    seen = np.asarray(inputs_of(case)["mask"]).any(-1)
    assert not seen.all()
    assert np.all(widened(results()[case][0], case.dtype)[~seen] == 0)


LOOPS = (
    (Case("causal_attention", (1, 1, 1, 128, 128, 64, 64), BIG), Case("causal_attention", (1, 1, 1, 128, 1024, 64, 64), BIG)),
    *(
        (Case("attention", (1, 1, 1, 128, 128, d, d), tile), Case("attention", (1, 1, 1, 128, 512, d, d), tile))
        for d, tile in ((32, BIG), (64, BIG), (128, EIGHT), (256, MatrixRows(128, 32, 8)), (96, SMALL), (20, WIDE))
    ),
)


TURNED = {32: MatrixRows(64, 64, 2), 64: BIG, 128: MatrixRows(128, 32, 4)}
TURNED_LOOPS = tuple(
    tuple(replace(case, tile=TURNED[case.dims["D"]], target="hip") for case in pair)
    for pair in LOOPS
    if pair[1].dims["D"] in TURNED
)


@pytest.mark.parametrize("pair", [*LOOPS, *TURNED_LOOPS], ids=lambda pair: pair[1].name)
def test_lanes_meet_in_no_bank(pair: tuple[Case, Case]) -> None:
    """Neither in the loop nor beside it."""
    runs = execute_many([replace(job_of(case), counted=True) for case in pair])
    assert [run.counts["shared_load_conflicts"] + run.counts["shared_store_conflicts"] for run in runs] == [0, 0]


def test_cols_beyond_the_diagonal_are_not_multiplied() -> None:
    """At most 1.1 of the products that 2,048 rows need. Those of a shorter one are counted, and as many as its tiles have."""
    found = {}
    for length in (512, 2048):
        case = Case("causal_attention", (1, 1, 1, length, length, 64, 64), BIG)
        tiles = [-(-min(first + 128, length) // 64) for first in range(0, length, 128)]
        found[length] = 4 * 64 * sum(tiles) * 128 * 64
        if length == 512:
            (run,) = execute_many([replace(job_of(case), counted=True)])
            assert run.counts["matrix operations f16"] == found[length]
    assert found[2048] <= 1.1 * 4 * 64 * (2048 * 2049 // 2)


FAULTS = {
    "diagonal off by one": (r"j <= i_", "j < i_"),
    "diagonal off by one, the other way": (r"j <= i_", "j <= i_ + 1"),
    "a tile skipped": (r"const int tiles = (.*);", r"const int tiles = \1 - 1;"),
    "a tile too many without masks": (r"const int full = (.*);", r"const int full = \1 + 1;"),
    "sums not rescaled": (r"y_sum\[.*\] \*= shrink;", ";"),
    "total not rescaled": (r"z\[.*\] \*= shrink;", ";"),
    "maximum of one lane": (r"highest = uol::group_fold<4>\(highest, uol::Greatest\{\}\);", ""),
    "total of one lane": (r"= uol::group_fold<4>\((z\[.*\]), uol::Sum\{\}\);", r"= \1;"),
    "halves of weights exchanged": (r"pack_f16\((.*), (.*)\);", r"pack_f16(\2, \1);"),
    "keys of the stage that is filled": (r"\+ read\)", "+ write)"),
    "rows of queries exchanged": (r"load_matrices\(q_part\[mi\]", "load_matrices(q_part[1 - mi]"),
    "cols of values behind the last": (r"if \(tile \+ 1 < tiles\)", "if (tile + 2 < tiles)"),
    "no zeros behind the last key": (r", next [^;]* < \d+\);", ");"),
}


FAULTS_OF_TURNED = {
    **{name: FAULTS[name] for name in list(FAULTS)[:6]},
    "maximum of half a row": (r"highest = uol::strided_fold<32>\(highest, uol::Greatest\{\}\);", ""),
    "total of half a row": (r"= uol::strided_fold<32>\((z\[.*\]), uol::Sum\{\}\);", r"= \1;"),
    "halves of weights exchanged": (r"weight\[0\] \+ half \* 2", "weight[0] + (1 - half) * 2"),
    "keys in their order": (r"\(thread / 32 % 2\) \* 1024 \+ \(thread / 64 % 2\) \* 512", "(thread / 32 % 4) * 512"),
    "values not turned": (r"uol::transpose_4x4\(.*\);", ";"),
    "no zeros behind the last key": (r", next [^;]* < \d+\);", ");"),
    "masks a tile late": (r"if \(col0 >= full \* 64\)", "if (col0 > full * 64)"),
}


@pytest.mark.parametrize(
    ("target", "name"), [*(("cuda", name) for name in FAULTS), *(("hip", name) for name in FAULTS_OF_TURNED)]
)
def test_faults_are_found(target: str, name: str) -> None:
    """Each is a finding of the twin, or a value that is not within the bound."""
    fault = (FAULTS if target == "cuda" else FAULTS_OF_TURNED)[name]
    case = Case("causal_attention", (1, 1, 1, 200, 200, 64, 64), BIG, great=4.0, target=target)
    (run,) = execute_many([with_fault(job_of(case), *fault)])
    assert run.findings or not is_right(case, run.outputs["y"])


def test_two_fragments_of_a_result_are_one_of_a_left_operand() -> None:
    """By the owner maps of both."""
    unit = UNITS["mma_16x8x16_f16"]
    lane = np.arange(32)
    at = {
        (number, element): (value_of(unit.d.row(Local("lane"), Const(element)), {"lane": lane}),
                            number * 8 + value_of(unit.d.col(Local("lane"), Const(element)), {"lane": lane}))
        for number in (0, 1) for element in range(4)
    }  # fmt: skip
    for register, halves in enumerate(left_operand(4)):
        for half, place in enumerate(halves):
            element = Const(2 * register + half)
            row, col = (value_of(of(Local("lane"), element), {"lane": lane}) for of in (unit.a.row, unit.a.col))
            assert np.array_equal(at[place][0], row)
            assert np.array_equal(at[place][1], col)


def test_two_blocks_of_gfx90a_fit_a_core() -> None:
    """By the shared memory of one whose heads have 64 elements."""
    kernel = kernels(Case("causal_attention", (1, 1, 1, 256, 256, 64, 64), BIG, target="hip"))[1]
    assert 2 * kernel.footprint.buffers["shared"] <= 64 * 1024


REFUSED = {
    "no matrix unit": Case("attention", (1, 1, 1, 33, 40, 16, 16), dtype="f32"),
    "4 bytes": Case("attention", (1, 1, 1, 33, 40, 9, 16)),
    "do not divide": Case("attention", (1, 1, 1, 33, 40, 16, 16), MatrixRows(64, 32, 8)),
    "registers": Case("attention", (1, 1, 1, 33, 40, 128, 128), BIG),
    "powers of two": Case("attention", (1, 1, 1, 33, 40, 16, 16), MatrixRows(48, 32, 1)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_taken_says_why(reason: str) -> None:
    """And there is a kernel of threads for it."""
    case = REFUSED[reason]
    backend = registry.get("cuda")
    device = backend.devices[backend.default_device]
    program = instantiate(find_operator(case.op), Library(), types={"T": case.dtype}, dims=case.dims)
    spec = lower(program, backend, {}).specs[0]
    refused = backend.check(spec, case.tile, device)
    assert isinstance(refused, Refusal)
    assert reason in refused.reason
    assert any(isinstance(schedule, RowTile) for schedule in backend.schedules(spec, device))


@pytest.mark.parametrize("op", ["attention", "causal_attention"])
def test_counts_in_closed_form_are_near_the_twin_s(op: str) -> None:
    """Products exactly; what passes through shared memory but for queries and the end; other instructions by a fifth."""
    case = Case(op, (1, 2, 2, 512, 512, 64, 64), BIG)
    device = registry.get("cuda").devices["a100"]
    found = matrix_attention_counts(kernels(case)[1].spec, case.tile, device)
    (run,) = execute_many([replace(job_of(case), counted=True)])
    assert middle(found.operations["f16-matrix"]) == run.counts["matrix operations f16"]
    moved = run.counts["shared_load_bytes"] + run.counts["shared_store_bytes"]
    assert 0.7 * moved <= middle(found.scratch_bytes) <= moved
    assert middle(found.read_bytes) == pytest.approx(run.counts["global_load_bytes"], rel=0.25)
    for unit in ("f32-vector", "special"):
        assert middle(found.operations[unit]) == pytest.approx(run.counts[f"statements {unit}"], rel=0.25)


SAVED = (
    Case("masked_attention", (2, 2, 1, 33, 70, 64, 64)),
    Case("masked_attention", (2, 2, 1, 33, 70, 64, 64), MatrixRows(32, 32, 1), target="hip"),
    Case("masked_attention", (2, 2, 1, 33, 70, 64, 64), MatrixRows(64, 32, 2), target="hip"),
)


@pytest.mark.parametrize("case", SAVED, ids=lambda case: case.name)
def test_what_a_row_saves_beside_results_whose_heads_lie_within_tokens(case: Case) -> None:
    """As a model has them: [B, L, H, D], of which heads are a view."""
    backend = registry.get(case.target)
    device = backend.devices[backend.default_device]
    op = saving_operator(find_operator(case.op), catalogue())
    assert op is not None
    program = instantiate(op, catalogue(), types={"T": case.dtype}, dims=case.dims)
    shapes = {name: tuple(static(extent) or 0 for extent in tensor.shape) for name, tensor in program.tensors.items()}
    layouts = {name: heads_within_tokens(shapes[name]) for name in ("q", "k", "v", "y")}
    graph = lower(program, backend, layouts)
    (spec,) = graph.specs
    inputs = inputs_of(case)
    buffers = {name: array if name == "mask" else encode(array, case.dtype) for name, array in inputs.items()}
    module = backend.assemble(graph, (backend.render(spec, case.tile, device),), device)
    (run,) = execute_many([Job(module, all_laid_out(buffers, layouts), {})])
    assert not run.findings, f"{run.findings}\n{module.device.text}"
    assert is_right(case, run.outputs["y"])
    scores = np.einsum("bhld,bhmd->bhlm", inputs["q"], np.repeat(inputs["k"], 2, axis=1)) / np.sqrt(64)
    scores = np.where(inputs["mask"], scores, -np.inf)
    hi = scores.max(axis=-1, keepdims=True)
    sums = np.exp(scores - np.where(np.isinf(hi), 0, hi)).sum(axis=-1)
    assert np.allclose(widened(run.outputs["hi"], "f32"), hi[..., 0], rtol=1e-5, atol=1e-5)
    assert np.allclose(widened(run.outputs["z_inv"], "f32"), 1 / np.maximum(sums, 1), rtol=1e-5)


def heads_within_tokens(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of [B, H, L, D] that lies as [B, L, H, D]."""
    _, heads, tokens, width = shape
    return heads * tokens * width, width, heads * width, 1


COUNTED = tuple(case for case in CASES if case.tile != BIG and not case.shift and case.fixed == "BHGLMDE")[::4]


def test_what_is_counted_of_a_text_is_what_the_twin_counts() -> None:
    runs = execute_many([replace(job_of(case), counted=True) for case in COUNTED])
    for case, run in zip(COUNTED, runs, strict=True):
        assert not [str(count) for count in compare(kernels(case)[0], run) if not count.agrees], case.name
