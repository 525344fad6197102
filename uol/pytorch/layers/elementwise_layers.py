"""PyTorch's layers that are one operator and its attributes: activations, pools, losses. Each differs from
its parent in `forward` alone, and leaves to it what the operator does not take.

An activation that is `inplace` writes over its input, as PyTorch's does: what reads that tensor afterwards, such as the sum of
a pre-activation block, reads the activation. The kernel writes there in one pass; while gradients are recorded, where the
gradient reads the result alone, which is then the one tensor that is saved. Else, and under PyTorch's transforms, the result
is copied there, and what a gradient reads is a copy of the input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from uol.pytorch.bridge import defined, operator
from uol.pytorch.layers import image_layers as pictures
from uol.pytorch.layers.layer_support import are_pairs, of_one_float
from uol.pytorch.layers.window_options import AXES

ACTIVATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "ReLU": ("relu", {}),
    "ReLU6": ("relu6", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": "negative_slope"}),
    "ELU": ("elu", {"alpha": "alpha"}),
    "CELU": ("celu", {"alpha": "alpha"}),
    "SELU": ("selu", {}),
    "SiLU": ("silu", {}),
    "Mish": ("mish", {}),
    "Softplus": ("softplus", {"beta": "beta", "threshold": "threshold"}),
    "Softsign": ("softsign", {}),
    "Sigmoid": ("sigmoid", {}),
    "LogSigmoid": ("log_sigmoid", {}),
    "Tanh": ("tanh", {}),
    "Hardsigmoid": ("hardsigmoid", {}),
    "Hardswish": ("hardswish", {}),
    "Hardtanh": ("hardtanh", {"min_val": "min_val", "max_val": "max_val"}),
    "Hardshrink": ("hardshrink", {"lambd": "lambd"}),
    "Softshrink": ("softshrink", {"lambd": "lambd"}),
    "Tanhshrink": ("tanhshrink", {}),
    "Threshold": ("threshold", {"at_most": "threshold", "value": "value"}),
}
"""Our operator, and its attributes by those of the layer."""

ALONG = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Softmin": "softmin", "GLU": "glu"}
WINDOW = ("kernel_size", "stride", "padding", "ceil_mode")
LOSSES: dict[str, tuple[str, dict[str, str]]] = {
    "MSELoss": ("mse_loss", {}),
    "L1Loss": ("l1_loss", {}),
    "HuberLoss": ("huber_loss", {"delta": "delta"}),
    "SmoothL1Loss": ("smooth_l1_loss", {"beta": "beta"}),
    "BCELoss": ("binary_cross_entropy", {}),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", {}),
    "KLDivLoss": ("kl_div", {}),
}


Forward = Callable[..., Any]
KEEPS_RESULT = ("relu",)
"""Activations whose gradient reads the result and not the input, which may be overwritten: what `Gradient.reads_result_alone`
derives, where a trace, which can derive nothing, has to know it."""


def _activation(op: str, names: dict[str, str]) -> Forward:
    function: Forward = operator(op)
    overwrite = defined()[op].overwrite
    keeps_input = op not in KEEPS_RESULT

    def forward(self: Any, x: Tensor) -> Any:
        options = {ours: float(getattr(self, theirs)) for ours, theirs in names.items()}
        if not getattr(self, "inplace", False):
            return function(x, **options)
        found = overwrite(x, options)
        if found is not None:
            return found
        given = x.clone() if keeps_input and torch.is_grad_enabled() else x
        return x.copy_(function(given, **options))

    return forward


def _along(op: str) -> Forward:
    function: Forward = operator(op)

    def forward(self: Any, x: Tensor) -> Any:
        return function(x.movedim(self.dim, -1)).movedim(-1, self.dim)

    return forward


def _loss(op: str, names: dict[str, str]) -> Forward:
    function: Forward = operator(op)

    def forward(self: Any, x: Tensor, target: Tensor) -> Any:
        options = {ours: getattr(self, theirs) for ours, theirs in names.items()}
        return function(x, target, reduction=self.reduction, **options)

    return forward


def _gelu() -> Forward:
    exact: Forward = operator("gelu")
    by_tanh: Forward = operator("gelu_tanh")

    def forward(self: Any, x: Tensor) -> Any:
        return exact(x) if self.approximate == "none" else by_tanh(x)

    return forward


def _pool(op: str, rank: int, names: tuple[str, ...]) -> Forward:
    function: Forward = operator(op)

    def forward(self: Any, x: Tensor) -> Any:
        if x.dim() == rank + 1:
            return self.forward(x[None])[0]
        return function(x, **{name: getattr(self, name) for name in names})

    return forward


def _adaptive(op: str, rank: int) -> Forward:
    function: Forward = operator(op)

    def forward(self: Any, x: Tensor) -> Any:
        if x.dim() == rank + 1:
            return self.forward(x[None])[0]
        given = (self.output_size,) * rank if isinstance(self.output_size, int | None) else self.output_size
        wanted = [own if size is None else size for own, size in zip(x.shape[-rank:], given, strict=True)]
        return function(x, **{f"out_{axis}": size for axis, size in zip(AXES[-rank:], wanted, strict=True)})

    return forward


def _makers() -> dict[str, Callable[[], Forward]]:
    """What makes the `forward` of each layer, by PyTorch's name of it."""
    made: dict[str, Callable[[], Forward]] = {name: partial(_activation, *given) for name, given in ACTIVATIONS.items()}
    made |= {name: partial(_along, op) for name, op in ALONG.items()}
    made |= {name: partial(_loss, *given) for name, given in LOSSES.items()}
    made["GELU"] = _gelu
    for rank in (1, 2, 3):
        made[f"MaxPool{rank}d"] = partial(_pool, f"max_pool{rank}d", rank, (*WINDOW, "dilation"))
        made[f"AvgPool{rank}d"] = partial(_pool, f"avg_pool{rank}d", rank, (*WINDOW, "count_include_pad"))
        for kind in ("Avg", "Max"):
            made[f"Adaptive{kind}Pool{rank}d"] = partial(_adaptive, f"adaptive_{kind.lower()}_pool{rank}d", rank)
    return made | pictures.makers()


