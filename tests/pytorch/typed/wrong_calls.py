"""Calls of `uol.ops` that a type checker rejects. Each line says how; a remark that is not needed is an error, too
(`warn_unused_ignores`, of strict), so that mypy passes here where each mistake is found."""

from __future__ import annotations

import torch
from torch import Tensor

import uol

x = torch.rand(4, 6)

uol.ops.sofmax(x)  # type: ignore[attr-defined]
uol.ops.leaky_relu(x, negativ_slope=0.2)  # type: ignore[call-arg]
uol.ops.softmax(x, dim=(0, 1))  # type: ignore[arg-type]
uol.ops.layer_norm(x)  # type: ignore[call-arg]
uol.ops.layer_norm(x, x, x)  # type: ignore[arg-type]
uol.ops.conv2d(x)  # type: ignore[call-arg]
uol.ops.mse_loss(x, x, reduction="total")  # type: ignore[arg-type]
uol.ops.relu("x")  # type: ignore[arg-type]
uol.ops.gelu(x, approximate="tan")  # type: ignore[arg-type]
uol.ops.cast(x, dtype="f16")  # type: ignore[arg-type]
single: Tensor = uol.ops.var_mean(x)  # type: ignore[assignment]
pair: Tensor = uol.ops.topk(x, 2)  # type: ignore[assignment]
uol.ops.topk(x, k=2.5)  # type: ignore[arg-type]
uol.ops.sum(x, keepdims=True)  # type: ignore[call-arg]
uol.ops.max(x, dim="rows")  # type: ignore[call-overload]
uol.ops.embedding(x, at=x)  # type: ignore[call-arg]
uol.ops.text.topk(x, 2)  # type: ignore[call-arg]
uol.ops.foreach.sgd_([x], [x])  # type: ignore[call-arg]
