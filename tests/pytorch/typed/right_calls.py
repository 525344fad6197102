"""Calls of `uol.ops` as they are written for PyTorch, and of `uol.ops.text`, that a type checker accepts, and that run."""

from __future__ import annotations

import torch
from torch import Tensor

import uol

x = torch.rand(4, 6)
rows = torch.rand(2, 4, 6)
image = torch.rand(1, 4, 8, 8)
filters = torch.rand(8, 4, 3, 3)
heads = torch.rand(1, 2, 4, 8)
labels = torch.tensor([0, 1, 2, 3])
at = torch.tensor([[0, 5], [1, 4], [2, 3], [3, 2]])
ones = torch.ones(4)

results: list[Tensor] = [
    uol.ops.relu(x),
    uol.ops.relu(x, inplace=False),
    uol.ops.gelu(x, approximate="tanh"),
    uol.ops.gelu(x, out=torch.empty(4, 6)),
    uol.ops.leaky_relu(x, 0.2),
    uol.ops.softmax(x, -1),
    uol.ops.softmax(x, dim=0, dtype=torch.float64),
    uol.ops.log_softmax(x, 1),
    uol.ops.add(x, 1.0),
    uol.ops.add(x, x, alpha=2),
    uol.ops.mul(2, x),
    uol.ops.div(x, 2, rounding_mode="floor"),
    uol.ops.pow(x, 2),
    uol.ops.where(x > 0.5, x, 0.0),
    uol.ops.clamp(x, min=0),
    uol.ops.clamp(x, 0.1, 0.9),
    uol.ops.masked_fill(x, x > 0.5, 0.0),
    uol.ops.lerp(x, x, 0.5),
    uol.ops.sum(x),
    uol.ops.sum(x, (0, 1), True),
    uol.ops.mean(x, dim=(0, 1), keepdim=True),
    uol.ops.std(x, 1, unbiased=False),
    uol.ops.var(x, dim=1, correction=0),
    uol.ops.amax(x, 0),
    uol.ops.argmax(x, dim=-1),
    uol.ops.max(x),
    uol.ops.max(x, 1).values,
    uol.ops.max(x, x),
    uol.ops.norm(x, 2, dim=1),
    uol.ops.logsumexp(x, (0, 1)),
    uol.ops.layer_norm(x, (6,)),
    uol.ops.layer_norm(x, [6], torch.ones(6), torch.zeros(6), 1e-6),
    uol.ops.rms_norm(x, (6,), torch.ones(6)),
    uol.ops.group_norm(image, 2, eps=1e-3),
    uol.ops.batch_norm(image, ones, ones, training=False),
    uol.ops.matmul(x, x.T),
    uol.ops.mm(x, x.T),
    uol.ops.bmm(rows, rows.mT),
    uol.ops.addmm(torch.zeros(4), x, x.T, beta=0.5),
    uol.ops.linear(x, torch.rand(3, 6)),
    uol.ops.linear(x, torch.rand(3, 6), torch.zeros(3)),
    uol.ops.scaled_dot_product_attention(heads, heads, heads, is_causal=True),
    uol.ops.scaled_dot_product_attention(heads, heads, heads, attn_mask=torch.zeros(4, 4), scale=0.5),
    uol.ops.conv2d(image, filters),
    uol.ops.conv2d(image, filters, torch.zeros(8), 2, 1),
    uol.ops.conv2d(image, filters, stride=(2, 1), padding="valid"),
    uol.ops.max_pool2d(image, 2),
    uol.ops.max_pool2d(image, kernel_size=3, stride=2, ceil_mode=True),
    uol.ops.avg_pool2d(image, (2, 2), padding=1, count_include_pad=False),
    uol.ops.adaptive_avg_pool2d(image, 1),
    uol.ops.interpolate(image, scale_factor=2, mode="bilinear", align_corners=True),
    uol.ops.pad(image, (1, 1), value=2.0),
    uol.ops.mse_loss(x, x, reduction="sum"),
    uol.ops.kl_div(x.log(), x, reduction="batchmean"),
    uol.ops.cross_entropy(x, labels, label_smoothing=0.1),
    uol.ops.embedding(labels, x),
    uol.ops.gather(x, 1, at),
    uol.ops.index_select(x, 0, labels),
    uol.ops.scatter_add(x, 1, at, torch.ones(4, 2)),
    uol.ops.one_hot(labels, 5),
    uol.ops.roll(x, 1, dims=0),
    uol.ops.flip(x, (0, 1)),
    uol.ops.cumsum(x, 0),
    uol.ops.cat([x, x], dim=1),
    uol.ops.stack((x, x)),
    uol.ops.einsum("ij,kj->ik", x, x),
    uol.ops.dropout(x, seed=3, p=0.25),
    uol.ops.text.sum(x),
    uol.ops.text.layer_norm(x, torch.ones(6), torch.zeros(6), eps=1e-6),
    uol.ops.text.conv2d(image, filters, pad=1, dilation=2),
    uol.ops.softmax_grad(uol.ops.softmax(x, -1), x),
    *uol.ops.sort(x),
    *uol.ops.topk(x, 2),
    *uol.ops.var_mean(x),
    *uol.ops.max_with_index(x, out=(torch.empty(4), torch.empty(4, dtype=torch.int64))),
]

values, places = uol.ops.topk(x, 3)
uol.ops.foreach.sgd_([ones], [ones], lr=0.1)
uol.ops.sgd_(torch.ones(4), ones, lr=0.1)
