"""What takes the place of PyTorch's layers that move, repeat and drop pixels: padding, upsampling, shuffles, dropout."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from uol.pytorch.bridge import operator
from uol.pytorch.layers.window_options import AXES, EDGES

Forward = Callable[..., Any]

PADS = {
    **{f"{kind}Pad{rank}d": f"pad{rank}d" for kind in ("Zero", "Constant") for rank in (1, 2, 3)},
    **{f"{kind}Pad{rank}d": f"{kind.lower()}_pad{rank}d" for kind in ("Reflection", "Replication") for rank in (1, 2)},
    "CircularPad1d": "circular_pad1d",
}
SHUFFLES = {
    "PixelShuffle": ("pixel_shuffle", {"factor": "upscale_factor"}),
    "PixelUnshuffle": ("pixel_unshuffle", {"factor": "downscale_factor"}),
}
UPSAMPLED = {"nearest": "upsample_nearest", "linear": "upsample_linear", "bilinear": "upsample_bilinear"}
"""Our operators, by PyTorch's mode; the number of axes is to follow."""


def makers() -> dict[str, Callable[[], Forward]]:
    """What makes the `forward` of each layer, by PyTorch's name of it."""
    made: dict[str, Callable[[], Forward]] = {
        name: partial(_padded, op, name.startswith(("Zero", "Constant"))) for name, op in PADS.items()
    }
    made |= {name: partial(_shuffled, *given) for name, given in SHUFFLES.items()}
    made |= dict.fromkeys(("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"), _upsampling)
    return made | {"Dropout": _dropping}


def why_not_upsampled(layer: Any) -> str | None:
    """Where the layer wants what our operators do not give."""
    if layer.mode not in UPSAMPLED:
        return f"upsamples by {layer.mode!r}"
    factors = layer.scale_factor if isinstance(layer.scale_factor, tuple) else (layer.scale_factor,)
    exact = layer.size is not None or layer.recompute_scale_factor or all(f == int(f) for f in factors)
    return None if exact else "scales by no whole number"


def _padded(op: str, has_value: bool) -> Forward:
    function: Forward = operator(op)
    names = [edge for axis in reversed(AXES) for edge in EDGES[axis]]

    def forward(self: Any, x: Tensor) -> Any:
        value = {"value": float(self.value)} if has_value else {}
        return function(x, **dict(zip(names, self.padding, strict=False)), **value)

    return forward


def _shuffled(op: str, names: dict[str, str]) -> Forward:
    function: Forward = operator(op)

    def forward(self: Any, x: Tensor) -> Any:
        options = {ours: getattr(self, theirs) for ours, theirs in names.items()}
        found = function(x.reshape(torch.Size(x.shape[:-3]).numel(), *x.shape[-3:]), **options)
        return found.reshape(*x.shape[:-3], *found.shape[1:])

    return forward


def _upsampling() -> Forward:
    functions: dict[tuple[str, int], Forward] = {
        (mode, rank): operator(f"{UPSAMPLED[mode]}{rank}d")
        for mode, ranks in (("nearest", (1, 2, 3)), ("linear", (1,)), ("bilinear", (2,)))
        for rank in ranks
    }

    def forward(self: Any, x: Tensor) -> Any:
        rank = x.dim() - 2
        function = functions.get((self.mode, rank))
        if function is None:  # which PyTorch says
            return nn.Upsample.forward(self, x)
        given = self.scale_factor if self.size is None else self.size
        each = given if isinstance(given, tuple | list) else (given,) * rank
        sizes = [int(n * f) for n, f in zip(x.shape[-rank:], each, strict=True)] if self.size is None else each
        corners = {"align_corners": self.align_corners} if self.mode != "nearest" else {}
        return function(x, **{f"out_{axis}": n for axis, n in zip(AXES[-rank:], sizes, strict=True)}, **corners)

    return forward


def _dropping() -> Forward:
    dropout: Forward = operator("dropout")

    def forward(self: Any, x: Tensor) -> Any:
        """By a seed that PyTorch's generator gives; in a trace, which has no such number, PyTorch's own."""
        if not self.training or self.p == 0:
            return x
        if torch.compiler.is_compiling():
            return nn.Dropout.forward(self, x)
        return dropout(x, seed=int(torch.randint(2**31, ())), p=self.p)

    return forward
