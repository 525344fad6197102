"""Orders of rows: stable, NaN greatest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional


def topk(x: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """The first of a stable order from the largest; PyTorch's own `topk` may give any of equal ones."""
    values, places = torch.sort(x, dim=-1, descending=True, stable=True)
    return values[..., :top], places[..., :top]


def median(x: Tensor) -> Tensor:
    """The lower of the two in the middle; NaN where there is one."""
    return torch.median(x, dim=-1).values


def unique(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distinct values in order and how often each stands, both filled up with 0, and how many there are. The gradient of a
    value, which PyTorch's own function has not, goes to the first element that has it."""
    counts = torch.unique(x.detach(), return_counts=True)[1]
    values = x.sort(stable=True).values[counts.cumsum(0) - counts]
    fill = len(x) - len(values)
    return functional.pad(values, (0, fill)), functional.pad(counts, (0, fill)), torch.tensor(len(values))


def searchsorted(edges: Tensor, x: Tensor, *, right: bool) -> Tensor:
    """Among edges that are numbers, since PyTorch's own takes NaN among them for less than any number; NaN behind all edges."""
    numbers = edges[~edges.isnan()].contiguous()
    return torch.where(x.isnan(), len(edges), torch.searchsorted(numbers, x.contiguous(), right=right))


REFERENCES: Mapping[str, Callable[..., object]] = {
    "sort": lambda x: torch.sort(x, dim=-1, stable=True).values,
    "argsort": lambda x: torch.argsort(x, dim=-1, stable=True),
    "topk": topk,
    "median": median,
    "unique": unique,
    "searchsorted": partial(searchsorted, right=False),
    "searchsorted_right": partial(searchsorted, right=True),
}
