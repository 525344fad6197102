"""Padding of the last dims."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

SIDES = ("left", "right", "top", "bottom", "front", "back")
"""The order in which PyTorch takes them."""


def pad(mode: str, rank: int) -> Callable[..., Tensor]:
    """PyTorch's padding of the last `rank` dims, which wants exactly one dim for channels and one for samples before them."""

    def apply(x: Tensor, value: float = 0.0, **sides: int) -> Tensor:
        flat = x.reshape(1, x.shape[:-rank].numel(), *x.shape[-rank:])
        amounts = [sides[name] for name in SIDES if name in sides]
        if mode == "constant":
            return functional.pad(x, amounts, value=value)
        shape = [n + amounts[2 * i] + amounts[2 * i + 1] for i, n in enumerate(reversed(x.shape[-rank:]))]
        if x.numel() == 0:
            return x.new_zeros(*x.shape[:-rank], *reversed(shape))
        return functional.pad(flat, amounts, mode).reshape(*x.shape[:-rank], *reversed(shape))

    return apply


REFERENCES: Mapping[str, Callable[..., object]] = {
    **{f"pad{rank}d": pad("constant", rank) for rank in (1, 2, 3)},
    **{f"reflection_pad{rank}d": pad("reflect", rank) for rank in (1, 2)},
    **{f"replication_pad{rank}d": pad("replicate", rank) for rank in (1, 2)},
    "circular_pad1d": pad("circular", 1),
}
