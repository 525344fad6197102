"""Attention to the first keys of each batch, in the twin: beside PyTorch in float64 on these keys alone.

What stands behind them is NaN, in keys and in values: nothing of it may come into a result. The same of a cache in pages, which
come in no order; pages behind the last key, and those of nobody, are NaN, and the table has none there. The bound is that of
the attention without lengths (`test_matrix_attention.py`). Whole, in parts of the keys as decoding has it, and by threads.
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
from uol.codegen.backend import Module, Schedule
from uol.codegen.lowering import lower
from uol.ir import Library, instantiate
from uol.ir.program.dtype_encoding import decode, encode
from uol.operators.registry import find_operator

TILES: dict[str, Schedule] = {"cuda": MatrixRows(16, 64, 1), "hip": MatrixRows(32, 32, 1)}


@dataclass(frozen=True)
class Case:
    """B, H, G, L, M, D, E of an attention, and the lengths; `parts`: how many at most, of multiples of 32 keys. `fixed`: the
    dims that are no arguments. `page`: how many keys one has, where keys lie in pages; `missing`: the table has no page for
    the first keys of the last batch, which then are zeros."""

    sizes: tuple[int, int, int, int, int, int, int]
    lengths: tuple[int, ...]
    parts: int = 1
    dtype: str = "f16"
    fixed: str = "BHGLMDE"
    target: str = "cuda"
    shift: int = 0
    page: int = 0
    missing: bool = False

    @property
    def op(self) -> str:
        return "paged_attention" if self.page else "padded_attention"

    @property
    def dims(self) -> dict[str, int]:
        return dict(zip("BHGLMDE", self.sizes, strict=True))

    @property
    def dims_of_op(self) -> dict[str, int]:
        if not self.page:
            return self.dims
        pages = self.dims["M"] // self.page
        return {n: d for n, d in self.dims.items() if n != "M"} | {"N": pages * self.dims["B"] + 2, "P": self.page, "C": pages}

    @property
    def seen(self) -> list[int]:
        """How many keys each batch has."""
        return [min(max(length, 0), self.dims["M"]) for length in self.lengths]

    @property
    def name(self) -> str:
        sizes = "x".join(map(str, self.sizes))
        return f"{self.target}-{sizes}-{self.lengths}-{self.parts}-{self.dtype}-{self.fixed}-{self.shift}-{self.page}"


CUDA = (
    Case((5, 4, 2, 33, 130, 64, 64), (0, 1, 33, 127, 130)),
    Case((2, 2, 1, 3, 520, 64, 64), (513, -5), 8),
    Case((3, 2, 2, 5, 128, 24, 40), (2**40, -(2**40), 63), dtype="bf16", shift=1),
    Case((2, 2, 1, 5, 97, 64, 64), (33, 97), fixed="HGDE"),
    Case((5, 4, 2, 1, 192, 64, 64), (0, 33, 127, 192, 2**40), 3),
    Case((2, 4, 2, 1, 197, 128, 128), (65, 196), 4, dtype="bf16"),
    Case((3, 4, 2, 1, 200, 64, 64), (0, 1, 129), 64, fixed="HGLDE"),
    Case((3, 2, 1, 5, 97, 12, 12), (0, 33, 64), dtype="f32"),
    Case((3, 4, 2, 2, 97, 12, 12), (0, 33, 127), 3, dtype="f32"),
)
PAGED = (
    Case((5, 4, 2, 1, 144, 64, 64), (0, 1, 33, 127, 144), page=16),
    Case((4, 4, 2, 1, 192, 64, 64), (0, 65, 192, 2**40), 3, page=48),
    Case((2, 2, 1, 1, 512, 64, 64), (513, 300), 2, dtype="bf16", page=256),
    Case((3, 4, 2, 1, 384, 64, 40), (0, 129, 300), 3, page=64, missing=True),
    Case((2, 2, 1, 1, 512, 64, 64), (193, 33), dtype="bf16", page=128, shift=1),
    Case((3, 2, 2, 3, 104, 24, 40), (104, 33, 63), dtype="bf16", page=8, shift=1, missing=True),
    Case((3, 4, 2, 1, 160, 128, 128), (0, 127, 129), 64, fixed="HGLPDE", page=32),
    Case((3, 4, 2, 1, 65, 64, 64), (0, 33, 64), 4, page=5),
    Case((3, 2, 1, 5, 96, 12, 12), (0, 33, 64), dtype="f32", page=16, missing=True),
    Case((3, 4, 2, 2, 112, 12, 12), (0, 33, 112), 3, dtype="f32", page=16),
)
CUDA += PAGED
CASES = (*CUDA, *(replace(case, target="hip") for case in CUDA))


def inputs_of(case: Case) -> dict[str, Array]:
    """Rounded to the type; behind the lengths there is NaN."""
    b, h, g, length, m, d, e = case.sizes
    rng = np.random.default_rng(52)
    shapes = {"q": (b, h, length, d), "k": (b, g, m, d), "v": (b, g, m, e)}
    found = {name: decode(encode(rng.standard_normal(shape), case.dtype), case.dtype) for name, shape in shapes.items()}
    for batch, count in enumerate(case.seen):
        for name in ("k", "v"):
            found[name][batch, :, count:] = np.nan
    if case.missing:
        for name in ("k", "v"):
            found[name][-1, :, : case.page] = 0
    return {**found, "length": np.asarray(case.lengths, np.int64)}


def in_pages(case: Case, inputs: dict[str, Array]) -> dict[str, Array]:
    """The same with keys and values in pages, in no order."""
    if not case.page:
        return inputs
    batches, count, pages = case.dims["B"], case.dims_of_op["C"], case.dims_of_op["N"]
    table = np.random.default_rng(7).permutation(pages)[: batches * count].reshape(batches, count)
    found = dict(inputs)
    for name in ("k", "v"):
        b, g, m, d = inputs[name].shape
        cache = np.full((pages, case.page, g, d), np.nan, inputs[name].dtype)
        cache[table.reshape(-1)] = inputs[name].transpose(0, 2, 1, 3).reshape(b * count, case.page, g, d)
        found[name] = cache
    for batch, seen in enumerate(case.seen):
        table[batch, -(-seen // case.page) :] = 10**9
    if case.missing:
        table[-1, 0] = pages
    return {**found, "table": table.astype(np.int64)}


def expected(case: Case, inputs: dict[str, Array]) -> tuple[np.ndarray, np.ndarray]:
    """What PyTorch makes of the keys of each batch in float64, and how much may be lost."""
    share = case.dims["H"] // case.dims["G"]
    attend = torch.nn.functional.scaled_dot_product_attention
    results, losts = [], []
    for batch, count in enumerate(case.seen):
        q, k, v = (torch.from_numpy(np.asarray(inputs[name], np.float64)[batch : batch + 1]) for name in ("q", "k", "v"))
        k, v = (each[:, :, :count].repeat_interleave(share, 1) for each in (k, v))
        y, total = (attend(q, k, each) if count else q.new_zeros(*q.shape[:3], each.shape[3]) for each in (v, v.abs()))
        lost = may_be_lost(y, total, v, case.dtype, case.target)
        results.append(y)
        losts.append(lost if count else torch.zeros_like(lost))
    return torch.cat(results).numpy(), torch.cat(losts).numpy()


@cache
def module_of(case: Case) -> Module:
    """The kernels, the first with a tile of matrix units; of threads where these have none for the type. Where there are as
    many keys as a dim says, the parts are those that lowering makes."""
    backend = registry.get(case.target)
    assert isinstance(backend, SimtBackend)
    fixed = {*case.fixed, *("NPC" if case.page and "M" in case.fixed else "")}
    dims = {name: extent for name, extent in case.dims_of_op.items() if name in fixed}
    graph = lower(instantiate(find_operator(case.op), Library(), types={"T": case.dtype}, dims=dims), backend, {})
    graph = in_parts(graph, case.parts) if case.parts > 1 and len(graph.specs) == 1 else graph
    assert len(graph.specs) == (1 if case.parts == 1 else 2)
    return assembled(graph, backend, case.dtype, TILES[case.target])


def job_of(case: Case) -> Job:
    inputs, integers = in_pages(case, inputs_of(case)), ("length", "table")
    buffers = {name: array if name in integers else encode(array, case.dtype) for name, array in inputs.items()}
    fixed = {*case.fixed, *("NPC" if case.page and "M" in case.fixed else "")}
    open_dims = {name: extent for name, extent in case.dims_of_op.items() if name not in fixed}
    return Job(module_of(case), buffers, open_dims, shift=case.shift)


@cache
def results() -> dict[Case, tuple[Array, object]]:
    runs = execute_many([job_of(case) for case in CASES])
    return {case: (run.outputs["y"], run.findings) for case, run in zip(CASES, runs, strict=True)}


def is_right(case: Case, output: Array) -> bool:
    y, lost = expected(case, inputs_of(case))
    return bool(np.all(np.abs(widened(output, case.dtype) - y) <= lost))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_batch_attends_to_its_first_keys(case: Case) -> None:
    """A batch without any gives 0, exactly: nothing may be lost of it."""
    output, findings = results()[case]
    text = module_of(case).device.text
    assert not findings, f"{findings}\n{text}"
    y, lost = expected(case, inputs_of(case))
    apart = np.abs(widened(output, case.dtype) - y)
    wrong = int(np.sum(~(apart <= lost)))
    assert not wrong, f"{wrong} elements\n{text}"


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("page", [0, 16])
@pytest.mark.parametrize("parts", [1, 3])
def test_tiles_behind_the_last_key_are_not_multiplied(target: str, parts: int, page: int) -> None:
    """In each part as many products as its tiles have of the batch's keys, and of their bytes and values' no more."""
    case = Case((4, 2, 2, 1, 192, 64, 64), (0, 1, 70, 192), parts, target=target, page=page)
    tile = TILES[target]
    assert isinstance(tile, MatrixRows)
    within = 192 // parts
    tiles = [-(-min(max(n - first, 0), within) // tile.cols) for n in case.seen for first in range(0, 192, within)]
    (run,) = execute_many([replace(job_of(case), counted=True)])
    assert run.counts["matrix operations f16"] == 2 * sum(tiles) * 4 * tile.rows * tile.cols * 64
    keys = 2 * sum(case.seen) * 2 * 64 * 2
    beside = 2 * 64 * 2 * 4 * tile.rows * parts + 4 * 2 * parts * 4096 + (16 * sum(case.seen) * 64 if page else 0)
    assert keys <= run.counts["global_load_bytes"] <= keys + beside


FAULTS = {
    "a key behind the last": (r"j < length_of_batch", "j <= length_of_batch"),
    "a key too few": (r"j < length_of_batch", "j + 1 < length_of_batch"),
    "the length of another batch": (r"length\[b\]", "length[(b + 1) % 3]"),
    "a tile left out": (r"const int tiles = (.*);", r"const int tiles = \1 - 1;"),
    "a tile too many without masks": (r"const int full = (.*);", r"const int full = \1 + 1;"),
    "no zeros behind the last": (r", next [^;]* < cols_end\);", ");"),
    "zeros before the last": (r"const int cols_end = (.*);", r"const int cols_end = \1 - 1;"),
    "a length that wraps": (r"int\(uol::max\(uol::min\((length\[b\]), .*\), .*\)\)", r"int(\1)"),
}


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found(target: str, name: str) -> None:
    """Each is a finding of the twin, or a value that is not within the bound."""
    case = Case((3, 2, 2, 3, 150, 64, 64), (2**40, 33, 64), target=target)
    (run,) = execute_many([with_fault(job_of(case), *FAULTS[name])])
    assert run.findings or not is_right(case, run.outputs["y"])


BEFORE = "a page before the first"
FAULTS_OF_PAGES = {
    "page table off by one": (r"(table\[b \* 12 \+ \(?)cr", r"\1(cr + 16)"),
    "the table of another batch": (r"table\[b \*", "table[(b + 1) % 3 *"),
    "pages in order": (r"table\[(b \* 12 \+ .*)\] : -1LL", r"(long long)(\1) : -1LL"),
    "the row before in a page": (r"\(cr % 16\) \* 128", "((cr + 15) % 16) * 128"),
    "one page for a tile": (r"\+ \(cr % 16\) \* 128", ""),
    "pages of half their size": (r"int\(page\) \* 2048", "int(page) * 1024"),
    "the table asked behind the last key": (r"cr < cols_end \? (table.*) : -1LL;", r"\1;"),
    "a page that there is not": (r"page < 38LL", "page < 1000000000000LL"),
    BEFORE: (r"page >= 0LL", "page >= -1000000000000LL"),
    "rows of the tile before": (r"\n *next \+= \d+;", ""),
}
FAULTS_OF_WIDE_PAGES = {
    "page table off by one": (r"(table\[b \* 3 \+ \(?)cr", r"\1(cr + 64)"),
    "pages in order": (r"table\[(b \* 3 \+ .*)\] : -1LL", r"(long long)(\1) : -1LL"),
    "the first tile of a page again": (r" \+ \(cr % 64\) \* 128", ""),
    "a page that there is not": (r"page < 11LL", "page < 1000000000000LL"),
    BEFORE: (r"page >= 0LL", "page >= -1000000000000LL"),
    "no zeros behind the last": (r" && next [^;]* < cols_end\);", ");"),
}
"""Of pages that hold whole tiles: on the one target of two tiles."""


def is_found(case: Case, fault: tuple[str, str], *, is_before: bool) -> bool:
    """Is it a finding of the twin, or a value that is not within the bound?"""
    job = with_fault(job_of(case), *fault)
    if is_before:
        job.buffers["table"][-1, 0] = job.buffers["table"][0, 0] - 2**32  # whose low 32 bits are those of a page
    (run,) = execute_many([job])
    return bool(run.findings) or not is_right(case, run.outputs["y"])


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("name", FAULTS_OF_PAGES)
def test_faults_of_pages_are_found(target: str, name: str) -> None:
    """The last batch has no page for its first keys, or one before the first; what the table has behind the last key would be
    found where it is read."""
    case = Case((3, 2, 2, 3, 192, 64, 64), (2**40, 33, 64), target=target, page=16, missing=True)
    assert is_found(case, FAULTS_OF_PAGES[name], is_before=name == BEFORE)


@pytest.mark.parametrize(
    ("target", "name"),
    [(t, name) for name in FAULTS_OF_WIDE_PAGES for t in ("cuda", "hip") if t == "hip" or "first tile" not in name],
)
def test_faults_of_wide_pages_are_found(target: str, name: str) -> None:
    """The same where each tile is of one page."""
    case = Case((3, 2, 2, 3, 192, 64, 64), (2**40, 33, 64), target=target, page=64, missing=True)
    assert is_found(case, FAULTS_OF_WIDE_PAGES[name], is_before=name == BEFORE)
