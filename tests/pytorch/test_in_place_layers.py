"""Activations that are `inplace`: one pass over the input's memory, and one tensor saved; results, gradients and errors are
PyTorch's."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint
from turns import by_turns

import uol

Layer = Callable[[Tensor], Tensor]
LAYERS = [
    *(kind(inplace=True) for kind in (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.SiLU, nn.Mish)),
    *(nn.Hardsigmoid(True), nn.Hardswish(True), nn.Hardtanh(inplace=True), nn.Threshold(0.1, 2.0, True)),
]
RELU = nn.ReLU(inplace=True)


def replaced(layer: nn.Module) -> Any:
    own = nn.ModuleList([copy.deepcopy(layer)])
    assert not uol.replace(own).left
    return own[0]


def numbers(*shape: int) -> Tensor:
    return (torch.arange(torch.Size(shape).numel()).double() * 0.73).sin().reshape(shape) * 3


def leaf() -> Tensor:
    return numbers(3, 4).requires_grad_()


def gradient(of: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad((of * of.detach().cos()).sum(), x)[0]


def saved_by(layer: Layer, x: Tensor) -> list[int]:
    """Where the tensors lie that a layer saves."""
    places: list[int] = []

    def pack(t: Tensor) -> Tensor:
        places.append(t.data_ptr())
        return t

    with saved_tensors_hooks(pack, lambda t: t):
        layer(x)
    return places


def test_relu_saves_what_it_has_written() -> None:
    for layer in (RELU, replaced(RELU)):
        x = leaf() * 2
        place = x.data_ptr()
        assert saved_by(layer, x) == [place] == [x.data_ptr()]
        assert x._version == 1


@pytest.mark.parametrize("layer", by_turns(2, LAYERS), ids=lambda layer: type(layer).__name__)
def test_without_a_gradient_a_kernel_writes_in_place(layer: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("a copy")

    own = replaced(layer)
    for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with mode():
            x = numbers(7, 33)
            wanted = layer(x.clone())
            with monkeypatch.context() as patch:
                patch.setattr(Tensor, "copy_", refuse)
                assert own(x) is x
        torch.testing.assert_close(x, wanted)
        assert x.is_inference() or x._version == 1


def of_a_part(layer: Layer, part: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """What a tensor is after a layer has written over a part of it, and the gradient through both."""
    x = leaf()
    whole = x * 2
    given = part(whole)
    y = layer(given)
    assert y is given and y.data_ptr() == part(whole).data_ptr()
    return [y, whole, gradient(whole, x) + gradient(y * 3, x)]


def seen_before(layer: Layer) -> list[Tensor]:
    """A view that was taken before the write."""
    x = leaf()
    whole = x * 2
    row = whole[1]
    layer(whole)
    return [row, gradient(row * whole[2], x)]


def written_after(layer: Layer) -> list[Tensor]:
    x = leaf()
    y = layer(x * 2)
    y.mul_(2)
    return [gradient(y, x)]


def saved_before(layer: Layer) -> list[Tensor]:
    x = leaf()
    return [gradient(layer(torch.tanh(x)), x)]


def twice(layer: Layer) -> list[Tensor]:
    x = leaf()
    y = layer(x.square() - 1)
    (first,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    return [y, first, gradient(first, x)]


def watched(layer: Layer) -> list[Tensor]:
    """Hooks of the tensor before it is written, and of what it has become."""
    x, seen = leaf(), []
    y = x * 2
    y.register_hook(lambda d: seen.append(d * 3))
    y.retain_grad()
    layer(y)
    y.register_hook(lambda d: seen.append(d * 5))
    (y * y.detach()).sum().backward()
    assert y.grad is not None and x.grad is not None
    return [*seen, y.grad, x.grad]


def without_gradient(layer: Layer) -> list[Tensor]:
    x = leaf()
    square = x.square()
    with torch.no_grad():
        layer(x)
    return [x, gradient(square, x)]


def detached(layer: Layer) -> list[Tensor]:
    x = leaf() * 2
    square = x.square()
    layer(x.detach())
    return [x, gradient(square, x)]


def of_inference(layer: Layer) -> list[Tensor]:
    with torch.inference_mode():
        x = numbers(3, 4)
        return [layer(x * 1), layer(numbers(3, 4)), layer(x), x]


def kept_of_inference(layer: Layer) -> list[Tensor]:
    with torch.inference_mode():
        x = numbers(3, 4)
    with torch.no_grad():
        return [layer(x)]


def unrecorded_view(layer: Layer) -> list[Tensor]:
    with torch.no_grad():
        row = (x := leaf())[1]
    return [layer(row), x]


def cast(layer: Layer) -> list[Tensor]:
    x = leaf().float().detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x @ x.T)
    return [y, gradient(y.float(), x)]


CASES: dict[str, Callable[[Layer], list[Tensor]]] = {
    "the whole": lambda layer: of_a_part(layer, lambda x: x),
    "a view": lambda layer: of_a_part(layer, lambda x: x.view(2, 6)),
    "rows": lambda layer: of_a_part(layer, lambda x: x[1:]),
    "with gaps": lambda layer: of_a_part(layer, lambda x: x[:, 1:3]),
    "transposed": lambda layer: of_a_part(layer, lambda x: x.t()),
    "one of several views": lambda layer: [layer((leaf() * 2).unbind()[0])],
    "one memory for many": lambda layer: [layer((leaf() * 2)[:1].expand(3, 4))],
    "a leaf": lambda layer: [layer(leaf())],
    "a view of a leaf": lambda layer: [layer(leaf()[1])],
    "per sample": lambda layer: [torch.func.vmap(torch.func.grad(lambda x: layer(x * 2).square().sum()))(numbers(3, 4))],
    "checkpoint": lambda layer: [gradient(checkpoint(lambda x: layer(x * 2), x := leaf(), use_reentrant=False), x)],
    **{f.__name__: f for f in (seen_before, written_after, saved_before, twice, watched, without_gradient, detached)},
    **{f.__name__: f for f in (of_inference, kept_of_inference, unrecorded_view, cast)},
}


def outcome(case: str, layer: Layer) -> object:
    """What comes of it, or what PyTorch says of it (but for the name of the step back)."""
    try:
        return [y.detach() for y in CASES[case](layer)]
    except RuntimeError as error:
        return type(error), re.sub(r"output 0 of \w+", "output 0", str(error))


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # PyTorch's, of vmap
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layer", [RELU, nn.SiLU(inplace=True)], ids=["relu", "silu"])
def test_what_comes_of_it_is_what_comes_of_pytorchs(case: str, layer: nn.Module) -> None:
    wanted, found = outcome(case, layer), outcome(case, replaced(layer))
    if isinstance(wanted, list):
        assert isinstance(found, list), found
        torch.testing.assert_close(found, wanted)
    else:
        assert found == wanted


REFUSED: dict[str, Callable[[], Tensor]] = {
    "a leaf": leaf,
    "one of several views": lambda: (leaf() * 2).unbind()[0],
    "one memory for many": lambda: numbers(1, 4).expand(3, 4),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_as_it_was(case: str) -> None:
    x = REFUSED[case]()
    before, version = x.tolist(), x._version
    with pytest.raises(RuntimeError), torch.set_grad_enabled(x.requires_grad):
        replaced(RELU)(x)
    assert (x.tolist(), x._version) == (before, version)


@pytest.mark.parametrize("lay", [torch.channels_last, torch.contiguous_format])
def test_a_layout_stays(lay: torch.memory_format) -> None:
    x = numbers(2, 3, 4, 5).to(memory_format=lay).requires_grad_()
    runs = []
    for layer in (RELU, replaced(RELU)):
        y = x * 2
        strides, place = y.stride(), y.data_ptr()
        assert saved_by(layer, y) == [place]
        assert (y.stride(), y.data_ptr()) == (strides, place)
        runs.append([y, gradient(y, x)])
    torch.testing.assert_close(runs[1], runs[0])
