"""Products, copies and parallel loops whose dims are arguments: one kernel at many sizes, by PyTorch in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tvm import tirx

import uol
from uol.backends.cpu.expressions import arithmetic
from uol.backends.cpu.expressions.builder import PARTS_PER_THREAD
from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.operands import panels
from uol.backends.cpu.runtime import thread_pool
from uol.backends.cpu.schedules import panels as panel_schedule
from uol.compiler import Compiled

RNG = np.random.default_rng(3)
STORED = {"f16": np.float16, "f32": np.float32}
OF_ONE_KEY = {"B": 1, "H": 4, "G": 4, "M": 1, "D": 8, "E": 8}


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    """However little there is to do, operands are copied into panels. Keys of the cache know nothing of that."""
    monkeypatch.setattr(panels, "FEWEST_PRODUCTS", 0)
    monkeypatch.setattr(panels, "fewest_rows", lambda spec: 1)
    monkeypatch.setattr(panel_schedule, "fewest_rows", lambda spec: 1)
    monkeypatch.setattr(panel_schedule, "COPIES_PAY", 0)


def numbers(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def require_close(found: np.ndarray, golden: torch.Tensor) -> None:
    assert found.shape == tuple(golden.shape)
    np.testing.assert_allclose(found, golden.numpy(), rtol=2e-5, atol=2e-5 * max(1.0, float(golden.abs().max())))


def doubles(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(each).double() for each in arrays]


def test_columns_that_lie_along_a_k_of_any_length_are_transposed(copied: None) -> None:
    """Runs of a vector, of halves of it, and single steps; the last of a line begins earlier where it would end beyond."""
    kernel = uol.compile("linear", dims={"S": (None,), "K": None, "N": None})
    assert "over panels" in str(kernel.explain())
    for k in (*range(1, 40), 47, 64, 1030):
        x, w, b = numbers(19, k), numbers(37, k), numbers(37)
        require_close(kernel(x, w, b), torch.nn.functional.linear(*doubles(x, w, b)))


def test_a_block_that_several_lines_share_is_summed_once(copied: None) -> None:
    """A weight gradient: k is the pixels of a picture, whose lines are short."""
    kernel = uol.compile("conv2d_grad", dims={"N": 2, "C": 4, "H": None, "W": None, "O": 20, "R": 3, "S": 3}, attrs={"pad": 1})
    for height, width in ((5, 1), (6, 3), (4, 5), (3, 8), (7, 13), (2, 16), (5, 17), (3, 41)):
        require_gradients(kernel, (2, 4, height, width), (20, 4, 3, 3), stride=1)


def test_a_vector_of_pixels_meets_as_many_lines_as_there_are(copied: None) -> None:
    """A convolution and the gradient of one with a stride, whose residues have lines of half the length."""
    dims = {"N": 3, "C": 3, "H": 23, "W": None, "O": 18, "R": 3, "S": 3}
    kernel = uol.compile("conv2d", dims=dims, attrs={"pad": 1})
    strided = uol.compile("conv2d_grad", dims=dims, attrs={"pad": 1, "stride": 2})
    for width in (*range(1, 20), 28, 33, 70):
        x, w = numbers(3, 3, 23, width), numbers(18, 3, 3, 3)
        require_close(kernel(x, w), torch.nn.functional.conv2d(*doubles(x, w), padding=1))
        require_gradients(strided, (3, 3, 23, width), (18, 3, 3, 3), stride=2)


def test_the_place_of_a_pixel_is_a_plain_quotient(copied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a column by the length of a line, neither of which is negative: no quotient that rounds down, about each of which TVM
    reasons so long that an open convolution compiles for a minute."""
    rounded_down = []

    def recorded(share: Share, x: Term, y: Term, dtype: str) -> Term:
        rounded_down.extend([] if isinstance(y, tirx.IntImm) else [y])
        return floor_divide(share, x, y, dtype)

    floor_divide = arithmetic.floor_divide
    monkeypatch.setattr(arithmetic, "floor_divide", recorded)
    dims = {"N": 2, "C": 3, "H": 5, "W": None, "D": 18, "R": 3, "S": 3}
    kernel = uol.compile("conv_transpose2d", dims=dims, attrs={"pad": 1, "stride": 2})
    assert not rounded_down
    for width in (1, 3, 17, 33):
        x, w = numbers(2, 3, 5, width), numbers(3, 18, 3, 3)
        require_close(kernel(x, w), torch.nn.functional.conv_transpose2d(*doubles(x, w), stride=2, padding=1))


def require_gradients(kernel: Compiled, image: tuple[int, ...], filters: tuple[int, ...], stride: int) -> None:
    """Beside autograd."""
    x, w = numbers(*image), numbers(*filters)
    operands = [each.requires_grad_() for each in doubles(x, w)]
    y = torch.nn.functional.conv2d(*operands, padding=1, stride=stride)
    dy = numbers(*y.shape)
    golden = torch.autograd.grad(y, operands, *doubles(dy))
    for found, expected in zip(kernel(x, w, dy), golden, strict=True):
        require_close(found, expected)


def test_every_step_of_a_parallel_loop_is_run_once() -> None:
    """Fewer steps than threads are dealt, as many, more; what is left over of each thread's share."""
    kernel = uol.compile("softmax", dims={"S": (None,), "C": 4099})
    for rows in (0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 100, 127, 129, 200):
        x = numbers(rows, 4099)
        np.testing.assert_allclose(kernel(x), torch.softmax(doubles(x)[0], -1).numpy(), rtol=2e-6, atol=1e-9)


def test_a_loop_has_as_many_parts_as_the_pool_deals_out() -> None:
    assert f"#define TASKS_PER_THREAD {PARTS_PER_THREAD}\n" in thread_pool.SOURCE.read_text()


@pytest.mark.parametrize(("dtype", "known"), [("f16", {}), ("f32", {}), ("f32", OF_ONE_KEY)])
def test_an_attention_of_any_sizes(dtype: str, known: dict[str, int]) -> None:
    """Narrow queries are copied whole, whatever their dims; one key is no axis, and has no strip."""
    kernel = uol.compile("masked_attention", "cpu", dtype, {**dict.fromkeys("BHGLMDE"), **known})
    for batch, rows, cols in ((known.get("B", 2), 9, known.get("M", 17)), (1, 21, known.get("M", 3))):
        q, k, v = (RNG.standard_normal((batch, 4, n, 8)).astype(STORED[dtype]) for n in (rows, cols, cols))
        mask = RNG.integers(0, 4, (batch, 4, rows, cols)).astype(bool)
        given = (torch.from_numpy(each).double() for each in (q, k, v))
        wanted = torch.nn.functional.scaled_dot_product_attention(*given, torch.from_numpy(mask)).nan_to_num()
        found = torch.from_numpy(np.asarray(kernel(q, k, v, mask))).double()
        torch.testing.assert_close(found, wanted, rtol=0, atol=2e-3 if dtype == "f16" else 1e-6)
