"""The examples of PyTorch's documentation and the forms that it declares become calls, with the arguments of each."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from uol.conformance.torch_samples import examples, schemas, signatures

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


def test_each_form_of_a_function_has_the_samples_that_it_takes() -> None:
    x = torch.ones(2, 3)
    forms = {str(form): form for form in schemas.schemas_of("sum")}
    assert set(forms) == {"aten.sum.default", "aten.sum.dim_IntList"}

    def named(form: str, *args: Any, **kwargs: Any) -> Any:
        found = schemas.by_name(forms[form], SimpleNamespace(input=x, args=args, kwargs=kwargs))
        return found and list(found)

    assert named("aten.sum.default", dtype=torch.float64) == ["input", "dtype"]
    assert named("aten.sum.dim_IntList", 1, True) == ["input", "dim", "keepdim"]
    assert named("aten.sum.default", 1) is None  # the type has no place
    assert named("aten.sum.dim_IntList", True) is None
    assert named("aten.sum.dim_IntList", x) is None


def test_the_forms_of_a_function_agree() -> None:
    counted = signatures.count_schemas("var", torch.float32, 8)
    assert sum(each.agree for each in counted.values()) > 10
    assert not any(each.differ or each.refused for each in counted.values())
