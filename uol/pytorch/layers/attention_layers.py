"""What takes the place of PyTorch's attention and of the encoder around it. Each class differs from its parent in what it
computes alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from uol.pytorch.bridge import operator
from uol.pytorch.layers.layer_support import of_one_float
from uol.pytorch.layers.row_norm_layers import LayerNorm

_linear = operator("linear")
_functions: dict[Any, Callable[..., Any]] = {functional.relu: operator("relu"), functional.gelu: operator("gelu")}


class MultiheadAttention(nn.MultiheadAttention):
    """PyTorch's own is taken where weights, dropout, or a mask for each batch is asked for, and for what it refuses."""

    attention: ClassVar[Any] = staticmethod(operator("attention"))
    biased: ClassVar[Any] = staticmethod(operator("biased_attention"))

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None, need_weights: bool = True,
        attn_mask: Tensor | None = None, average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        dropped = self.training and self.dropout > 0
        plain = not need_weights and not dropped and key_padding_mask is None and query.dim() == 3
        if not plain or not self._takes(query, key, attn_mask, is_causal):
            return super().forward(
                query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal
            )
        q, k, v = self._projected(query, key, value)
        if attn_mask is None:
            found = self.attention(q, k, v)
        else:
            bias = attn_mask
            if bias.dtype is torch.bool:
                bias = torch.zeros_like(bias, dtype=q.dtype).masked_fill(bias, float("-inf"))
            found = self.biased(q, k, v, bias.to(q.dtype))
        y = _product(found.transpose(1, 2).flatten(2), self.out_proj.weight, self.out_proj.bias)  # nor does PyTorch call it
        return (y if self.batch_first else y.transpose(0, 1)), None

    def _takes(self, query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool) -> bool:
        if mask is None:
            return not is_causal
        rows = 1 if self.batch_first else 0
        return mask.shape == (query.shape[rows], key.shape[rows]) and (mask.dtype is torch.bool or of_one_float(mask))

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> Sequence[Tensor]:
        """Queries, keys and values by head, [B, H, L, D]; those of one tensor by one product."""
        if query is key is value:
            split = self._linear(query).reshape(*query.shape[:2], 3, self.num_heads, self.head_dim)
            return split.permute(*((2, 0, 3, 1, 4) if self.batch_first else (2, 1, 3, 0, 4))).unbind()
        if not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        return [self._heads(x, n) for n, x in enumerate((query, key, value))]

    def _heads(self, x: Tensor, part: int) -> Tensor:
        projected = self._linear(x, slice(part * self.embed_dim, (part + 1) * self.embed_dim))
        return projected.reshape(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)

    def _linear(self, x: Tensor, own: slice | None = None) -> Tensor:
        """By its rows of the weights, or by the whole parameter, whose dims stay numbers in kernels (`TorchOperator`)."""
        weight: Tensor = self.in_proj_weight if own is None else self.in_proj_weight[own]
        bias: Tensor | None = self.in_proj_bias
        return _product(x, weight, bias if bias is None or own is None else bias[own])


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    found: Any = _linear(x, weight, x.new_zeros(len(weight)) if bias is None else bias)
    product: Tensor = found
    return product


class TransformerEncoderLayer(nn.TransformerEncoderLayer):
    """Its two halves call the layers; the fused inference of PyTorch, which does not, is left out."""

    def forward(
        self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), src_mask, src_key_padding_mask, is_causal=is_causal)
            return x + self._ff_block(self.norm2(x))
        x = _of_sum(self.norm1, x, self._sa_block(x, src_mask, src_key_padding_mask, is_causal=is_causal))
        return _of_sum(self.norm2, x, self._ff_block(x))

    def _ff_block(self, x: Tensor) -> Tensor:
        found: Any = self.linear1(x)
        activation = _functions.get(self.activation, self.activation) if of_one_float(found) else self.activation
        y: Tensor = self.dropout2(self.linear2(self.dropout(activation(found))))
        return y


def _of_sum(norm: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The norm of a sum."""
    found: Tensor = norm.of_sum(x, y) if isinstance(norm, LayerNorm) else norm(x + y)
    return found


class TransformerEncoder(nn.TransformerEncoder):
    """Its layers get no nested tensors, which the operators do not take. What was chosen is kept for PyTorch's."""

    @property
    def use_nested_tensor(self) -> bool:
        return False

    @use_nested_tensor.setter
    def use_nested_tensor(self, chosen: bool) -> None:
        self.__dict__["use_nested_tensor"] = chosen
