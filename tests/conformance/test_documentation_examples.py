"""PyTorch's documented examples become calls: which function, which arguments, and what PyTorch refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from uol.conformance.torch_samples import examples, signatures

TEXT = """
Some words.
    >>> import torch
    >>> x = torch.ones(2, 3)
    >>> torch.sum(x,
    ...           dim=1)
    tensor([3., 3.])
    >>> x.sum()
    >>> torch.linalg.norm(x).sum(7)
    >>> x.sum_(0)
"""


def test_each_call_of_an_example_is_told_with_its_arguments() -> None:
    told: list[tuple[list[Any], dict[str, Any]]] = []

    def called(_: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> None:
        told.append(([tuple(x.shape) if isinstance(x, torch.Tensor) else x for x in given], named))

    failed = examples.run("sum", TEXT, called)
    assert told == [([(2, 3)], {"dim": 1}), ([(2, 3)], {}), ([(), 7], {})]
    assert [line.partition(":")[0] for line in failed] == ["torch.linalg.norm(x).sum(7)", "x.sum_(0)"]


def test_a_method_of_another_meaning_is_no_call() -> None:
    told: list[object] = []
    examples.run("unfold", ">>> torch.arange(4).unfold(0, 2, 1)\n", lambda *call: told.append(call))
    assert not told


@pytest.mark.parametrize(("name", "least"), [("index_add", 2), ("sort", 4), ("conv2d", 1), ("where", 3)])
def test_the_examples_of_a_function_agree(name: str, least: int) -> None:
    counted, _ = signatures.count_examples(name)
    assert counted.agree >= least and not counted.differ and not counted.refused


def test_a_wrong_result_of_an_example_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures.ops, "cumsum", torch.cumprod)
    assert signatures.count_examples("cumsum")[0].differ
