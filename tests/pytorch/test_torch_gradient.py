"""Gradients of uol.ops in PyTorch: every way that PyTorch takes one, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode
from turns import by_turns

import uol

pytestmark = pytest.mark.usefixtures("own_cache")

X = torch.tensor([[-1.0, 2.0, 3.0], [0.5, -0.25, 4.0]], dtype=torch.float64)
EXPECTED = torch.func.grad(lambda x: torch.softmax(x, 1).square().sum())(X)


def total(x: torch.Tensor) -> torch.Tensor:
    result = uol.ops.text.softmax(x)
    assert isinstance(result, torch.Tensor)
    return result.square().sum()


def leaf() -> torch.Tensor:
    return X.clone().requires_grad_()


def by_backward(function: Callable[[torch.Tensor], torch.Tensor] = total) -> torch.Tensor:
    x = leaf()
    function(x).backward()
    assert x.grad is not None
    return x.grad


WAYS: dict[str, Callable[[], torch.Tensor]] = {
    "backward": by_backward,
    "autograd.grad": lambda: torch.autograd.grad(total(x := leaf()), x)[0],
    "func.grad": lambda: torch.func.grad(total)(X),
    "func.vjp": lambda: torch.func.vjp(total, X)[1](torch.tensor(1.0, dtype=torch.float64))[0],
    "jacobian": lambda: torch.autograd.functional.jacobian(total, X),
    "jacobian, all at once": lambda: torch.autograd.functional.jacobian(total, X, vectorize=True),
    "jacrev": lambda: torch.func.jacrev(total)(X),
    "per sample": lambda: torch.func.vmap(torch.func.grad(lambda row: total(row[None])))(X),
    "torch.compile": lambda: by_backward(torch.compile(total, backend="aot_eager", fullgraph=True)),
}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_gradient(way: str) -> None:
    torch.testing.assert_close(WAYS[way](), EXPECTED)


def forward_mode() -> object:
    with forward_ad.dual_level():
        return total(forward_ad.make_dual(X, X))


@pytest.mark.parametrize(
    "way",
    [forward_mode, lambda: torch.func.jvp(total, (X,), (X,)), lambda: torch.func.jacfwd(total)(X)],
    ids=["dual", "func.jvp", "jacfwd"],
)
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_there_is_no_forward_mode(way: Callable[[], object]) -> None:
    with pytest.raises(uol.UolError) as raised:
        way()
    assert raised.value.message == "softmax has no forward-mode derivative"
    assert raised.value.hint is not None
    assert "torch.func.grad" in raised.value.hint


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_second_derivatives() -> None:
    torch.testing.assert_close(
        torch.func.jacrev(torch.func.jacrev(total))(X),
        torch.func.hessian(lambda x: torch.softmax(x, 1).square().sum())(X),
    )
    x = leaf()
    assert gradcheck(uol.ops.text.softmax, (x,)) and gradgradcheck(uol.ops.text.softmax, (x,))


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


def test_what_needs_no_gradient_is_not_computed() -> None:
    x, w = random(1, 4, 6, 7), random(6, 2, 3, 2)

    def conv(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        result = uol.ops.text.conv2d(x, w, stride_h=2, pad=1, groups=2, dilation_w=2)
        assert isinstance(result, torch.Tensor)
        return result

    assert gradcheck(conv, (x, w)) and gradcheck(lambda x: conv(x, w.detach()), (x,))
    assert gradcheck(lambda w: conv(x.detach(), w), (w,)) and gradgradcheck(conv, (x, w))


@pytest.mark.parametrize("needed", by_turns(2, [(0,), (1,), (2,), (0, 2), (0, 1, 2)]))
def test_a_written_gradient_gives_what_is_asked_for(needed: tuple[int, ...]) -> None:
    tensors = [random(1, 4, 3, 5), random(1, 2, 6, 5), random(1, 2, 6, 7)]
    given = [t if n in needed else t.detach() for n, t in enumerate(tensors)]
    assert gradcheck(lambda *chosen: _attention(given, needed, chosen), [tensors[n] for n in needed])


MASK = torch.tensor([[[1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]]]).bool()  # all, none, one of a row's keys
ATTENTIONS: dict[str, Callable[..., object]] = {
    "attention": uol.ops.attention,
    "causal_attention": uol.ops.causal_attention,
    "masked_attention": lambda q, k, v: uol.ops.masked_attention(q, k, v, MASK),
    "biased_attention": lambda q, k, v: uol.ops.biased_attention(q, k, v, q[0, :, :, :1] * k[0, :1, None, :, 0]),
}


@pytest.mark.parametrize("name", by_turns(4, list(ATTENTIONS)))
def test_attention_has_derivatives_of_every_order(name: str) -> None:
    tensors = (random(1, 4, 3, 5), random(1, 2, 6, 5), random(1, 2, 6, 7))
    assert gradcheck(ATTENTIONS[name], tensors) and gradgradcheck(ATTENTIONS[name], tensors)


def sees(function: Callable[[], object]) -> list[str]:
    """The operators of ours that PyTorch's dispatcher sees."""
    names: list[str] = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, fn, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            names.extend([fn.name().removeprefix("uol::")] if fn.namespace == "uol" else [])
            return fn(*args, **(kwargs or {}))

    with Recorder():
        function()
    return names


