"""Other ways of PyTorch to apply the experts, for `MixtureOfExperts` of `twin`: padded batches, grouped products."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from uol.conformance.paths.moe.twin import MixtureOfExperts, Products, by_loop


def by_padded_batches(layer: MixtureOfExperts, rows: Tensor, counts: Tensor) -> Tensor:
    """Each expert has as many rows as the fullest; the rest are zeros."""
    most = int(counts.max()) if len(rows) else 0
    expert = torch.repeat_interleave(torch.arange(len(counts)), counts, output_size=len(rows))
    at = expert * most + torch.arange(len(rows)) - (counts.cumsum(0) - counts)[expert]
    padded = rows.new_zeros(len(counts) * most, rows.shape[1]).index_copy(0, at, rows).reshape(len(counts), most, -1)
    hidden = functional.silu(padded @ layer.gate.mT) * (padded @ layer.up.mT)
    return (hidden @ layer.down.mT).reshape(-1, rows.shape[1])[at]


def by_grouped_products(layer: MixtureOfExperts, rows: Tensor, counts: Tensor) -> Tensor:
    """PyTorch's `grouped_mm`."""
    ends = counts.cumsum(0).int()
    hidden = functional.silu(functional.grouped_mm(rows, layer.gate.mT, offs=ends)) * functional.grouped_mm(
        rows, layer.up.mT, offs=ends
    )
    return functional.grouped_mm(hidden, layer.down.mT, offs=ends)


FORMS: Mapping[str, Products] = {"loop": by_loop, "padded": by_padded_batches, "grouped": by_grouped_products}
