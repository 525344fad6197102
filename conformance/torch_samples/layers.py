"""Forms of PyTorch's layers: products, norms, convolutions, pools, padding, indexing, losses (`forms` says what a
form is)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from uol.conformance.torch_samples.forms import apply, require
from uol.operators.registry import is_known
from uol.ops import text as ops
from uol.pytorch.variadic import FACES

Tensor = torch.Tensor
SPATIAL = ("d", "h", "w")
EDGES = (("front", "back"), ("top", "bottom"), ("left", "right"))


def linear(name: str, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """A missing bias is 0."""
    require(weight.dim() == 2, "a weight that is a vector")
    return apply(name, x, weight, weight.new_zeros(weight.shape[0]) if bias is None else bias)


def matmul(name: str, a: Tensor, b: Tensor) -> Any:
    """Vectors as matrices of one row or column; batches broadcast."""
    require(a.dim() and b.dim(), "a tensor of no dims")
    left, right = a if a.dim() > 1 else a[None], b if b.dim() > 1 else b[:, None]
    batch = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    found = apply(name, left.expand(*batch, *left.shape[-2:]), right.expand(*batch, *right.shape[-2:]))
    found = found if a.dim() > 1 else found.squeeze(-2)
    return found if b.dim() > 1 else found.squeeze(-1)


def addmm(name: str, c: Tensor, a: Tensor, b: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta*c + alpha*(a @ b)."""
    return apply(name, c.expand(*a.shape[:-1], b.shape[-1]), a, b, alpha=alpha, beta=beta)


