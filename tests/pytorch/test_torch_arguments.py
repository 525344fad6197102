"""`uol.ops.<name>` with arguments of the wrong kind: what was expected is said, whatever PyTorch would say."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch

import uol

pytestmark = pytest.mark.usefixtures("own_cache")

X = torch.ones(3, 4)
POOL = torch.ones(1, 1, 4, 4)
WHOLE = "op plus_whole(a: T[*S], b: T[*S]) -> (y: T[*S]) for T in (f32, i32) { y[*s] = a[*s] + b[*s] }"
plus = uol.op(WHOLE)


def nested() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "the API is in prototype stage"
        return torch.nested.nested_tensor([torch.ones(3)])


BAD: dict[str, Callable[[], object]] = {
    "add: b is 'x', not a tensor or a number": lambda: uol.ops.add(X, "x"),
    "add: a is None, not a tensor or a number": lambda: uol.ops.add(None, X),
    "add: b is array([1., 1.]), not a tensor or a number": lambda: uol.ops.add(X, np.ones(2)),
    "add: b is 1j, not a tensor or a number": lambda: uol.ops.add(X, 1j),
    "plus_whole: b is 1.5, the tensors are torch.int32": lambda: plus(X.int(), 1.5),
    f"plus_whole: b is {2**70}, which no torch.int32 is": lambda: plus(X.int(), 2**70),
    "relu: x is a tensor of the layout torch.sparse_coo": lambda: uol.ops.relu(X.to_sparse()),
    "relu: x is a tensor of the layout torch.sparse_csr": lambda: uol.ops.relu(X.to_sparse_csr()),
    "relu: x is a tensor of the layout torch._mkldnn": lambda: uol.ops.relu(X.to_mkldnn()),
    "relu takes PyTorch tensors, not [1.0, 2.0]": lambda: uol.ops.relu([1.0, 2.0]),
    "relu: x is a nested tensor": lambda: uol.ops.relu(nested()),
    "rms_norm: the attribute eps is float, not 'x'": lambda: uol.ops.text.rms_norm(X, X[0], eps="x"),
    "max_pool2d: the attribute kernel is int, not 2.5": lambda: uol.ops.text.max_pool2d(POOL, kernel=2.5),
    "max_pool2d: the attribute kernel is int, not True": lambda: uol.ops.text.max_pool2d(POOL, kernel=True),
    "cast: dtype is 'f16', not a torch.dtype": lambda: uol.ops.cast(X, dtype="f16"),
    "cast: dtype is 5, not a torch.dtype": lambda: uol.ops.cast(X, dtype=5),
    "cast: dtype is torch.complex64, which is no type of the language": lambda: uol.ops.cast(X, dtype=torch.complex64),
    f"add: a of {2**31}x{2**33} elements is beyond 64-bit addresses": (
        lambda: uol.ops.add(torch.ones(1).expand(2**31, 1), torch.ones(1).expand(1, 2**33))
    ),
    f"relu: x of {2**61} elements is beyond 64-bit addresses": lambda: uol.ops.relu(torch.ones(1).expand(2**61)),
}


@pytest.mark.parametrize("message", BAD)
def test_what_was_expected_is_said(message: str) -> None:
    with pytest.raises(uol.UolError) as raised:
        BAD[message]()
    assert raised.value.message == message
    assert raised.value.hint


@pytest.mark.parametrize("number", [2, 2.0, True, np.float32(2), np.int64(2), np.array(2.0), torch.tensor(2.0)])
def test_numbers_of_every_kind_are_taken(number: object) -> None:
    assert torch.equal(uol.ops.add(X, number), X + float(number))  # type: ignore[arg-type]


def test_numbers_of_numpy_are_attributes() -> None:
    assert uol.ops.text.max_pool2d(POOL, kernel=np.int64(2)).shape == (1, 1, 2, 2)
    assert torch.equal(uol.ops.text.rms_norm(X, X[0], eps=np.float32(0.5)), uol.ops.text.rms_norm(X, X[0], eps=0.5))


@pytest.mark.parametrize("number", [3, 3.5])
def test_tracing_takes_numbers(number: float) -> None:
    traced = torch.compile(lambda x, n: uol.ops.add(x, n), backend="eager", fullgraph=True, dynamic=True)
    assert torch.equal(traced(X, number), X + number)
