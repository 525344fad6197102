"""What a replaced layer is given at the edge of what PyTorch takes: it computes the same, or refuses the same."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from turns import by_turns

import uol


def numbers(*shape: int) -> Tensor:
    return (torch.arange(torch.Size(shape).numel()).float() * 0.73).sin().reshape(shape) * 3


def replaced(module: nn.Module) -> Any:
    own = nn.ModuleList([copy.deepcopy(module)])
    assert not uol.replace(own).left
    return own[0]


IN_PLACE = [
    *(kind(inplace=True) for kind in (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.SiLU, nn.Mish)),
    *(nn.Hardsigmoid(True), nn.Hardswish(True), nn.Hardtanh(inplace=True), nn.Threshold(0.1, 2.0, True)),
]


def before_the_sum(layer: nn.Module, x: Tensor) -> Tensor:
    """A block that adds what the activation was given, which it has written over."""
    given = x * 1
    y: Tensor = layer(given[:, 1:]) * 2
    return torch.cat([y + given[:, 1:], given], 1) * given[:, :1]


@pytest.mark.parametrize("layer", by_turns(2, IN_PLACE), ids=lambda layer: type(layer).__name__)
def test_an_activation_writes_over_its_input(layer: nn.Module) -> None:
    runs = []
    for own in (layer, replaced(layer)):
        x = numbers(3, 5).double().requires_grad_()
        y = before_the_sum(own, x)
        runs.append((y.detach(), *torch.autograd.grad(y, x, y.detach().cos())))
    relative = 1e-7 if isinstance(layer, nn.Hardsigmoid | nn.CELU) else 1e-9  # PyTorch has a constant of f32 there
    torch.testing.assert_close(runs[1], runs[0], rtol=relative, atol=1e-9)
    own, x = replaced(layer), numbers(3, 5)
    with torch.no_grad():
        torch.testing.assert_close(before_the_sum(own, x), before_the_sum(layer, x))
        assert own(x) is x
    torch.compiler.reset()
    compiled = torch.compile(lambda x: before_the_sum(own, x), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), before_the_sum(layer, x))


def test_a_leaf_is_not_written_over_nor_is_what_a_gradient_reads() -> None:
    with pytest.raises(RuntimeError, match="leaf Variable"):
        replaced(nn.ReLU(inplace=True))(numbers(3).requires_grad_())
    read = torch.tanh(numbers(3).requires_grad_())
    replaced(nn.SiLU(inplace=True))(read)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        read.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_least_epsilon_is_that_of_the_sum(dtype: torch.dtype) -> None:
    layer, x = nn.RMSNorm(6).to(dtype), numbers(4, 6).mul(1e-3).to(dtype)
    torch.testing.assert_close(replaced(layer)(x), layer(x))


AT = torch.tensor([1, 0, 2])
MASK = torch.zeros(3, 3)
ATTENTION = nn.MultiheadAttention(4, 2, batch_first=True)
ENCODER = nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True)
ROWS = numbers(2, 3, 4)


def attended(**options: Any) -> Callable[[Any], object]:
    return lambda layer: layer(ROWS, ROWS, ROWS, need_weights=False, **options)


REFUSED: list[tuple[nn.Module, Callable[[Any], object]]] = [
    (nn.LayerNorm((2, 6)), lambda layer: layer(numbers(3, 6, 2))),
    (nn.LayerNorm(6), lambda layer: layer(numbers(3, 1))),
    (nn.RMSNorm((2, 6)), lambda layer: layer(numbers(3, 12))),
    (nn.GroupNorm(2, 4), lambda layer: layer(numbers(3, 6))),
    (nn.GroupNorm(4, 4), lambda layer: layer(numbers(1, 4))),
    (nn.GroupNorm(2, 4), lambda layer: layer(numbers(4))),
    (nn.BatchNorm1d(4, track_running_stats=False).eval(), lambda layer: layer(numbers(1, 4))),
    (nn.BatchNorm1d(4), lambda layer: layer(numbers(1, 4))),
    (nn.BatchNorm1d(4), lambda layer: layer(numbers(3, 5))),
    (nn.InstanceNorm1d(4), lambda layer: layer(numbers(2, 4, 1))),
    (nn.InstanceNorm2d(4).eval(), lambda layer: layer(numbers(4, 1, 1))),
    (nn.InstanceNorm1d(4, affine=True), lambda layer: layer(numbers(2, 3, 5))),
    (nn.PReLU(3), lambda layer: layer(numbers(2, 4))),
    (nn.PReLU(3), lambda layer: layer(numbers(3))),
    (nn.Embedding(3, 2), lambda layer: layer(torch.tensor([0.0, 1.0]))),
    (nn.Embedding(3, 2), lambda layer: layer(torch.tensor([0, 3]))),
    (nn.Embedding(3, 2), lambda layer: layer(torch.tensor([0, -1]))),
    (nn.Embedding(3, 2), lambda layer: layer(torch.tensor([True]))),
    *(
        (kind(**options), lambda layer, target=target: layer(numbers(3, 4), target))
        for kind in (nn.NLLLoss, nn.CrossEntropyLoss)
        for options in ({}, {"weight": torch.ones(4)})
        for target in (AT[:2], AT[:, None], AT.int(), AT + 2, AT - 1)
    ),
    (nn.CrossEntropyLoss(), lambda layer: layer(numbers(2, 4, 3), AT.repeat(2))),
    (nn.CrossEntropyLoss(weight=torch.ones(3)), lambda layer: layer(numbers(3, 4), AT)),
    (nn.BCEWithLogitsLoss(), lambda layer: layer(numbers(3, 1), numbers(3))),
    (nn.BCELoss(), lambda layer: layer(numbers(3, 1).sigmoid(), numbers(3).sigmoid())),
    (nn.Softmax(0), lambda layer: layer(torch.arange(3))),
    (nn.MaxPool2d(2), lambda layer: layer(numbers(4, 4))),
    (ATTENTION, attended(is_causal=True)),
    (ATTENTION, attended(attn_mask=MASK.byte())),
    (ATTENTION, attended(attn_mask=MASK[:1])),
    (ATTENTION, attended(attn_mask=MASK.int())),
]


REFUSALS = (RuntimeError, ValueError, IndexError, AssertionError)
"""What PyTorch raises, one or the other."""


def said(layer: Any, call: Callable[[Any], object]) -> tuple[type[Exception], str]:
    with pytest.raises(REFUSALS) as caught:
        call(layer)
    return caught.type, str(caught.value)


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=[f"{type(m).__name__}-{n}" for n, (m, _) in enumerate(REFUSED)])
def test_what_pytorch_refuses_is_refused_in_its_words(number: int) -> None:
    layer, call = REFUSED[number]
    own = replaced(layer)
    assert said(own, call) == said(layer, call)
    assert not issubclass(said(own, call)[0], uol.UolError)


@pytest.mark.parametrize("options", [{"is_causal": True}, {"src_mask": MASK.byte()}])
def test_an_encoder_refuses_what_its_attention_does(options: dict[str, Any]) -> None:
    own = copy.deepcopy(ENCODER)
    assert not uol.replace(own).left
    found, wanted = (said(m, lambda layer: layer(ROWS, **options)) for m in (own, ENCODER))
    assert (found[0], found[1].replace("attn_mask", "src_mask")) == (wanted[0], wanted[1].replace("attn_mask", "src_mask"))


def bf16(*shape: int) -> Tensor:
    return numbers(*shape).bfloat16()


TAKEN: list[tuple[nn.Module, tuple[Tensor, ...]]] = [
    (nn.BatchNorm2d(4), (bf16(2, 4, 3, 3),)),
    (nn.BatchNorm2d(4), (numbers(0, 4, 3, 3),)),
    (nn.BatchNorm1d(4, affine=False, track_running_stats=False), (numbers(3, 5),)),
    (nn.LayerNorm(6), (bf16(3, 6),)),
    (nn.RMSNorm(6), (bf16(3, 6),)),
    (nn.GroupNorm(2, 4), (bf16(3, 4, 2),)),
    (nn.GroupNorm(2, 4, affine=False), (numbers(3, 6, 2),)),
    (nn.InstanceNorm1d(4), (numbers(3, 6, 2),)),
    (nn.Softmax(0), (numbers(),)),
    (nn.LogSoftmax(-1), (numbers(),)),
    (nn.MaxPool2d(2), (torch.arange(16).reshape(1, 4, 4),)),
    (nn.ConstantPad1d(1, 7), (torch.arange(6).reshape(2, 3),)),
    (nn.ReLU(), (torch.arange(-2, 3),)),
    (nn.ReLU(inplace=True), (torch.arange(-2, 3),)),
    (nn.UpsamplingNearest2d(scale_factor=2), (torch.arange(16).byte().reshape(1, 1, 4, 4),)),
    *((kind(), (numbers(0, 3), numbers(0, 3))) for kind in (nn.MSELoss, nn.L1Loss, nn.BCEWithLogitsLoss, nn.KLDivLoss)),
    *((kind(), (numbers(3, 1), numbers(2))) for kind in (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss, nn.KLDivLoss)),
    *((kind(), (numbers(0, 4), AT[:0])) for kind in (nn.NLLLoss, nn.CrossEntropyLoss)),
    (nn.CrossEntropyLoss(), (numbers(3, 4), numbers(3, 4).softmax(1))),
    (nn.MSELoss(), (numbers(3), torch.arange(3))),
    (nn.Embedding(3, 2), (AT[:0],)),
]


@pytest.mark.parametrize("number", range(len(TAKEN)), ids=[f"{type(m).__name__}-{n}" for n, (m, _) in enumerate(TAKEN)])
def test_what_pytorch_computes_is_computed(number: int) -> None:
    layer, inputs = TAKEN[number]
    own, theirs = replaced(layer), copy.deepcopy(layer)
    with warnings.catch_warnings(action="ignore"):
        found, wanted = own(*[x.clone() for x in inputs]), theirs(*[x.clone() for x in inputs])
    torch.testing.assert_close(found, wanted, equal_nan=True)
    torch.testing.assert_close(list(own.buffers()), list(theirs.buffers()), equal_nan=True)
