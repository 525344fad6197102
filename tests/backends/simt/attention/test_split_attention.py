"""Attention in parts of its keys, merged by a second kernel: on matrix units, in the twin, beside PyTorch in float64.

The bound is that of the whole attention (`test_matrix_attention.py`): a weight is rounded once, a result once more, and the
rest is f32. Cases have parts that are full, a last one that is short, and parts without any key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from attention_bounds import assembled, in_parts, may_be_lost, with_fault
from simt_cases import widened

from uol.backends import registry
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Footprint, Module, Schedule
from uol.codegen.cost import middle
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention, Reduce
from uol.ir import Library, instantiate
from uol.ir.program.dtype_encoding import decode, encode
from uol.operators.registry import find_operator

TILES: dict[str, Schedule] = {"cuda": MatrixRows(16, 64, 1), "hip": MatrixRows(32, 32, 1)}


@dataclass(frozen=True)
class Case:
    """B, H, G, L, M, D, E of an attention in `parts` at most, of multiples of 32 keys. `great`: what scores are multiplied by,
    about; `fixed`: the dims that are no arguments."""

    sizes: tuple[int, int, int, int, int, int, int]
    parts: int
    op: str = "attention"
    dtype: str = "f16"
    great: float = 1.0
    fixed: str = "BHGLMDE"
    target: str = "cuda"
    shift: int = 0

    @property
    def dims(self) -> dict[str, int]:
        return dict(zip("BHGLMDE", self.sizes, strict=True))

    @property
    def name(self) -> str:
        sizes = "x".join(map(str, self.sizes))
        return f"{self.target}-{self.op}-{sizes}-{self.parts}-{self.dtype}-{self.great:g}-{self.fixed}-{self.shift}"


CUDA = (
    Case((1, 8, 2, 1, 192, 64, 64), 3),
    Case((2, 8, 2, 1, 197, 128, 128), 3, great=8.0),
    Case((1, 2, 2, 1, 130, 64, 64), 2, great=40.0),
    Case((1, 4, 2, 4, 129, 64, 64), 4, dtype="bf16"),
    Case((1, 2, 1, 5, 100, 24, 40), 2, shift=1),
    Case((2, 4, 2, 3, 150, 64, 64), 3, "masked_attention"),
    Case((1, 2, 2, 3, 150, 64, 64), 3, "biased_attention", "bf16", 4.0),
    Case((1, 2, 2, 7, 150, 64, 64), 3, "causal_attention"),
    *(Case((2, 4, 2, 1, m, 64, 64), 64, fixed="HGLDE") for m in (1, 33, 200, 0)),
    Case((2, 4, 2, 3, 200, 64, 64), 3, fixed="DE"),
    Case((1, 4, 2, 2, 97, 12, 12), 3, dtype="f32"),
)
CASES = (*CUDA, *(replace(case, target="hip") for case in CUDA))


def inputs_of(case: Case) -> dict[str, Array]:
    """Rounded to the type; of a mask some rows see nothing, and some nothing in the first parts."""
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


def expected(case: Case, inputs: dict[str, Array]) -> tuple[np.ndarray, np.ndarray]:
    """What PyTorch makes of the inputs in float64, and how much may be lost."""
    share = case.dims["H"] // case.dims["G"]
    q, k, v = (torch.from_numpy(np.asarray(inputs[name])) for name in ("q", "k", "v"))
    k, v = (each.repeat_interleave(share, 1) for each in (k, v))
    mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril() if case.op == "causal_attention" else None
    if "mask" in inputs or "bias" in inputs:
        mask = torch.from_numpy(np.asarray(inputs.get("mask", inputs.get("bias"))))
    attend = torch.nn.functional.scaled_dot_product_attention
    y, total = (torch.nan_to_num(attend(q, k, each, attn_mask=mask)) for each in (v, v.abs()))
    return y.numpy(), may_be_lost(y, total, v, case.dtype, case.target).numpy()


@cache
def module_of(case: Case) -> Module:
    """Both kernels, the first with a tile of matrix units; of threads where these have none for the type. Where there are so
    many keys as a dim says, the parts are those that lowering makes."""
    backend = registry.get(case.target)
    assert isinstance(backend, SimtBackend)
    dims = {name: extent for name, extent in case.dims.items() if name in case.fixed}
    graph = lower(instantiate(find_operator(case.op), Library(), types={"T": case.dtype}, dims=dims), backend, {})
    graph = in_parts(graph, case.parts) if len(graph.specs) == 1 else graph
    return assembled(graph, backend, case.dtype, TILES[case.target])


def job_of(case: Case) -> Job:
    buffers = {name: array if name == "mask" else encode(array, case.dtype) for name, array in inputs_of(case).items()}
    open_dims = {name: extent for name, extent in case.dims.items() if name not in case.fixed}
    return Job(module_of(case), buffers, open_dims, shift=case.shift)


@cache
def results() -> dict[Case, tuple[Array, object]]:
    runs = execute_many([job_of(case) for case in CASES])
    return {case: (run.outputs["y"], run.findings) for case, run in zip(CASES, runs, strict=True)}


def is_right(case: Case, output: Array) -> bool:
    y, lost = expected(case, inputs_of(case))
    return bool(np.all(np.abs(widened(output, case.dtype) - y) <= lost))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_parts_of_the_keys_come_to_the_attention(case: Case) -> None:
    output, findings = results()[case]
    text = module_of(case).device.text
    assert not findings, f"{findings}\n{text}"
    y, lost = expected(case, inputs_of(case))
    apart = np.abs(widened(output, case.dtype) - y)
    wrong = int(np.sum(~(apart <= lost)))
    assert not wrong, f"{wrong} elements, {np.max(apart / lost)} of what may be lost\n{text}"


def test_rows_that_see_nothing_give_0() -> None:
    """In any part; others see nothing in the first ones, whose weight is 0 then."""
    case = next(each for each in CASES if each.op == "masked_attention")
    seen = np.asarray(inputs_of(case)["mask"]).any(-1)
    assert not seen.all()
    assert np.all(widened(results()[case][0], case.dtype)[~seen] == 0)


NOTHING_SEEN = "the weight of a part that saw nothing"
FAULTS = {
    "a part left out": (r"for \(int part = 0; part < 3;", "for (int part = 0; part < 2;"),
    "sums not rescaled": (r"y_sum \+= factor \* ", "y_sum += "),
    "total not rescaled": (r"z \+= factor \* ", "z += "),
    "rescaled by the maximum of another part": (r"exp\((\w+)\[\(part \* 2", r"exp(\1[((part + 1) % 3 * 2"),
    "a part twice": (r"y_sum \+= factor \* ", "y_sum += (part == 1 ? 2.0f : 1.0f) * factor * "),
    NOTHING_SEEN: (r"== -uol::infinity<float>\(\)(.*\n.*)\? 0.0f", r"> 0.0f\1? 0.0f"),
    "a key behind the last": (r"(const int tiles = .*)150 - ", r"\1 86 - "),
    "keys behind the last seen": (r" = j < 150 - part_", " = j < 214 - part_"),
    "keys of the part before": (r"\+ part_ \* 4096", "+ part_ * 2048"),
    "no zeros behind the last key": (r", next [^;]* < 150 - part_ \* 64\);", ");"),
}


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found(target: str, name: str) -> None:
    """Each is a finding of the twin, or a value that is not within the bound."""
    op = "masked_attention" if name == NOTHING_SEEN else "attention"
    case = Case((1, 4, 2, 3, 150, 64, 64), 3, op, target=target)
    (run,) = execute_many([with_fault(job_of(case), *FAULTS[name])])
    assert run.findings or not is_right(case, run.outputs["y"])


DECODING = [
    (1, 32, 8, 1, 8192, 128, 128),
    (8, 32, 8, 1, 8192, 128, 128),
    (1, 8, 8, 1, 8192, 64, 64),
    (1, 8, 2, 4, 8192, 64, 64),
]


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("sizes", DECODING, ids=str)
def test_decoding_has_two_blocks_for_each_core(target: str, sizes: tuple[int, ...]) -> None:
    """Of matrix units, the rows of which are all heads that share a key: keys and values are read once, and beside them the
    queries of a tile at most by each block."""
    backend = registry.get(target)
    assert isinstance(backend, SimtBackend)
    device = backend.devices[backend.default_device]
    dims = dict(zip("BHGLMDE", sizes, strict=True))
    graph = lower(instantiate(find_operator("attention"), Library(), types={"T": "f16"}, dims=dims), backend, {})
    parts, merged = graph.specs
    assert isinstance(parts, Attention)
    assert isinstance(merged, Reduce)
    found = backend.schedules(parts, device)
    schedule = next(each for each in found if isinstance(backend.check(parts, each, device), Footprint))
    assert isinstance(schedule, MatrixRows)
    issued = backend.issued(parts, schedule, device)
    assert issued.blocks >= 2 * device.cores
    keys, queries = 2 * sizes[0] * sizes[2] * sizes[4] * sizes[5] * 2, schedule.rows * sizes[5] * 2
    assert 0.98 * keys <= middle(issued.read_bytes) <= 1.02 * keys + issued.blocks * queries


@pytest.mark.parametrize("sizes", [(1, 2, 2, 1, 128, 64, 64), (4, 32, 8, 128, 8192, 64, 64)], ids=str)
def test_few_keys_and_many_rows_are_one_kernel(sizes: tuple[int, ...]) -> None:
    dims = dict(zip("BHGLMDE", sizes, strict=True))
    graph = lower(instantiate(find_operator("attention"), Library(), types={"T": "f16"}, dims=dims), registry.get("cuda"), {})
    assert len(graph.specs) == 1
