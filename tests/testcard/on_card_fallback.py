"""Where no kernel can be had: what is said, and PyTorch in its place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from toy_backend import ToyBackend

import uol
from testcard import backend
from testcard.backend import RECORD, Launched
from testcard.device import NAME
from uol.backends import registry
from uol.pytorch import fallback
from uol.pytorch.fallback import FallbackWarning

F8 = torch.float8_e4m3fn


@pytest.fixture
def no_driver() -> None:
    RECORD.missing = uol.ToolchainError("no driver of the card was found", hint="install the card's driver")


def fresh(*size: int, grad: bool = False) -> torch.Tensor:
    """Of a shape for which no kernel is there."""
    host = torch.randn(size, generator=torch.Generator().manual_seed(len(size)))
    return host.to(NAME).requires_grad_(grad)


@pytest.mark.usefixtures("no_driver")
def test_a_missing_driver_is_said_with_what_to_do() -> None:
    for call in (uol.ops.text.softmax, torch.ops.uol.softmax, lambda x: uol.ops.text.softmax(x.requires_grad_())):
        with pytest.raises(uol.ToolchainError) as raised:
            call(fresh(2, 11))
        assert raised.value.message == f"softmax: nothing runs on {NAME}:0: no driver of the card was found"
        assert raised.value.hint == "install the card's driver; or let PyTorch compute it: `with uol.fallback():`"


@pytest.mark.usefixtures("no_driver")
def test_pytorch_computes_forward_and_gradient(launches: list[Launched]) -> None:
    x, w, b = fresh(3, 11, grad=True), fresh(11, grad=True), fresh(11, grad=True)
    host = [t.detach().cpu().requires_grad_() for t in (x, w, b)]
    with uol.fallback(), pytest.warns(FallbackWarning, match=r"PyTorch computes layer_norm \(layer_norm: nothing runs on"):
        y = uol.ops.text.layer_norm(x, w, b)
    expected = torch.layer_norm(host[0], (11,), host[1], host[2])
    dy = torch.randn(y.shape)
    y.backward(dy.to(NAME))
    expected.backward(dy)
    assert y.device == x.device
    torch.testing.assert_close(y.cpu(), expected)
    for ours, theirs in zip((x, w, b), host, strict=True):
        assert ours.grad is not None
        torch.testing.assert_close(ours.grad.cpu(), theirs.grad)
    assert not launches


@pytest.mark.usefixtures("no_driver")
def test_it_is_said_once_for_an_operator() -> None:
    fallback._warned.discard("gelu")
    with uol.fallback():
        with pytest.warns(FallbackWarning):
            uol.ops.text.gelu(fresh(13))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            uol.ops.text.gelu(fresh(13))


def test_a_kernel_that_is_there_is_taken(launches: list[Launched]) -> None:
    with uol.fallback():
        uol.ops.exp(fresh(5))
    assert [each.op for each in launches] == ["exp"]


def test_what_the_backend_refuses_is_pytorchs(launches: list[Launched]) -> None:
    scaled = uol.op(
        "op card_scaled(x: f8e4m3[*S], w: f32[*S]) -> (y: f32[*S]) { y[*s] = f32(x[*s]) * w[*s] }", reference=lambda x, w: x * w
    )
    x, w = fresh(4, 6).to(F8), fresh(4, 6, grad=True)
    with pytest.raises(uol.RefusalError, match="no numbers of 8 bits"):
        scaled(x, w)
    with uol.fallback(), pytest.warns(FallbackWarning, match="no numbers of 8 bits"):
        y = scaled(x, w)
    y.sum().backward()
    assert torch.equal(y.cpu(), x.cpu().float() * w.detach().cpu())
    assert w.grad is not None and torch.equal(w.grad.cpu(), x.cpu().float())
    assert not launches


@pytest.mark.usefixtures("no_driver")
def test_other_ways_to_call() -> None:
    x, host = fresh(4, 9), fresh(4, 9).cpu()
    with uol.fallback(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        out = torch.empty(4, 9, device=NAME)
        assert uol.ops.tanh(x, out=out) is out
        torch.testing.assert_close(out.cpu(), host.tanh())
        torch.testing.assert_close(uol.ops.text.sum(x, dim=0, keepdim=True).cpu(), host.sum(0, keepdim=True))
        torch.testing.assert_close(uol.ops.mul(x, 2).cpu(), host * 2)
        assert uol.ops.tanh(x.half()).dtype is torch.float16
        assert uol.ops.text.argmax(x).dtype is torch.int64
        with torch.autocast(NAME, torch.bfloat16):
            assert uol.ops.text.linear(x, x, x.new_zeros(4)).dtype is torch.bfloat16
        p, g = fresh(7), fresh(7)
        uol.ops.foreach.sgd_([p], [g], lr=0.5)
        torch.testing.assert_close(p.cpu(), (fresh(7) - 0.5 * g).cpu())
        compiled = torch.compile(lambda x: uol.ops.tanh(x) + 1, backend="aot_eager")
        torch.testing.assert_close(compiled(x).cpu(), host.tanh() + 1)


@pytest.mark.usefixtures("no_driver")
def test_layers(launches: list[Launched]) -> None:
    def module() -> torch.nn.Module:
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(inplace=True),
            torch.nn.Flatten(),
            torch.nn.Linear(64, 5),
        )

    own, plain = module().to(NAME), module()
    uol.replace(own)
    x = torch.randn(2, 3, 6, 6)
    with uol.fallback(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        found, expected = own(x.to(NAME)), plain(x)
        found.square().sum().backward()
        expected.square().sum().backward()
    torch.testing.assert_close(found.cpu(), expected)
    for ours, theirs in zip(own.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad.cpu(), theirs.grad, rtol=1e-4, atol=1e-4)
    assert not launches


@pytest.mark.usefixtures("no_driver")
def test_what_a_caller_does_wrong_is_an_error_as_ever() -> None:
    text = "op lonely(x: T[*S]) -> (y: T[*S]) for T in (f32, f64) { y[*s] = x[*s] + x[*s] }"
    uol.op(text)
    with uol.fallback(), warnings.catch_warnings():
        warnings.simplefilter("error", FallbackWarning)
        with pytest.raises(uol.ShapeError):
            uol.ops.text.matmul(fresh(2, 3), fresh(4, 5))
        with pytest.raises(uol.TypeCheckError):
            uol.ops.add(fresh(3), torch.ones(3))
        with pytest.raises(uol.ToolchainError) as raised:  # PyTorch has none
            uol.ops.lonely(fresh(3))
    assert "fallback" not in (raised.value.hint or "")


def test_a_product_that_no_kernel_is_for_is_refused() -> None:
    RECORD.missing = uol.UolError("no kernel is for a toaster", hint="they are for small and large")
    with pytest.raises(uol.RefusalError, match=f"relu: nothing runs on {NAME}:0: no kernel is for a toaster"):
        uol.ops.relu(fresh(19))


@pytest.fixture
def another_backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the place of the card's."""
    registry.unregister(NAME)
    if request.param is not None:
        registry.register(NAME, request.param)
    yield
    backend.register()


class WithoutLoader(ToyBackend):
    """Has kernels for the card, and nothing that launches them."""

    def torch_devices(self) -> frozenset[str]:
        return frozenset({NAME})


@pytest.mark.parametrize(
    ("another_backend", "message"),
    [
        (None, f"sigmoid: no backend is for tensors on {NAME}:0"),
        (
            lambda: WithoutLoader(name=NAME),
            f"sigmoid: {NAME} has kernels for tensors on {NAME}:0, but nothing that runs them here",
        ),
    ],
    indirect=["another_backend"],
    ids=["none", "no loader"],
)
@pytest.mark.usefixtures("another_backend")
def test_a_device_without_a_backend_that_runs_there(message: str) -> None:
    with pytest.raises(uol.RefusalError) as raised:
        uol.ops.sigmoid(fresh(17))
    assert raised.value.message == message
    assert "uol.fallback" in (raised.value.hint or "")
    with uol.fallback(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        torch.testing.assert_close(uol.ops.sigmoid(fresh(17)).cpu(), fresh(17).cpu().sigmoid())
