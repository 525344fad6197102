"""What PyTorch calls an operator that has another name here, or is one of several."""

from __future__ import annotations

from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    **{"where": "choose", "cat": "concat", "scaled_dot_product_attention": "attention"},
    **{"unfold": "im2col", "fold": "col2im"},
}
"""The same operator: `uol.ops.where` is `uol.ops.choose`, for `where` is a word of the language."""

KIN: Mapping[str, str] = {
    "histc": "histogram",
    "digitize": "searchsorted, searchsorted_right",
    "upsample": "upsample_nearest2d, upsample_bilinear2d",
    "fmax": "maximum",
    "fmin": "minimum",
    "split": "slice",
    "chunk": "slice",
    "narrow": "slice",
    "tile": "repeat",
    "nanquantile": "quantile",
    "hard_swish": "hardswish",
    "swish": "silu",
    "conv_transpose": "conv_transpose1d, conv_transpose2d, conv_transpose3d",
    "conv": "conv1d, conv2d, conv3d",
    "clip_grad_norm": "foreach.clip_",
    "clip_grad_norm_": "foreach.clip_",
    "adam": "adamw",
    "bce_loss": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy_with_logits",
    "rope": "rotary_embedding, rotary_embedding_pairs, rotary_embedding_full",
    "rand": "uniform",
    "rand_like": "uniform",
    "to": "cast",
    "type": "cast",
}
"""The operators that do what PyTorch, or a paper, has under this name."""
