"""Names: PyTorch's for an operator that has another here, and what is said of one that there is not."""

from __future__ import annotations

import re

import pytest
import torch

import uol
from uol.operators.registry import find_operator, is_known, names
from uol.ops import signatures
from uol.ops.other_names import ALIASES, KIN
from uol.ops.texts import family_of


@pytest.mark.parametrize(("theirs", "ours"), ALIASES.items())
def test_an_alias_is_the_operator(theirs: str, ours: str) -> None:
    assert getattr(uol.ops.text, theirs) is getattr(uol.ops.text, ours)


def test_the_names_that_are_told_are_operators() -> None:
    for name in re.findall(r"\w+", " ".join(KIN.values()).replace("foreach.", "")):
        assert is_known(name) or hasattr(uol.ops.foreach, name), name
    assert not [name for name in (*ALIASES, *KIN) if family_of(name)]
    assert not [name for name in KIN if signatures.forms_of(name)]


def test_to_ask_for_a_name_takes_nothing_in() -> None:
    before = names()
    assert is_known("stack_7")
    assert is_known("softmax")
    assert not is_known("no_such_operator")
    assert names() == before
    assert find_operator("stack_7").name == "stack_7"
    assert names() == sorted([*before, "stack_7"])


HINTS = {
    "histc": "here it is histogram",
    "digitize": "here it is searchsorted, searchsorted_right",
    "softmx": "did you mean softmax",
}


@pytest.mark.parametrize(("name", "hint"), HINTS.items())
def test_an_unknown_name_is_told_the_known_ones(name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=f"'uol.ops' has no operator '{name}': {hint}"):
        getattr(uol.ops, name)
    with pytest.raises(uol.UolError) as caught:
        find_operator(name)
    assert str(caught.value.hint).startswith(hint)


def test_tensors_may_be_given_by_name() -> None:
    x, w, b = torch.randn(3, 5), torch.randn(2, 5), torch.randn(2)
    torch.testing.assert_close(uol.ops.text.linear(x, b=b, w=w), uol.ops.text.linear(x, w, b))
    torch.testing.assert_close(uol.ops.text.clamp(x, low=0.0, high=0.5), x.clamp(0, 0.5))
    with pytest.raises(uol.ShapeError, match="linear takes 3 tensors, not 2"):
        uol.ops.text.linear(x, w)


def test_a_number_has_the_type_of_its_place() -> None:
    x = torch.tensor([-1.5, 2.5], dtype=torch.float64)
    assert torch.equal(uol.ops.where(x > 0, x, 0.5), torch.where(x > 0, x, 0.5))
    assert torch.equal(uol.ops.where(x > 0, 0.5, x), torch.where(x > 0, 0.5, x))
    assert torch.equal(uol.ops.where(True, x, 0.5), x)
    for a, b in ((1.0, 0.0), (1, 0)):
        found, owed = uol.ops.where(x > 0, a, b), torch.where(x > 0, a, b)
        assert found.dtype is owed.dtype and torch.equal(found, owed)


def test_a_name_is_looked_up_once() -> None:
    """Every call by `uol.ops.<name>` would pay for it."""
    found = uol.ops.hypot
    assert vars(uol.ops)["hypot"] is found
    with pytest.raises(AttributeError, match="has no operator 'hypott'"):
        _ = uol.ops.hypott
    assert "hypott" not in vars(uol.ops)