def _taken(name: str) -> Callable[..., bool]:
    """Does the operator take what the layer of this name is given?"""
    if name in LOSSES:
        return are_pairs
    if name in ALONG:
        return lambda x: x.dim() > 0 and of_one_float(x)
    if "Pool" in name:
        rank = int(name[-2])
        return lambda x: x.dim() in (rank + 1, rank + 2) and of_one_float(x)
    return of_one_float


def _layer(parent: Any, forward: Forward) -> type[nn.Module]:
    takes = _taken(parent.__name__)

    def own(self: Any, *given: Tensor) -> Any:
        return forward(self, *given) if takes(*given) else parent.forward(self, *given)

    return type(parent.__name__, (parent,), {"forward": own, "__module__": __name__})


PLAIN: dict[type[nn.Module], Callable[[], Forward]] = {getattr(nn, name): maker for name, maker in _makers().items()}
"""By PyTorch's layer, what makes the `forward` of the one that takes its place. It defines operators, which take memory and
time, and so is run for the layers that are replaced alone."""

MADE: dict[type[nn.Module], type[nn.Module]] = {}
"""The layers that `layer_for` made, by PyTorch's."""


def layer_for(parent: type[nn.Module]) -> type[nn.Module] | None:
    """The layer that takes the place of one of PyTorch's; None where there is none."""
    if parent not in MADE and parent in PLAIN:
        MADE[parent] = _layer(parent, PLAIN[parent]())
    return MADE.get(parent)


def __getattr__(name: str) -> type[nn.Module]:
    """The layer of that name, where pickle looks for it."""
    for parent in PLAIN:
        if parent.__name__ == name and (found := layer_for(parent)) is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