def bilinear(name: str, x: Tensor, z: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """Batches of any rank as one."""
    b = weight.new_zeros(weight.shape[0]) if bias is None else bias
    found = apply(name, x.reshape(-1, x.shape[-1]), z.reshape(-1, z.shape[-1]), weight, b)
    return found.reshape(*x.shape[:-1], weight.shape[0])


def einsum(name: str, first: Any, equation: Any, *operands: Any) -> Any:
    """Of equations with letters alone."""
    require("..." not in equation, "an equation with dots")
    return FACES["einsum"](equation.replace(" ", ""), *first)


def joined(name: str, tensors: Sequence[Tensor], dim: int = 0) -> Any:
    """Along a dim."""
    require(len({x.dim() for x in tensors}) == 1, "an empty tensor of another rank")
    return FACES["concat"](list(tensors), dim=dim)


def stacked(name: str, tensors: Sequence[Tensor], dim: int = 0) -> Any:
    """Along a new dim."""
    return FACES["stack"](list(tensors), dim=dim)


def layer_norm(name: str, x: Tensor, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """The normalised dims as one."""
    rows, scale, shift = _normalised(x, shape, weight, bias)
    return apply(name, rows, scale, shift, eps=eps).reshape(x.shape)


def rms_norm(name: str, x: Tensor, shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """The normalised dims as one."""
    rows, scale, _ = _normalised(x, shape, weight, None)
    return apply(name, rows, scale, eps=torch.finfo(x.dtype).eps if eps is None else eps).reshape(x.shape)


def _normalised(x: Tensor, shape: Sequence[int], weight: Any, bias: Any) -> tuple[Tensor, Tensor, Tensor]:
    kept, count = x.shape[: x.dim() - len(shape)], torch.Size(shape).numel()
    scale = x.new_ones(count) if weight is None else weight.reshape(count)
    return x.reshape(*kept, count), scale, x.new_zeros(count) if bias is None else bias.reshape(count)


def group_norm(name: str, x: Tensor, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Channels in groups."""
    return apply(name, x, *_affine(x, weight, bias), groups=groups, eps=eps)


def instance_norm(name: str, x: Tensor, running_mean: Any = None, running_var: Any = None, **options: Any) -> Any:
    """By the statistics of the instance."""
    require(options.get("use_input_stats", True), "the running statistics are asked for")
    return apply(name, x, *_affine(x, options.get("weight"), options.get("bias")), eps=options.get("eps", 1e-5))


def batch_norm(
    name: str, x: Tensor, mean: Any, var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """By running statistics, or by those of the batch."""
    scale, shift = _affine(x, weight, bias)
    if training:
        return apply("batch_norm_train", x, scale, shift, eps=eps)[0]
    return apply(name, x, scale, shift, mean, var, eps=eps)


def _affine(x: Tensor, weight: Any, bias: Any) -> tuple[Tensor, Tensor]:
    require(x.dim() > 1, "fewer than two dims")
    count = x.shape[1]
    return (x.new_ones(count) if weight is None else weight, x.new_zeros(count) if bias is None else bias)


def numbers(value: Any, rank: int) -> tuple[int, ...]:
    """One number a dim."""
    given = (value,) if isinstance(value, int) else tuple(value)
    return given * rank if len(given) == 1 else given


def _by_axis(option: str, value: Any, rank: int) -> dict[str, int]:
    given = numbers(value, rank)
    if rank == 1:
        return {option: given[0]}
    return {f"{option}_{axis}": each for axis, each in zip(SPATIAL[-rank:], given, strict=True)}


def _padding(value: Any, rank: int) -> dict[str, int]:
    return {f"pad_{EDGES[3 - rank + n][0]}": each for n, each in enumerate(numbers(value, rank))}


def conv(
    name: str, x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Any:  # fmt: skip
    """With a batch of one where there is none; `same` padding puts the odd element behind."""
    rank = weight.dim() - 2
    options = _by_axis("stride", stride, rank) | _by_axis("dilation", dilation, rank)
    if padding == "same":
        for (low, high), size, step in zip(EDGES[3 - rank :], weight.shape[2:], numbers(dilation, rank), strict=True):
            total = step * (size - 1)
            options |= {f"pad_{low}": total // 2, f"pad_{high}": total - total // 2}
    else:
        options |= _padding(0 if padding == "valid" else padding, rank)
    if bias is not None and is_known(f"{name}_bias"):
        return _batched(f"{name}_bias", x, rank, weight, bias, groups=groups, **options)
    return _with_bias(_batched(name, x, rank, weight, groups=groups, **options), bias, rank)


def conv_transpose(
    name: str, x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """As conv."""
    rank = weight.dim() - 2
    options = _by_axis("stride", stride, rank) | _by_axis("dilation", dilation, rank)
    options |= _padding(padding, rank) | _by_axis("output_pad", output_padding, rank)
    return _with_bias(_batched(name, x, rank, weight, groups=groups, **options), bias, rank)


def _with_bias(found: Tensor, bias: Tensor | None, rank: int) -> Any:
    if bias is None:
        return found
    require(bias.dtype not in (torch.float16, torch.bfloat16), "a bias in a narrow type: it is added to what was rounded")
    return apply("add", found, bias.reshape(-1, *[1] * rank))


def _batched(name: str, x: Tensor, rank: int, *more: Tensor, **options: Any) -> Any:
    if x.dim() == rank + 2:
        return apply(name, x, *more, **options)
    return apply(name, x[None], *more, **options)[0]


def max_pool(name: str, x: Tensor, *given: Any, **named: Any) -> Any:
    """Without indices."""
    order = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    options = dict(zip(order, given, strict=False)) | named
    require(not options.pop("return_indices", False), "indices")
    return _pooled(name, x, options)


def avg_pool(name: str, x: Tensor, *given: Any, **named: Any) -> Any:
    """By what counts."""
    order = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    options = dict(zip(order, given, strict=False)) | named
    require(options.pop("divisor_override", None) is None, "divisor_override")
    return _pooled(name, x, options)


def _pooled(name: str, x: Tensor, options: dict[str, Any]) -> Any:
    if options.get("stride") in ((), []):
        del options["stride"]
    return _batched(name, x, int(name[-2]), **options)


def adaptive_pool(name: str, x: Tensor, size: Any, return_indices: bool = False) -> Any:
    """To a size; a dim that is not named keeps its own."""
    require(not return_indices, "indices")
    rank = int(name[-2])
    given = (size,) * rank if isinstance(size, int) else tuple(size)
    wanted = [own if g is None else g for g, own in zip(given, x.shape[-rank:], strict=True)]
    return _batched(name, x, rank, **{f"out_{a}": n for a, n in zip(SPATIAL[-rank:], wanted, strict=True)})


def padded(name: str, x: Tensor, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Any:
    """At the last dims."""
    rank = len(pad) // 2
    require(rank <= 3 and hasattr(ops, f"{name}{rank}d"), f"{name}{rank}d")
    edges = [edge for low_high in EDGES[::-1] for edge in low_high]
    options: dict[str, Any] = dict(zip(edges, pad, strict=False))
    return apply(f"{name}{rank}d", x, **options, **({"value": value or 0.0} if name == "pad" else {}))


def interpolated(
    name: str, x: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Any:  # fmt: skip
    """To a size."""
    rank = x.dim() - 2
    require(size is not None, "a factor")
    require(hasattr(ops, f"{name}{rank}d"), f"{name}{rank}d")
    sizes = {f"out_{axis}": n for axis, n in zip(SPATIAL[-rank:], numbers(size, rank), strict=True)}
    options = {} if align_corners is None else {"align_corners": align_corners}
    return apply(f"{name}{rank}d", x, **sizes, **options)


def with_corners(name: str, x: Tensor, size: Any = None, scale_factor: Any = None) -> Any:
    """The corner pixels stay corners."""
    return interpolated(name, x, size, scale_factor, align_corners=True)


def whole(name: str, x: Tensor, number: Any = None, *, upscale_factor: Any = None, downscale_factor: Any = None) -> Any:
    """One number, which is the operator's one attribute."""
    number = number or upscale_factor or downscale_factor
    if name in ("tril", "triu"):
        return apply(name, x, diagonal=number or 0)
    if name == "channel_shuffle":
        return apply(name, x, groups=number)
    batch = x.reshape(torch.Size(x.shape[:-3]).numel(), *x.shape[-3:])
    found = apply(name, batch, factor=number)
    return found.reshape(*x.shape[:-3], *found.shape[1:])


def index_select(name: str, x: Tensor, dim: int, index: Tensor) -> Any:
    """Of the first dim, to which it is moved."""
    require(x.dim(), "a tensor of no dims")
    return apply(name, x.movedim(dim, 0), index.reshape(-1)).movedim(0, dim)


def gather(name: str, x: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Any:
    """Along the last dim, where the others agree."""
    require(x.dim() and index.dim() == x.dim(), "a tensor of no dims")
    moved, at = x.movedim(dim, -1), index.movedim(dim, -1)
    require(index.dtype is torch.int64, f"an index of type {index.dtype}")
    kept = tuple(slice(0, n) for n in at.shape[:-1])
    return apply(name, moved[kept], at).movedim(-1, dim)


def take(name: str, x: Tensor, index: Tensor) -> Any:
    """Of the flat tensor; a negative index counts from the end."""
    flat = x.reshape(-1)
    return apply(name, flat, torch.where(index < 0, index + flat.numel(), index))


def embedding(name: str, weight: Tensor, at: Tensor, padding_idx: Any = None, max_norm: Any = None, **options: Any) -> Any:
    """Rows of a table. (OpInfo's samples begin with the table.)"""
    require(padding_idx is None, "padding_idx")
    require(max_norm is None, "max_norm")
    require(not options.get("scale_grad_by_freq"), "scale_grad_by_freq")
    require(not options.get("sparse"), "a sparse gradient")
    return apply(name, weight, at)


def one_hot(name: str, at: Tensor, num_classes: int = -1) -> Any:
    """The number of classes by the largest, where it is not given."""
    return apply(name, at, classes=int(at.max()) + 1 if num_classes < 0 else num_classes)


def attention(
    name: str, q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """Batches of heads."""
    require(dropout_p == 0, "dropout")
    require(scale is None, "a scale")
    require(attn_mask is None, "a mask for each head")
    require(not is_causal or q.shape[-2] == k.shape[-2], "a causal mask that is not square")
    if q.dim() == 3:
        q, k, v = q[:, None], k[:, None], v[:, None]
        return apply("causal_attention" if is_causal else name, q, k, v)[:, 0]
    require(q.dim() == 4, "several dims of batches")
    return apply("causal_attention" if is_causal else name, q, k, v)


def pointwise_loss(name: str, *tensors: Tensor, **options: Any) -> Any:
    """Of elements, or of rows."""
    for option, value in {"weight": None, "pos_weight": None, "log_target": False, "full": False, "swap": False}.items():
        require(options.pop(option, value) in (value,), option)
    require(options.pop("log_input", True), "log_input=False")
    require(options.pop("p", 2) == 2, "p")
    if name == "triplet_margin_loss":
        require("eps" not in options and all(x.dim() == 2 for x in tensors), "batches of another rank")
    if name == "poisson_nll_loss":
        options.pop("eps", None)
    if name in ("l1_loss", "mse_loss", "huber_loss", "smooth_l1_loss"):
        tensors = torch.broadcast_tensors(*tensors)
    return apply(name, *tensors, reduction=_reduction(options), **options)


def class_loss(name: str, x: Tensor, t: Tensor, weight: Tensor | None = None, **options: Any) -> Any:
    """Over rows of classes; images are rows, one a pixel."""
    options["reduction"] = _reduction(options)
    require(x.dim(), "a tensor of no dims")
    shape = t.shape
    if t.is_floating_point():
        require(weight is None and not options.get("label_smoothing"), "weights or smoothing with probabilities")
        require(x.dim() > 1, "one row of probabilities")
        flat, probabilities = (y.movedim(1, -1).reshape(-1, y.shape[1]) for y in (x, t))
        found = apply("soft_cross_entropy", flat, probabilities, reduction=options["reduction"])
        shape = torch.Size((*t.shape[:1], *t.shape[2:]))
    else:
        flat = x[None] if x.dim() == 1 else x.movedim(1, -1).reshape(-1, x.shape[1])
        weighted = () if weight is None else (weight,)
        found = apply(f"weighted_{name}" if weighted else name, flat, t.reshape(-1), *weighted, **options)
    return found.reshape(shape) if options["reduction"] == "none" else found


def _reduction(options: dict[str, Any]) -> str:
    """By the name, or by the two truth values that were before it."""
    average, reduce, reduction = (options.pop(name, None) for name in ("size_average", "reduce", "reduction"))
    if average is None and reduce is None:
        return reduction or "mean"
    if reduce is False:
        return "none"
    return "sum" if average is False else "mean"
