"""What takes the place of PyTorch's layers that are one operator of a parameter. Each class differs from its parent in
`forward` alone, and leaves to it what the operator does not take."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from uol.pytorch.bridge import operator
from uol.pytorch.layers.layer_support import are_indices, of_one_float

_linear, _embedding, _prelu = operator("linear"), operator("embedding"), operator("prelu")


class Linear(nn.Linear):
    def forward(self, x: Tensor) -> Any:
        return _linear(x, self.weight, self.weight.new_zeros(self.out_features) if self.bias is None else self.bias)


class Embedding(nn.Embedding):
    def forward(self, at: Tensor) -> Any:
        if not are_indices(at, self.num_embeddings):
            return super().forward(at)
        return _embedding(self.weight, at.long())


class PReLU(nn.PReLU):
    def forward(self, x: Tensor) -> Any:
        for_each = x.shape[1] if x.dim() > 1 else 1
        if self.num_parameters not in (1, for_each) or not of_one_float(x, self.weight):
            return super().forward(x)
        found: Any = _prelu(x, self.weight.reshape(-1, *[1] * (x.dim() - 2)) if x.dim() > 1 else self.weight)
        return found if x.dim() else found[0]
