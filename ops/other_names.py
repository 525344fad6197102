"""What PyTorch calls an operator that has another name here, or is one of several."""

from __future__ import annotations

from collections.abc import Mapping

ALIASES: Mapping[str, str] = {"where": "choose", "cat": "concat", "scaled_dot_product_attention": "attention"}
"""The same operator: `uol.ops.where` is `uol.ops.choose`, for `where` is a word of the language."""

KIN: Mapping[str, str] = {
    "max": "amax, max_with_index, maximum",
    "min": "amin, min_with_index, minimum",
    "norm": "l1_norm, l2_norm, max_norm, vector_norm",
    "std_mean": "var_mean, std",
    "histc": "histogram",
    "bucketize": "searchsorted, searchsorted_right",
    "digitize": "searchsorted, searchsorted_right",
    "pad": "pad1d, pad2d, pad3d, reflection_pad1d, replication_pad1d, circular_pad1d",
    "interpolate": "upsample_nearest2d, upsample_bilinear2d",
    "upsample": "upsample_nearest2d, upsample_bilinear2d",
    "addmm": "matmul_add",
    "baddbmm": "matmul_add",
    "bmm": "batched_matmul, matmul",
    "mm": "matmul",
    "mv": "matrix_vector",
    "fmax": "maximum",
    "fmin": "minimum",
    "split": "slice",
    "chunk": "slice",
    "narrow": "slice",
    "tile": "repeat",
    "swapaxes": "transpose",
    "scatter": "scatter_add, index_add",
    "index_put": "index_add, index_fill",
    "index_copy": "index_add, index_fill",
    "logsigmoid": "log_sigmoid",
    "hard_swish": "hardswish",
    "swish": "silu",
    "conv_transpose": "conv_transpose1d, conv_transpose2d, conv_transpose3d",
    "conv": "conv1d, conv2d, conv3d",
    "clip": "clamp",
    "clip_grad_norm": "foreach.clip_",
    "clip_grad_norm_": "foreach.clip_",
    "adam": "adamw",
    "bce_loss": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy_with_logits",
    "rope": "rotary_embedding, rotary_embedding_pairs",
    "rand": "uniform",
    "rand_like": "uniform",
    "to": "cast",
    "type": "cast",
}
"""The operators that do what PyTorch, or a paper, has under this name."""