def test_what_a_gradient_saves_is_computed_where_one_is_recorded() -> None:
    tensors = (random(1, 4, 3, 5), random(1, 2, 6, 5), random(1, 2, 6, 7))
    plain = tuple(t.detach() for t in tensors)

    def loss(*inputs: torch.Tensor) -> torch.Tensor:
        result = uol.ops.attention(*inputs)
        assert isinstance(result, torch.Tensor)
        return result.square().sum()

    assert sees(lambda: loss(*plain)) == ["attention"]
    assert sees(lambda: loss(*tensors).backward()) == ["attention_saving", "attention_grad"]
    assert sees(lambda: torch.func.grad(loss)(*plain)) == ["attention_saving", "attention_grad"]
    saved = [t.shape for t in uol.ops.attention(*tensors).grad_fn.saved_tensors]  # type: ignore[union-attr,attr-defined]
    assert saved == [*(t.shape for t in tensors), (1, 4, 3, 7), (1, 4, 3), (1, 4, 3)]


@pytest.mark.parametrize("dtype", by_turns(2, [torch.float16, torch.bfloat16]))
def test_what_is_saved_of_narrow_rows_is_kept_in_f32(dtype: torch.dtype) -> None:
    q, k, v = (random(*s).detach().to(dtype).requires_grad_() for s in ((1, 4, 3, 5), (1, 2, 6, 5), (1, 2, 6, 7)))
    y = uol.ops.attention(q, k, v)
    assert isinstance(y, torch.Tensor) and y.grad_fn is not None
    node: Any = y.grad_fn
    assert [t.dtype for t in node.saved_tensors] == [dtype] * 4 + [torch.float32] * 2
    y.square().sum().backward()
    assert q.grad is not None and q.grad.dtype is dtype


TRANSFORMS: dict[str, Callable[[Callable[..., torch.Tensor]], Callable[..., object]]] = {
    "backward": lambda f: lambda *t: torch.autograd.grad(f(*(leaves := [x.clone().requires_grad_() for x in t])), leaves),
    "torch.compile": lambda f: TRANSFORMS["backward"](torch.compile(f, backend="aot_eager", fullgraph=True)),
    "dynamic shapes": lambda f: TRANSFORMS["backward"](torch.compile(f, backend="aot_eager", fullgraph=True, dynamic=True)),
    "func.grad": lambda f: torch.func.grad(f, argnums=(0, 2)),
    "jacrev twice": lambda f: torch.func.jacrev(torch.func.jacrev(f)),
    "vmap of grad": lambda f: torch.func.vmap(torch.func.grad(lambda *t: f(*(x[None] for x in t)))),
    "grad of vmap": lambda f: torch.func.grad(lambda *t: torch.func.vmap(lambda *t: f(*(x[None] for x in t)))(*t).sum()),
}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("way", TRANSFORMS)
def test_what_is_saved_goes_through_every_transform(way: str) -> None:
    tensors = [random(*s).detach() for s in ((2, 2, 2, 3), (2, 2, 4, 3), (2, 2, 4, 3))]
    ours = TRANSFORMS[way](lambda *t: uol.ops.attention(*t).square().sum())  # type: ignore[union-attr]  # a tensor
    theirs = TRANSFORMS[way](lambda q, k, v: ((q @ k.mT / 3**0.5).softmax(-1) @ v).square().sum())
    torch.testing.assert_close(ours(*tensors), theirs(*tensors))


