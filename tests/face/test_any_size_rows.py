"""Reductions and attentions whose dims are arguments, at sizes around those of vectors and of what a row keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_any_size_products import F, kernel_of, require, seeded

from uol.backends.cpu.host import THREADS, host
from uol.backends.cpu.schedules import along_cols
from uol.backends.cpu.schedules.kinds import Reduction, Strips

LENGTHS = (1, 7, 8, 9, 31, 32, 33, 40, 63, 65, 100, 257)
"""Around vectors, and around four of them."""


@pytest.mark.parametrize("room", [0, along_cols.ROW_BUFFER_BYTES])
def test_rows_of_any_length_keep_what_fits(room: int, monkeypatch: pytest.MonkeyPatch, own_cache: object) -> None:
    """With room for 33 values a row, and for all of them."""
    if not room:
        monkeypatch.setattr(along_cols, "ROW_BUFFER_BYTES", 4 * 33)
    kernel = kernel_of("softmax", {"S": 3, "C": 50}, "C")
    (schedule,) = (k.schedule for k in kernel.module.kernels)
    assert isinstance(schedule, Reduction)
    assert schedule.keep
    for length in LENGTHS:
        x = seeded(3, length)
        require(kernel, {"S": 3, "C": length}, F.softmax(x, -1), x)


@pytest.mark.parametrize("varying", ["S", "C", "SC"])
def test_norms_of_rows_of_any_length(varying: str) -> None:
    kernel = kernel_of("layer_norm", {"S": 3, "C": 50}, varying)
    for length in LENGTHS[1:]:
        dims = {"S": length if "S" in varying else 3, "C": length if "C" in varying else 50}
        x, w, b = seeded(dims["S"], dims["C"]), seeded(dims["C"]), seeded(dims["C"])
        require(kernel, dims, F.layer_norm(x, [dims["C"]], w, b), x, w, b)


@pytest.mark.parametrize("many", [False, True])
def test_sums_over_any_number_of_rows_go_along_columns(many: bool, monkeypatch: pytest.MonkeyPatch, own_cache: object) -> None:
    """Many columns go by wide blocks; a vector and a few more, whatever this machine's are, do not."""
    monkeypatch.setenv(THREADS, "2")
    n = 1030 if many else host().lanes + 4
    kernel = kernel_of("linear_grad", {"S": 9, "K": 5, "N": n}, "S")
    schedules = {k.name: k.schedule for k in kernel.module.kernels}
    found = schedules["linear_grad_db_kernel"]
    assert isinstance(found, Reduction)
    assert found.along == "rows"
    assert (found.vectors > 1) == many
    for rows in (0, 1, 7, 100):
        x, w, dy = seeded(rows, 5), seeded(n, 5), seeded(rows, n)
        results = [np.empty(shape, np.float32) for shape in ((rows, 5), (n, 5), (n,))]
        given = {"x": x, "w": w, "dy": dy}
        kernel.loaded(*(given[a.name].numpy() for a in kernel.inputs), *results, *kernel.scalars({}), rows)
        for array, golden in zip(results, (dy @ w, dy.T @ x, dy.sum(0)), strict=True):
            np.testing.assert_allclose(array, golden.numpy(), rtol=1e-4, atol=1e-4, err_msg=str(rows))


@pytest.mark.parametrize("op", ["attention", "causal_attention"])
def test_a_batch_of_any_number_is_attended_in_strips(op: str) -> None:
    kernel = kernel_of(op, {"B": 1, "H": 2, "G": 1, "L": 20, "M": 20, "D": 8, "E": 8}, "B")
    assert isinstance(kernel.module.kernels[-1].schedule, Strips)
    for batch in (0, 1, 2, 5):
        q, k, v = seeded(batch, 2, 20, 8), seeded(batch, 1, 20, 8), seeded(batch, 1, 20, 8) * 2
        expected = F.scaled_dot_product_attention(
            q, k.expand(-1, 2, -1, -1), v.expand(-1, 2, -1, -1), is_causal=op == "causal_attention"
        )
        dims = {"B": batch}
        names = [a.name for a in kernel.module.graph.args if a.role == "out"]
        assert names[0] == "y"
        found = np.full(expected.shape, np.nan, np.float32)
        others = [np.empty(max(1, batch) * 2 * 20, np.float32) for _ in names[1:]]
        kernel.loaded(*(t.numpy() for t in (q, k, v)), found, *others, *kernel.scalars({}), dims["B"])
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5, err_msg=str(batch))


@pytest.mark.parametrize("rows", [0, 1, 3, 64, 65])
def test_segments_of_any_number_of_rows(rows: int) -> None:
    kernel = kernel_of("grouped_matmul", {"M": 64, "E": 3, "D": 16, "F": 24}, "M")
    x, w = seeded(rows, 16), seeded(3, 24, 16)
    expert = torch.arange(rows) * 3 // max(rows, 1)
    require(kernel, {"M": rows}, torch.einsum("md,mfd->mf", x, w[expert]), x, expert, w)


@pytest.mark.parametrize(("rows", "columns", "depth"), [(5, 1, 3), (300, 37, 33), (64, 70, 16)])
def test_segments_of_any_number_of_columns(rows: int, columns: int, depth: int) -> None:
    kernel = kernel_of("grouped_matmul", {"M": 64, "E": 3, "D": 16, "F": 24}, "DFM")
    x, w = seeded(rows, depth), seeded(3, columns, depth)
    expert = torch.arange(rows) * 3 // rows
    expected = torch.einsum("md,mfd->mf", x, w[expert])
    require(kernel, {"D": depth, "F": columns, "M": rows}, expected, x, expert, w)
