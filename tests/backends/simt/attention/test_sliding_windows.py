"""Attention of each query to the last keys up to its own, on matrix units in the twin, beside PyTorch in float64.

Tiles that no row of a block sees are not visited, before the window as behind it. The bound is that of the attention without a
window (`test_matrix_attention.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from attention_bounds import assembled, may_be_lost, with_fault
from simt_cases import widened

from uol.backends import registry
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Module
from uol.codegen.lowering import lower
from uol.ir import Library, instantiate
from uol.ir.program.dtype_encoding import decode, encode
from uol.operators.registry import find_operator

TILES = {"cuda": MatrixRows(32, 64, 2), "hip": MatrixRows(32, 32, 1)}


@dataclass(frozen=True)
class Case:
    """B, H, G, L, M, D, E of an attention and its window; `fixed`: the dims that are no arguments."""

    sizes: tuple[int, int, int, int, int, int, int]
    window: int
    dtype: str = "f16"
    fixed: str = "BHGLMDE"
    target: str = "cuda"
    shift: int = 0

    @property
    def dims(self) -> dict[str, int]:
        return dict(zip("BHGLMDE", self.sizes, strict=True))

    @property
    def name(self) -> str:
        return f"{self.target}-{'x'.join(map(str, self.sizes))}-{self.window}-{self.dtype}-{self.fixed}-{self.shift}"


CUDA = (
    Case((1, 2, 1, 300, 300, 64, 64), 70),
    Case((1, 1, 1, 200, 127, 64, 64), 33),
    Case((2, 2, 2, 97, 130, 24, 40), 1, "bf16", shift=1),
    Case((1, 1, 1, 65, 65, 64, 64), 1000),
    Case((1, 4, 2, 150, 150, 64, 64), 64, fixed="DE"),
)
CASES = (*CUDA, *(replace(case, target="hip") for case in CUDA))


def inputs_of(case: Case) -> dict[str, Array]:
    b, h, g, length, m, d, e = case.sizes
    rng = np.random.default_rng(52)
    shapes = {"q": (b, h, length, d), "k": (b, g, m, d), "v": (b, g, m, e)}
    return {name: decode(encode(rng.standard_normal(shape), case.dtype), case.dtype) for name, shape in shapes.items()}


def expected(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """What PyTorch makes of the inputs in float64, and how much may be lost."""
    share = case.dims["H"] // case.dims["G"]
    q, k, v = (torch.from_numpy(np.asarray(array, np.float64)) for array in inputs_of(case).values())
    k, v = (each.repeat_interleave(share, 1) for each in (k, v))
    i, j = torch.arange(q.shape[2])[:, None], torch.arange(k.shape[2])
    seen = (j <= i) & (j > i - case.window)
    attend = torch.nn.functional.scaled_dot_product_attention
    y, total = (torch.nan_to_num(attend(q, k, each, attn_mask=seen)) for each in (v, v.abs()))
    return y.numpy(), may_be_lost(y, total, v, case.dtype, case.target).numpy()


@cache
def module_of(case: Case) -> Module:
    backend = registry.get(case.target)
    assert isinstance(backend, SimtBackend)
    dims = {name: extent for name, extent in case.dims.items() if name in case.fixed}
    op, attrs = find_operator("sliding_attention"), {"window": case.window}
    graph = lower(instantiate(op, Library(), types={"T": case.dtype}, dims=dims, attrs=attrs), backend, {})
    assert len(graph.specs) == 1
    return assembled(graph, backend, case.dtype, TILES[case.target])


def job_of(case: Case) -> Job:
    buffers = {name: encode(array, case.dtype) for name, array in inputs_of(case).items()}
    open_dims = {name: extent for name, extent in case.dims.items() if name not in case.fixed}
    return Job(module_of(case), buffers, open_dims, shift=case.shift)


@cache
def results() -> dict[Case, tuple[Array, object]]:
    runs = execute_many([job_of(case) for case in CASES])
    return {case: (run.outputs["y"], run.findings) for case, run in zip(CASES, runs, strict=True)}


def is_right(case: Case, output: Array) -> bool:
    y, lost = expected(case)
    return bool(np.all(np.abs(widened(output, case.dtype) - y) <= lost))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_query_attends_to_its_window(case: Case) -> None:
    output, findings = results()[case]
    assert not findings, f"{findings}\n{module_of(case).device.text}"
    assert is_right(case, output), module_of(case).device.text


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_tiles_outside_of_the_windows_of_a_block_are_not_multiplied(target: str) -> None:
    case = Case((1, 2, 1, 300, 300, 64, 64), 70, target=target)
    tile = TILES[target]
    firsts = range(0, 300, tile.rows)
    tiles = [-(-min(m + tile.rows, 300) // tile.cols) - max(m - 69, 0) // tile.cols for m in firsts]
    (run,) = execute_many([replace(job_of(case), counted=True)])
    assert run.counts["matrix operations f16"] == 2 * sum(tiles) * 4 * tile.rows * tile.cols * 64


FAULTS = {
    "window off by one": (r"j > i_ - 70", "j >= i_ - 70"),
    "window off by one, the other way": (r"j > i_ - 70", "j > i_ - 69"),
    "begins a tile late": (r"const int begin = (.*);", r"const int begin = \1 + (m0 >= 96 ? 64 : 0);"),
    "a tile left out": (r"const int tiles = (.*);", r"const int tiles = \1 - 1;"),
    "whole from too early": (r"const int full_from = (.*);", r"const int full_from = 0;"),
    "whole to too far": (r"const int full = (.*);", r"const int full = 300;"),
    "keys of the first tile": (r"(k_from = .*)begin \* 64", r"\g<1>0"),
    "values of the first tile": (r"(v (?:\+ .*)?)\+ begin \* 64", r"\1"),
}


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found(target: str, name: str) -> None:
    """Each is a finding of the twin, or a value that is not within the bound."""
    case = Case((1, 2, 1, 300, 300, 64, 64), 70, target=target)
    (run,) = execute_many([with_fault(job_of(case), *FAULTS[name])])
    assert run.findings or not is_right(case, run.outputs["y"])
