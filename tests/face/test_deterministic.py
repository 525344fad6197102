"""Sums in one order: `deterministic=True`, and PyTorch's `use_deterministic_algorithms`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import uol
from uol.backends import registry
from uol.compilation.request import resolve_target
from uol.compiler import Compiled
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
