"""A type variable that may be a float or an integer: where it is an integer, the other inputs keep their gradient, and what has
that type has none, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import uol
from uol.ir.errors import UolError
from uol.operators.registry import find_operator

SCALED = """op scaled_by_keys(x: T[N], k: K[N]) -> (y: T[N], z: K[N]) for T in (f64, f32), K in (f32, f64, i64, i32) {
  y[i] = x[i] * x[i] * T(k[i])
  z[i] = k[i] * k[i]
}"""
CALLER = """op calls_one_with_keys(x: T[N], k: i64[N]) -> (y: T[N]) for T in (f64, f32) {
  (h[i], z[i]) = scaled_by_keys(x, k)
  y[i] = h[i] * x[i] + T(z[i])
}"""
BESIDE_ONE = "op scaled_by_one(x: f32[N], k: K[N]) -> (y: f32[N]) for K in (f32, i64, bool) { y[i] = x[i] * x[i] * f32(k[i]) }"

Function = Callable[[torch.Tensor], torch.Tensor]

pytestmark = pytest.mark.usefixtures("own_cache")


def scaled(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    return x * x * k.to(x.dtype)


def floats() -> torch.Tensor:
    return torch.tensor([1.0, -2.0, 0.5, 3.0], requires_grad=True)


KEYS = torch.tensor([4, -5, 0, 7])


@pytest.mark.parametrize("keys", [torch.int64, torch.int32, torch.float32, torch.float64])
@pytest.mark.parametrize("by_integers_first", [False, True])
def test_the_other_inputs_have_their_gradient(keys: torch.dtype, by_integers_first: bool) -> None:
    op, k = uol.op(SCALED), KEYS.to(keys)
    for _ in range(2 if by_integers_first else 1):
        op(floats(), KEYS)  # which text is taken depends on the call, not on the first of them
    x, beside = floats(), floats()
    y, z = op(x, k)
    y.square().sum().backward()
    scaled(beside, k).square().sum().backward()
    torch.testing.assert_close(x.grad, beside.grad)
    assert not z.requires_grad or z.is_floating_point()
    assert k.grad is None


def test_of_floats_both_have_one() -> None:
    op = uol.op(SCALED)
    x, k, x_beside, k_beside = floats(), KEYS.float().requires_grad_(), floats(), KEYS.float().requires_grad_()
    y, z = op(x, k)
    (y.sum() + z.sum()).backward()
    (scaled(x_beside, k_beside).sum() + k_beside.square().sum()).backward()
    torch.testing.assert_close([x.grad, k.grad], [x_beside.grad, k_beside.grad])


@pytest.mark.parametrize("keys", [torch.int64, torch.float32, torch.bool])
def test_beside_inputs_of_one_type(keys: torch.dtype) -> None:
    op, x, beside, k = uol.op(BESIDE_ONE), floats(), floats(), KEYS.to(keys)
    op(x, k).sum().backward()
    scaled(beside, k).sum().backward()
    torch.testing.assert_close(x.grad, beside.grad)


def once(f: Function, *, create_graph: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    x = floats()
    return x, torch.autograd.grad(f(x).sum(), x, create_graph=create_graph)[0]


def twice(f: Function) -> torch.Tensor:
    x, slope = once(f, create_graph=True)
    return torch.autograd.grad(slope.sum(), x)[0]


WAYS: dict[str, Callable[[Function], torch.Tensor]] = {
    "func.grad": lambda f: torch.func.grad(lambda x: f(x).sum())(floats().detach()),
    "twice": twice,
    "torch.compile": lambda f: once(torch.compile(f, backend="aot_eager", fullgraph=True))[1],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_it(way: str) -> None:
    op = uol.op(SCALED)
    op(floats(), KEYS)  # from then on PyTorch knows it by name, as what is compiled has to call it
    called = torch.ops.uol.scaled_by_keys if way == "torch.compile" else op
    torch.testing.assert_close(WAYS[way](lambda x: called(x, KEYS)[0]), WAYS[way](lambda x: scaled(x, KEYS)))


def test_through_a_call() -> None:
    uol.op(SCALED)
    op, x, beside = uol.op(CALLER), floats(), floats()
    op(x, KEYS).sum().backward()
    (scaled(beside, KEYS) * beside + KEYS * KEYS).sum().backward()
    torch.testing.assert_close(x.grad, beside.grad)


def test_the_gradient_of_integers_is_an_operator_by_name() -> None:
    uol.op(SCALED)
    found = find_operator("scaled_by_keys_grad_integer_K")
    assert dict((t.variable, t.types) for t in found.domain) == {"T": ("f64", "f32"), "K": ("i64", "i32")}
    assert [r.name for r in found.results] == ["dx"]
    for name in ("scaled_by_keys_grad_integer_T_K", "scaled_by_keys_grad_integer_", "scaled_by_keys_grad_integers_K"):
        with pytest.raises(UolError, match="unknown operator"):
            find_operator(name)
