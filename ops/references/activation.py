"""Activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional

REFERENCES: Mapping[str, Callable[..., object]] = {
    "relu": torch.relu,
    "relu6": functional.relu6,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "celu": functional.celu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": functional.logsigmoid,
}
