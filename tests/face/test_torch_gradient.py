"""A derivative that is not there is said, never guessed: backward, forward, functional, traced, batched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.autograd import forward_ad

import uol

pytestmark = pytest.mark.usefixtures("own_cache")

X = torch.tensor([-1.0, 2.0, 3.0])


def total(x: torch.Tensor) -> torch.Tensor:
    result = uol.ops.relu(x)
    assert isinstance(result, torch.Tensor)
    return result.sum()


def leaf() -> torch.Tensor:
    return X.clone().requires_grad_()


def dual() -> object:
    with forward_ad.dual_level():
        return total(forward_ad.make_dual(X, X))


WAYS: dict[str, Callable[[], object]] = {
    "backward": lambda: total(leaf()).backward(),
    "autograd.grad": lambda: torch.autograd.grad(total(x := leaf()), x),
    "func.grad": lambda: torch.func.grad(total)(X),
    "func.vjp": lambda: torch.func.vjp(total, X)[1](torch.tensor(1.0)),
    "func.jvp": lambda: torch.func.jvp(total, (X,), (X,)),
    "jacrev": lambda: torch.func.jacrev(total)(X),
    "jacfwd": lambda: torch.func.jacfwd(total)(X),
    "hessian": lambda: torch.func.hessian(total)(X),
    "forward mode": dual,
    "per sample": lambda: torch.func.vmap(torch.func.grad(total))(X.expand(2, 3)),
    "torch.compile": lambda: torch.compile(total, backend="aot_eager")(leaf()).backward(),
}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("way", WAYS)
def test_there_is_no_gradient_yet(way: str) -> None:
    with pytest.raises(uol.UolError) as raised:
        WAYS[way]()
    assert raised.value.message == "relu has no gradient yet"
    assert raised.value.hint is not None
    assert "torch.no_grad()" in raised.value.hint
    assert "x.detach()" in raised.value.hint


def test_what_the_hint_says_works() -> None:
    with torch.no_grad():
        assert not uol.ops.relu(leaf()).requires_grad
    assert not uol.ops.relu(leaf().detach()).requires_grad


def test_a_result_without_a_derivative_is_free() -> None:
    assert not uol.ops.argmax(leaf()).requires_grad


def test_other_inputs_keep_their_gradients() -> None:
    x, y = leaf(), leaf()
    loss = total(x).detach() * y.sum()
    loss.backward()
    assert torch.equal(y.grad, torch.full((3,), 5.0))
