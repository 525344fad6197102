"""Calls of `uol.ops` that a type checker accepts, and that run."""

from __future__ import annotations

import torch
from torch import Tensor

import uol

x = torch.rand(4, 6)
image = torch.rand(1, 4, 8, 8)
filters = torch.rand(8, 4, 3, 3)
labels = torch.tensor([0, 1, 2, 3])
ones = torch.ones(4)

results: list[Tensor] = [
    uol.ops.relu(x),
    uol.ops.softmax(x),
    uol.ops.softmax(x, dim=0),
    uol.ops.leaky_relu(x, negative_slope=0.2),
    uol.ops.gelu(x, out=torch.empty(4, 6)),
    uol.ops.add(x, 1.0),
    uol.ops.mul(2, x),
    uol.ops.where(x > 0.5, x, 0.0),
    uol.ops.clamp(x, low=0.1, high=0.9),
    uol.ops.sum(x),
    uol.ops.mean(x, dim=(0, 1), keepdim=True),
    uol.ops.amax(x, dim=None),
    uol.ops.argmax(x, dim=-1),
    uol.ops.cast(x, dtype=torch.float16),
    uol.ops.layer_norm(x, torch.ones(6), torch.zeros(6), eps=1e-6),
    uol.ops.rms_norm(x, torch.ones(6)),
    uol.ops.matmul(x, x.T.contiguous()),
    uol.ops.linear(x, torch.rand(3, 6), torch.zeros(3)),
    uol.ops.conv2d(image, filters),
    uol.ops.conv2d(image, filters, stride=(2, 1), padding=(1, 2)),
    uol.ops.conv2d(image, filters, pad=1, dilation=2),
    uol.ops.max_pool2d(image, kernel_size=2),
    uol.ops.max_pool2d(image, kernel=3, stride=2, ceil_mode=True),
    uol.ops.avg_pool2d(image, kernel_size=(2, 2), padding=1, count_include_pad=False),
    uol.ops.upsample_bilinear2d(image, out_h=4, out_w=4, align_corners=True),
    uol.ops.mse_loss(x, x, reduction="sum"),
    uol.ops.kl_div(x.log(), x, reduction="batchmean"),
    uol.ops.cross_entropy(x, labels),
    uol.ops.dropout(x, seed=3, p=0.25),
    uol.ops.cat([x, x], dim=1),
    uol.ops.stack((x, x)),
    uol.ops.einsum("ij,kj->ik", x, x),
    uol.ops.embedding(x, labels),
    uol.ops.attention(torch.rand(1, 2, 4, 8), torch.rand(1, 2, 4, 8), torch.rand(1, 2, 4, 8)),
    uol.ops.cumsum(x),
    uol.ops.softmax_grad(uol.ops.softmax(x), x),
    *uol.ops.sort(x),
    *uol.ops.topk(x, top=2),
    *uol.ops.var_mean(x),
    *uol.ops.max_with_index(x, out=(torch.empty(4), torch.empty(4, dtype=torch.int64))),
]

values, places = uol.ops.topk(x, top=3)
uol.ops.foreach.sgd_([ones], [ones], lr=0.1)
uol.ops.sgd_(torch.ones(4), ones, lr=0.1)
