"""Sums in one order: `deterministic=True`, and PyTorch's `use_deterministic_algorithms`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import uol
from uol.backends import registry
from uol.backends.twin import Job, execute_many
from uol.compilation.request import resolve_target
from uol.compiler import Compiled
from uol.conformance.cases.counted import compare
from uol.pytorch.bridge import defined, operator

GPUS = [name for name in registry.names() if registry.get(name).capability.unordered]


def compiled(target: str, deterministic: bool) -> Compiled:
    dims, attrs = {"N": 50, "D": 3}, {"places": 7}
    return uol.compile("scatter_add", target, dims=dims, attrs=attrs, deterministic=deterministic)


@pytest.fixture
def in_one_order() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_some_machines_add_in_any_order() -> None:
    assert GPUS


@pytest.mark.parametrize("target", GPUS)
def test_a_deterministic_kernel_has_no_atomic_addition_of_floats(target: str) -> None:
    assert "atomic_add" in compiled(target, False).source
    assert "atomic_add" not in compiled(target, True).source


def added(rows: np.ndarray, places: np.ndarray, number: int) -> np.ndarray:
    """Sums into places, those out of range left out, in f64."""
    found, is_place = np.zeros((number, *rows.shape[1:])), (places >= 0) & (places < number)
    np.add.at(found, places[is_place], rows[is_place].astype(np.float64))
    return found


def cases() -> Iterator[tuple[str, dict[str, object], dict[str, int], dict[str, np.ndarray], np.ndarray]]:
    """Rows and numbers into places, terms of two axes, places of every row; an order of more than one tile; places in order."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    x, at = drawn(2100, 40), rng.integers(-3, 310, 2100)
    yield "scatter_add", {"N": 2100, "D": 40}, {"places": 300}, {"x": x, "at": at}, added(x, at, 300)
    up = np.sort(at)
    yield "segment_sum", {"N": 2100, "D": 40}, {"segments": 300}, {"x": x, "at": up}, added(x, up, 300)
    w = drawn(1000)
    yield "weighted_bincount", {"N": 1000}, {"bins": 7}, {"w": w, "at": at[:1000] // 40}, added(w, at[:1000] // 40, 7)
    dy, two = drawn(4, 30, 16), rng.integers(-1, 51, (4, 30))
    table = {"w": np.zeros((50, 16), np.float32), "at": two, "dy": dy}
    yield "embedding_grad", {"S": (4, 30), "N": 50, "D": 16}, {}, table, added(dy.reshape(-1, 16), two.ravel(), 50)
    dy, own = drawn(3, 80), rng.integers(0, 40, (3, 80))
    every = np.stack([added(dy[row], own[row], 40) for row in range(3)])
    given = {"x": np.zeros((3, 40), np.float32), "at": own, "dy": dy}
    yield "gather_grad", {"S": (3,), "N": 40, "K": 80}, {}, given, every


@pytest.mark.parametrize("target", GPUS)
def test_sums_in_one_order_are_right_and_cost_what_is_said(target: str) -> None:
    for op, dims, attrs, inputs, expected in cases():
        kernel = uol.compile(op, target, dims=dims, attrs=attrs, deterministic=True)
        assert "atomic_add" not in kernel.source
        jobs = [Job(kernel.module, inputs, attrs, shift=1), Job(kernel.module, inputs, attrs, counted=True, most_blocks=None)]
        checked, counted = execute_many(jobs)
        assert not checked.findings, (op, checked.findings)
        (found,) = checked.outputs.values()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=op)
        wrong = [str(count) for count in compare(kernel.module, counted) if not count.agrees]
        assert not wrong, (op, wrong)


@pytest.mark.parametrize("target", GPUS)
def test_whole_numbers_are_added_in_any_order(target: str) -> None:
    counted = uol.compile("bincount", target, dims={"N": 50}, attrs={"bins": 7}, deterministic=True)
    assert "atomic_add" in counted.source


def test_the_cpu_has_one_kernel_for_both() -> None:
    assert compiled("cpu", True).request.key("binary") == compiled("cpu", False).request.key("binary")


@pytest.mark.parametrize("target", GPUS)
def test_a_call_asks_for_what_pytorch_asks(target: str, request: pytest.FixtureRequest) -> None:
    inputs = (torch.ones(50, 3), torch.zeros(50, dtype=torch.int64))
    operator("scatter_add")  # defines it
    found = defined()["scatter_add"]
    assert not found.request(inputs, {"places": 7}, resolve_target(target)).deterministic
    request.getfixturevalue("in_one_order")
    assert found.request(inputs, {"places": 7}, resolve_target(target)).deterministic
