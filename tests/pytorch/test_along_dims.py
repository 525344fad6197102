"""`dim=` and `keepdim=` against PyTorch's: along one dim, over several, over all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from turns import by_turns

import uol

X = (torch.arange(2 * 3 * 5).double() * 0.7).sin().reshape(2, 3, 5)

REDUCED: dict[str, Callable[..., Tensor]] = {
    "sum": torch.sum,
    "mean": torch.mean,
    "amax": torch.amax,
    "amin": torch.amin,
    "logsumexp": torch.logsumexp,
    "var": torch.var,
    "l2_norm": torch.linalg.vector_norm,
}
ALONG: dict[str, Callable[..., Tensor]] = {
    "softmax": torch.softmax,
    "log_softmax": torch.log_softmax,
    "cumsum": torch.cumsum,
    "cummax": lambda x, dim: torch.cummax(x, dim).values,
    "sort": lambda x, dim: torch.sort(x, dim).values,
    "argsort": torch.argsort,
    "argmax": torch.argmax,
    "flip": lambda x, dim: x.flip(dim),
    "normalize": torch.nn.functional.normalize,
}


@pytest.mark.parametrize(
    ("name", "dim", "keepdim"), by_turns(2, list(REDUCED), [0, 1, -1, (0, 2), (-1, 0), [1, 2], (0, 1, 2)], [False, True])
)
def test_a_reduction_over_dims(name: str, dim: int | tuple[int, ...], keepdim: bool) -> None:
    owed = REDUCED[name](X, dim=dim, keepdim=keepdim)
    torch.testing.assert_close(getattr(uol.ops.text, name)(X, dim=dim, keepdim=keepdim), owed)


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("dim", [0, 1, 2, -3])
def test_along_a_dim(name: str, dim: int) -> None:
    torch.testing.assert_close(getattr(uol.ops.text, name)(X, dim=dim), ALONG[name](X, dim=dim))


def test_all_dims_and_none() -> None:
    torch.testing.assert_close(uol.ops.text.sum(X, dim=None), X.sum())
    torch.testing.assert_close(uol.ops.text.prod(X[0, 0, 0], dim=None), X[0, 0, 0])
    torch.testing.assert_close(uol.ops.text.sum(torch.ones(3, 0, 2), dim=1), torch.zeros(3, 2))


def test_several_inputs_and_results() -> None:
    at = torch.tensor([[[0, 2, 1, 1, 0]]]).expand(2, 4, 5)
    torch.testing.assert_close(uol.ops.text.gather(X, at, dim=1), torch.gather(X, 1, at))
    values, places = uol.ops.text.topk(X, dim=1, top=2)
    owed = torch.topk(X, 2, dim=1)
    torch.testing.assert_close((values, places), (owed.values, owed.indices))
    torch.testing.assert_close(uol.ops.text.cosine_similarity(X, X.cos(), dim=0), torch.cosine_similarity(X, X.cos(), dim=0))


def test_gradients_and_traces_go_through() -> None:
    x = X.clone().requires_grad_()
    assert gradcheck(lambda x: uol.ops.text.softmax(x, dim=1), (x,))
    assert gradcheck(lambda x: uol.ops.text.logsumexp(x, dim=(0, 2)), (x,))
    traced = torch.compile(lambda x: uol.ops.text.mean(x, dim=(0, 2), keepdim=True), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(traced(X), X.mean((0, 2), keepdim=True))


WRONG = {
    "sum: dim is 3": lambda: uol.ops.text.sum(X, dim=3),
    "sum: dim is (0, 0)": lambda: uol.ops.text.sum(X, dim=(0, 0)),
    "sum: dim is 'x'": lambda: uol.ops.text.sum(X, dim="x"),
    "softmax: dim is (0, 1)": lambda: uol.ops.text.softmax(X, dim=(0, 1)),
    "softmax keeps its dims": lambda: uol.ops.text.softmax(X, dim=0, keepdim=True),
    "softmax: dim is 0": lambda: uol.ops.text.softmax(torch.ones(()), dim=0),
    "relu has no attribute 'dim'": lambda: uol.ops.text.relu(X, dim=0),
    "sum takes out= along the last dim alone": lambda: uol.ops.text.sum(X, dim=0, out=torch.empty(3, 5)),
    "dot: dim counts the dims of tensors that have [3, 2]": lambda: uol.ops.text.dot(X, X[0], dim=0),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_dims_are_said(message: str) -> None:
    with pytest.raises(uol.ShapeError) as caught:
        WRONG[message]()
    assert message in str(caught.value)
