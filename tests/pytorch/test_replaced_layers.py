"""Every layer that `uol.replace` knows, in the forms that PyTorch admits: results, gradients, buffers; in training and not.
In f64, where nothing but a different formula differs."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import uol
from uol.pytorch.layers.elementwise_layers import PLAIN
from uol.pytorch.layers.replace import LAYERS


def numbers(*shape: int) -> Tensor:
    return (torch.arange(torch.Size(shape).numel()).double() * 0.73).sin().reshape(shape) * 3


def classes(count: int, *shape: int) -> Tensor:
    return torch.arange(torch.Size(shape).numel()).mul(5).add(1).remainder(count).reshape(shape)


WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 0.25])
REDUCTIONS = ("sum", "none")
PADS = (("Zero",), ("Constant", 1.5), ("Reflection",), ("Replication",))
GROUPED = {"stride": (2, 1), "padding": (2, 0), "dilation": (1, 3), "groups": 2}
VOLUME = {"stride": (2, 3, 1), "padding": (1, 0, 0), "output_padding": (1, 2, 0), "dilation": (1, 2, 3)}

CASES: list[tuple[nn.Module, list[tuple[Tensor, ...]]]] = [
    (nn.Linear(5, 3), [(numbers(5),), (numbers(2, 3, 5),), (numbers(0, 5),)]),
    (nn.Linear(5, 3, bias=False), [(numbers(2, 5),)]),
    (nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), [(numbers(2, 4, 11),), (numbers(4, 11),)]),
    (nn.Conv1d(4, 6, 4, padding="same"), [(numbers(2, 4, 11),)]),
    (nn.Conv2d(4, 8, (3, 2), **GROUPED), [(numbers(2, 4, 9, 9),), (numbers(4, 9, 9),)]),
    (nn.Conv3d(2, 4, (1, 2, 3), stride=(1, 2, 1), padding=(0, 1, 2), bias=False), [(numbers(1, 2, 3, 5, 6),)]),
    (nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), [(numbers(2, 4, 5),), (numbers(4, 5),)]),
    (nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2)), [(numbers(2, 4, 5, 3),)]),
    (nn.ConvTranspose3d(4, 6, 2, **VOLUME), [(numbers(1, 4, 2, 3, 2),)]),
    (nn.BatchNorm1d(4), [(numbers(3, 4),), (numbers(3, 4, 5),)]),
    (nn.BatchNorm2d(4, momentum=None), [(numbers(3, 4, 2, 2),)]),
    (nn.BatchNorm2d(4, track_running_stats=False), [(numbers(3, 4, 2, 2),)]),
    (nn.BatchNorm3d(4, affine=False), [(numbers(2, 4, 2, 2, 3),)]),
    (nn.LayerNorm(6), [(numbers(2, 6),), (numbers(6),)]),
    (nn.LayerNorm((3, 6), elementwise_affine=False), [(numbers(2, 3, 6),)]),
    (nn.RMSNorm((2, 6), eps=0.1), [(numbers(3, 2, 6),)]),
    (nn.GroupNorm(2, 4), [(numbers(3, 4),), (numbers(3, 4, 5, 2),)]),
    (nn.InstanceNorm1d(4), [(numbers(2, 4, 5),), (numbers(4, 5),)]),
    (nn.InstanceNorm2d(4, affine=True), [(numbers(2, 4, 5, 3),)]),
    (nn.InstanceNorm3d(4), [(numbers(2, 4, 2, 2, 2),)]),
    (nn.Embedding(7, 3), [(classes(7, 2, 3),), (classes(7),), (classes(7, 4).int(),)]),
    (nn.PReLU(), [(numbers(5),), (numbers(),)]),
    (nn.PReLU(3), [(numbers(2, 3, 4),), (numbers(2, 3),)]),
    (nn.MaxPool1d(3, 2, 1, 2), [(numbers(2, 3, 9),), (numbers(3, 9),)]),
    (nn.MaxPool2d((3, 2), (2, 1), (1, 0), (1, 2)), [(numbers(2, 3, 9, 8),), (numbers(3, 9, 8),)]),
    (nn.MaxPool3d((1, 2, 3), dilation=(1, 2, 1)), [(numbers(1, 2, 4, 5, 6),)]),
    (nn.AvgPool1d(3, 2, 1), [(numbers(2, 3, 9),)]),
    (nn.AvgPool2d((3, 2), padding=(1, 0)), [(numbers(2, 3, 9, 8),)]),
    *(
        (getattr(nn, f"{kind}Pool{rank}d")(kernel, 2, 1, ceil_mode=True), [(numbers(2, 3, *sizes[:rank]),)])
        for kind in ("Max", "Avg")
        for rank in (1, 2, 3)
        for kernel in (2, 3)
        for sizes in ((8, 7, 6), (7, 6, 5))
    ),
    (nn.MaxPool2d(3, (2, 3), dilation=(1, 2), ceil_mode=True), [(numbers(2, 3, 9, 8),), (numbers(2, 3, 8, 9),)]),
    (nn.AvgPool1d(3, 2, 1, count_include_pad=False), [(numbers(2, 3, 9),), (numbers(3, 8),)]),
    (nn.AvgPool2d((3, 2), padding=(1, 0), count_include_pad=False), [(numbers(2, 3, 9, 8),)]),
    (nn.AvgPool2d((3, 2), 2, (0, 1), True, False), [(numbers(2, 3, 8, 9),), (numbers(3, 9, 8),)]),
    (nn.AvgPool3d(2, 3, 1, True, False), [(numbers(1, 2, 4, 5, 6),)]),
    (nn.AvgPool3d(2), [(numbers(1, 2, 4, 5, 6),)]),
    *((getattr(nn, f"Adaptive{kind}Pool1d")(4), [(numbers(2, 3, 9),)]) for kind in ("Avg", "Max")),
    *((getattr(nn, f"Adaptive{kind}Pool2d")((None, 3)), [(numbers(2, 3, 9, 8),)]) for kind in ("Avg", "Max")),
    *((getattr(nn, f"Adaptive{kind}Pool3d")((2, None, 4)), [(numbers(2, 3, 5, 4, 6),)]) for kind in ("Avg", "Max")),
    *((getattr(nn, f"{kind}Pad1d")((2, 1), *value), [(numbers(2, 3, 5),), (numbers(3, 5),)]) for kind, *value in PADS),
    *((getattr(nn, f"{kind}Pad2d")((2, 1, 0, 3), *value), [(numbers(2, 3, 5, 4),)]) for kind, *value in PADS),
    *((getattr(nn, f"{kind}Pad3d")((2, 1, 0, 3, 1, 2), *value), [(numbers(1, 2, 3, 5, 4),)]) for kind, *value in PADS[:2]),
    (nn.CircularPad1d((2, 1)), [(numbers(2, 3, 5),)]),
    (nn.PixelShuffle(2), [(numbers(2, 8, 3, 2),), (numbers(4, 3, 2),)]),
    (nn.PixelUnshuffle(3), [(numbers(2, 2, 6, 3),), (numbers(2, 6, 3),)]),
    (nn.Upsample(scale_factor=2), [(numbers(2, 3, 5),), (numbers(2, 3, 5, 4),), (numbers(1, 2, 3, 2, 4),)]),
    (nn.Upsample((7, 3)), [(numbers(2, 3, 5, 4),)]),
    *((nn.Upsample(7, mode="linear", align_corners=aligned), [(numbers(2, 3, 5),)]) for aligned in (True, False, None)),
    *((nn.Upsample((7, 1), mode="bilinear", align_corners=aligned), [(numbers(2, 3, 5, 4),)]) for aligned in (True, False)),
    (nn.Upsample(scale_factor=(3.0, 1.0), mode="bilinear", align_corners=True), [(numbers(2, 3, 5, 4),)]),
    (nn.UpsamplingNearest2d(scale_factor=2), [(numbers(2, 3, 5, 4),)]),
    (nn.UpsamplingBilinear2d((9, 2)), [(numbers(2, 3, 5, 4),)]),
    (nn.Dropout(0.0), [(numbers(2, 3),)]),
    *((along(0), [(numbers(3, 4),)]) for along in (nn.Softmax, nn.LogSoftmax, nn.Softmin)),
    (nn.GLU(1), [(numbers(3, 4, 5),)]),
    (nn.GELU(), [(numbers(9),)]),
    (nn.GELU("tanh"), [(numbers(9),)]),
    (nn.Threshold(0.1, 20.0), [(numbers(9),)]),
    (nn.Softplus(2.0, 3.0), [(numbers(50),)]),
    (nn.Hardtanh(-0.3, 0.4), [(numbers(9),)]),
    *((kind(0.3), [(numbers(9),)]) for kind in (nn.ELU, nn.CELU, nn.LeakyReLU, nn.Hardshrink, nn.Softshrink)),
    *((kind(), [(numbers(9),), (numbers(),)]) for kind in (nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Mish, nn.Softsign)),
    *((kind(), [(numbers(9),)]) for kind in (nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardsigmoid, nn.Hardswish, nn.Tanhshrink)),
    *((kind(), [(numbers(3, 4), numbers(3, 4).cos())]) for kind in (nn.MSELoss, nn.L1Loss)),
    *((kind, [(numbers(3, 4), numbers(3, 4).cos())]) for kind in (nn.HuberLoss(delta=0.3), nn.SmoothL1Loss(beta=0.2))),
    (nn.BCELoss(), [(numbers(3, 4).sigmoid(), numbers(3, 4).cos().square())]),
    (nn.BCEWithLogitsLoss(), [(numbers(3, 4), numbers(3, 4).cos().square())]),
    (nn.KLDivLoss(), [(numbers(3, 4), numbers(3, 4).softmax(1))]),
    *(
        (kind(weight=weight, ignore_index=2), [(numbers(*x), classes(4, *t)) for x, t in shapes])
        for kind in (nn.NLLLoss, nn.CrossEntropyLoss)
        for weight in (None, WEIGHTS)
        for shapes in ([((3, 4), (3,)), ((4,), ()), ((2, 4, 3), (2, 3)), ((2, 4, 3, 5), (2, 3, 5))],)
    ),
    *(
        (kind(reduction=reduction), [(numbers(3, 4).sigmoid(), numbers(3, 4).cos().square())])
        for kind in (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss, nn.BCELoss, nn.BCEWithLogitsLoss, nn.KLDivLoss)
        for reduction in (*REDUCTIONS, *(("batchmean",) if kind is nn.KLDivLoss else ()))
    ),
    *(
        (kind(weight, ignore_index=2, reduction=way), [(numbers(2, 4, 3), classes(4, 2, 3)), (numbers(4), classes(4))])
        for kind in (nn.NLLLoss, nn.CrossEntropyLoss)
        for weight in (None, WEIGHTS)
        for way in REDUCTIONS
    ),
    *(
        (nn.CrossEntropyLoss(WEIGHTS, label_smoothing=0.3, reduction=reduction), [(numbers(5, 4), classes(4, 5))])
        for reduction in REDUCTIONS
    ),
    (nn.CrossEntropyLoss(label_smoothing=0.3), [(numbers(5, 4), classes(4, 5)), (numbers(5, 4), numbers(5, 4).softmax(1))]),
    (nn.MultiheadAttention(8, 2, batch_first=True), [(numbers(2, 5, 8), numbers(2, 7, 8), numbers(2, 7, 8).cos())]),
]

CONSTANTS_OF_F32 = (nn.Hardsigmoid, nn.CELU)
"""PyTorch multiplies gradients by a sixth, and by 1/alpha, that were rounded to f32."""


def test_every_layer_is_here() -> None:
    assert {type(layer) for layer, _ in CASES} == {*PLAIN, *LAYERS}


def run(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Any, list[Tensor | None]]:
    """The result, and the gradients of all that has one."""
    given = [x.clone().requires_grad_() if x.is_floating_point() else x.clone() for x in inputs]
    options = {"need_weights": False} if isinstance(layer, nn.MultiheadAttention) else {}
    found = layer(*given, **options)
    y = found[0] if isinstance(found, tuple) else found
    wanted = [t for t in (*layer.parameters(), *given) if t.requires_grad]
    return y, list(torch.autograd.grad(y, wanted, torch.ones_like(y).cos() + y.detach(), allow_unused=True))


def turns() -> list[Any]:
    """Of every second class of layers one case in eight, in training or not; the others are for the soak."""
    left = Counter(type(layer) for layer, _ in CASES)
    tried = set(list(left)[::2])
    cases = []
    for number, (layer, _) in enumerate(CASES):
        left[type(layer)] -= 1
        is_tried = type(layer) in tried and left[type(layer)] % 8 == 0
        for at, train in enumerate((True, False)):
            marks = () if is_tried and number % 2 == at else pytest.mark.soak
            cases.append(pytest.param(number, train, marks=marks))
    return cases


@pytest.mark.parametrize(
    ("number", "train"),
    turns(),
    ids=[f"{type(layer).__name__}-{n}-{mode}" for n, (layer, _) in enumerate(CASES) for mode in ("train", "eval")],
)
def test_a_swapped_layer_gives_what_it_gave(number: int, train: bool) -> None:
    layer, every = CASES[number]
    for inputs in every:
        theirs = copy.deepcopy(layer).double().train(train)
        holder = nn.ModuleList([copy.deepcopy(theirs)])
        assert not uol.replace(holder).left
        wanted, found = run(theirs, inputs), run(holder[0], inputs)
        relative = 1e-7 if isinstance(layer, CONSTANTS_OF_F32) else 1e-9
        torch.testing.assert_close(found, wanted, rtol=relative, atol=1e-9)
        torch.testing.assert_close(list(holder.buffers()), list(theirs.buffers()))