def test_a_users_gradient_may_save_what_it_asks_for() -> None:
    uol.op(
        """
        op own_total(x: T[*S, C]) -> (y: T[*S], n: T[*S]) for T in (f64, f32) {
          z[*s] = sum[c](exp(acc(x[*s, c])));  y[*s] = T(log(z[*s]));  n[*s] = T(sum[c](acc(x[*s, c])))
        }
        op own_total_grad(x: T[*S, C], z: acc(T)[*S], dy: T[*S], dn: T[*S]) -> (dx: T[*S, C]) for T in (f64, f32) {
          dx[*s, c] = T(acc(dy[*s]) / z[*s] * exp(acc(x[*s, c])) + acc(dn[*s]))
        }
        """
    )
    for chosen in (lambda y, n: y, lambda y, n: n, lambda y, n: (y, n)):  # a cotangent that does not come is 0
        x = random(3, 4)
        assert gradcheck(lambda x, chosen=chosen: chosen(*uol.ops.own_total(x)), (x,))
        assert gradgradcheck(lambda x, chosen=chosen: chosen(*uol.ops.own_total(x)), (x,))


def _attention(given: list[torch.Tensor], needed: tuple[int, ...], chosen: tuple[torch.Tensor, ...]) -> torch.Tensor:
    inputs = list(given)
    for n, x in zip(needed, chosen, strict=True):
        inputs[n] = x
    result = uol.ops.attention(*inputs)
    assert isinstance(result, torch.Tensor)
    return result


def test_an_input_that_was_broadcast_gets_the_sum() -> None:
    x, y, z = random(2, 3), random(3), random(2, 1)
    assert gradcheck(uol.ops.mul, (x, y)) and gradcheck(uol.ops.mul, (z, x)) and gradcheck(uol.ops.add, (y, z))


def test_discrete_results_have_no_gradient() -> None:
    at = uol.ops.text.argmax(leaf())
    assert isinstance(at, torch.Tensor)
    assert not at.requires_grad


def test_attributes_and_types_reach_the_gradient() -> None:
    x, gamma, beta = random(4, 5), random(5), random(5)

    def norm(*tensors: torch.Tensor) -> torch.Tensor:
        result = uol.ops.text.layer_norm(*tensors, eps=0.5)
        assert isinstance(result, torch.Tensor)
        return result

    assert gradcheck(norm, (x, gamma, beta))
    half = torch.ones(3, requires_grad=True)
    cast = uol.ops.cast(half, dtype=torch.float16)
    assert isinstance(cast, torch.Tensor)
    cast.sum().backward()
    assert half.grad is not None and half.grad.dtype is torch.float32


def test_without_gradient_nothing_is_kept() -> None:
    with torch.no_grad():
        assert not total(leaf()).requires_grad
    assert not total(X).requires_grad
    assert total(leaf()).requires_grad


SAMPLES = {
    "relu": ((random(3, 4),), {}),
    "softmax": ((random(3, 4),), {}),
    "linear": ((random(3, 4), random(2, 4), random(2)), {}),
    "conv2d": ((random(1, 4, 6, 7), random(6, 2, 3, 2)), {"stride": 2, "pad": 1, "groups": 2}),
}


@pytest.mark.parametrize("name", by_turns(2, list(SAMPLES)))
def test_pytorch_finds_nothing_wrong(name: str) -> None:
    tensors, options = SAMPLES[name]
    assert callable(getattr(uol.ops.text, name))  # named, and so known to PyTorch
    inputs = tuple(t.detach().float().requires_grad_() for t in tensors)
    torch.library.opcheck(getattr(torch.ops.uol, name).default, inputs, options)
