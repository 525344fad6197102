"""Rewrites that few functions share: classes as rows, masks, sizes of images, products."""

from __future__ import annotations

import math
from typing import Any

import torch

from uol.ir.errors import ShapeError
from uol.operators.registry import find_operator
from uol.ops import text as texts
from uol.ops.texts import names
from uol.pytorch.layers import window_options
from uol.pytorch.layers.window_options import AXES
from uol.pytorch.layers.window_options import EDGES as EDGES_OF
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.shapes import place

TEXTS = frozenset(names())


@rewrite
def by_channel(call: Call, name: str, like: str) -> None:
    """A value for each channel lies along dim 1."""
    each, x = call.args[name], call.args[like]
    if each.dim() == 1 and each.shape[0] != 1 and x.dim() > 2:
        call.args[name] = each.reshape(-1, *[1] * (x.dim() - 2))
    elif each.dim() == 1 and x.dim() < 2:
        if each.numel() != 1:
            message = f"{call.name}: {name} has {each.numel()} values, the input one channel"
            raise ShapeError(message, hint="one for each channel")
        call.args[name] = each.reshape(())


@rewrite
def vectors(call: Call, left: str, right: str) -> None:
    """A vector is a matrix of one row, or of one column."""
    a, b = call.args[left], call.args[right]
    if not a.dim() or not b.dim():
        raise ShapeError(f"{call.name}: a tensor has no dims", hint="write uol.ops.mul")
    if b.dim() == 1:
        call.args[right] = b[:, None]
        call.finishes.append(lambda r: r.squeeze(-1))
    if a.dim() == 1:
        call.args[left] = a[None]
        call.finishes.append(lambda r: r.squeeze(-2))


@rewrite
def batches(call: Call, left: str, right: str) -> None:
    """The dims in front of two matrices broadcast; a batch against one matrix is one product."""
    a, b = call.args[left], call.args[right]
    if a.shape[:-2] != b.shape[:-2]:
        try:
            lead = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except RuntimeError as error:
            message = f"{call.name}: {list(a.shape)} and {list(b.shape)} have batches that do not broadcast"
            raise ShapeError(message, hint="sizes are equal or 1, from the last on") from error
        call.args[left], call.args[right] = a.expand(*lead, *a.shape[-2:]), b.expand(*lead, *b.shape[-2:])


@rewrite
def to_product(call: Call, name: str, left: str, right: str) -> None:
    """What is added has the size of the product."""
    a, b = call.args[left], call.args[right]
    call.args[name] = call.args[name].expand(*a.shape[:-1], b.shape[-1])


@rewrite
def same_size(call: Call) -> None:
    """`padding="same"` and `"valid"`; an odd one has the greater part behind."""
    padding, weight = call.args["padding"], call.args["weight"]
    if not isinstance(padding, str):
        return
    axes = weight.dim() - 2
    steps = numbers(call.args["dilation"], axes)
    total = [(n - 1) * d if padding == "same" else 0 for n, d in zip(weight.shape[2:], steps, strict=True)]
    if padding not in ("same", "valid") or any(s != 1 for s in numbers(call.args["stride"], axes) if padding == "same"):
        raise call.refuse(f"padding={padding!r} with stride={call.args['stride']}", "a number, or one for each axis")
    call.attributes.pop("pad")
    for axis, size in zip(AXES[-axes:], total, strict=True):
        low, high = EDGES_OF[axis]
        call.attributes |= {f"pad_{low}": f"{size // 2}", f"pad_{high}": f"{size - size // 2}"}


def numbers(value: Any, count: int) -> list[Any]:
    """One for each axis, from one for all or from a list."""
    return [value] * count if isinstance(value, int | float) else list(value) * (count if len(value) == 1 else 1)


@rewrite
def plus_channels(call: Call, name: str) -> None:
    """A bias is added to each channel of what is given."""
    bias = call.args[name]
    if bias is not None:
        axes = call.args["weight"].dim() - 2
        call.finishes.append(lambda r: texts.add(r, bias.reshape(-1, *[1] * axes)))


@rewrite
def to_size(call: Call, axes: str, name: str) -> None:
    """A size for each axis; one that is None is the input's."""
    count, x = int(axes), call.args["input"]
    sizes = call.args[name]
    given = [sizes] * count if sizes is None or isinstance(sizes, int) else list(sizes) * (count if len(sizes) == 1 else 1)
    for axis, size, own in zip(AXES[-count:], given, x.shape[-count:], strict=True):
        call.args[f"out_{axis}"] = own if size is None else size


@rewrite
def trained(call: Call) -> None:
    """`training=True` takes the statistics of the batch, and moves the running ones. Of no elements nothing is left to do."""
    if not call.args["input"].numel():
        call.text, call.tensors, call.attributes = "cast", ["input"], {"dtype": "training"}
        call.args["training"] = call.args["input"].dtype
        return
    if not call.args["training"]:
        return
    if call.args["running_mean"] is None and call.args["running_var"] is None:
        call.text = "batch_norm_train"
        call.tensors = ["input", "weight", "bias"]
        call.finishes.append(lambda r: r[0])
        return
    _moving(call, lambda running: running)


def _moving(call: Call, own: Any) -> None:
    """The text that moves the running statistics, which are `own` of what it gives."""
    mean, var = call.args["running_mean"], call.args["running_var"]
    call.text, call.attributes = "batch_norm_training", {"eps": "eps", "momentum": "momentum"}
    call.tensors = ["input", "weight", "bias", "running_mean", "running_var"]

    def finish(r: Any) -> Any:
        with torch.no_grad():
            mean.copy_(own(r[1]))
            var.copy_(own(r[2]))
        return r[0]

    call.finishes.append(finish)


@rewrite
def by_instance(call: Call) -> None:
    """Running statistics are those that all instances have in the mean; each is a batch of its own, channels beside channels.
    `use_input_stats=False` takes the running ones."""
    mean, var, x = call.args["running_mean"], call.args["running_var"], call.args["input"]
    if not call.args["use_input_stats"]:
        if mean is None or var is None:
            raise ShapeError(f"{call.name}: use_input_stats=False without running statistics", hint="give both, or True")
        call.text = "batch_norm"
        call.tensors = ["input", "weight", "bias", "running_mean", "running_var"]
        return
    if mean is None or var is None:
        return
    count = x.shape[0]
    _moving(call, lambda running: texts.mean(running.reshape(count, -1), dim=0))
    call.args["input"] = x.reshape(1, -1, *x.shape[2:])
    for name in call.tensors[1:]:
        call.args[name] = call.args[name].expand(count, -1).reshape(-1)
    call.finishes.insert(0, lambda r: r.reshape(x.shape))


@rewrite
def raised(call: Call, name: str, target: str) -> None:
    """A target that is given by its logarithm is raised."""
    if call.args[name]:
        call.args[target] = texts.exp(call.args[target])


@rewrite
def class_rows(call: Call) -> None:
    """Classes lie along dim 1: rows of them are one a sample, or one a pixel."""
    x, target = call.args["input"], call.args["target"]
    call.args["input"] = x[None] if x.dim() == 1 else x.movedim(1, -1).reshape(-1, x.shape[1])
    shape = target.shape
    if target.is_floating_point():
        if call.name != "cross_entropy":
            raise call.refuse("a target of probabilities", "uol.ops.cross_entropy, or a class for each row")
        call.text, call.attributes = "soft_cross_entropy", {"reduction": "reduction"}
        call.tensors = ["input", "target"]
        weight, call.args["weight"] = call.args["weight"], False  # which is not missing
        rows = target[None] if target.dim() == 1 else target.movedim(1, -1).reshape(-1, target.shape[1])
        call.args["target"] = _smoothed(rows, call.args["label_smoothing"], weight)
        shape = torch.Size((*target.shape[:1], *target.shape[2:])) if target.dim() > 1 else torch.Size(())
    else:
        call.args["target"] = target.reshape(-1)
        if tuple(shape) != (tuple(x.shape[:1] + x.shape[2:]) if x.dim() > 1 else ()):
            message = f"{call.name}: target is {list(shape)}, the input {list(x.shape)}"
            raise ShapeError(message, hint="a class for each row, along dim 1")
    if call.args["reduction"] == "none":
        call.finishes.append(lambda r: r.reshape(shape))


def _smoothed(target: Any, smoothing: float, weight: Any) -> Any:
    """Probabilities of which a part goes to all classes alike, times the weight of each."""
    if smoothing:
        target = texts.add(texts.mul(target, 1 - smoothing), smoothing / target.shape[-1])
    return target if weight is None else texts.mul(target, weight)


@rewrite
def scaled(call: Call) -> None:
    """A scale of one's own, beside that of the text."""
    scale, q = call.args["scale"], call.args["query"]
    own = q.shape[-1] ** -0.5 if q.shape[-1] else 1.0
    if scale is not None and scale != own:
        call.args["query"] = texts.mul(q, scale / own)


@rewrite
def same_heads(call: Call) -> None:
    """Fewer heads of keys than of queries are what `enable_gqa=True` asks for."""
    q, k = call.args["query"], call.args["key"]
    if q.dim() > 3 and k.dim() > 3 and q.shape[-3] != k.shape[-3] and not call.args["enable_gqa"]:
        raise ShapeError(f"{call.name}: {q.shape[-3]} heads of queries, {k.shape[-3]} of keys", hint="write enable_gqa=True")


@rewrite
def batches_of_heads(call: Call, names: str) -> None:
    """Queries, keys and values are [batch, heads, rows, width]; what is in front is one batch, what lacks is 1."""
    several = names.split(",")
    given = [call.args[name] for name in several]
    rank = max(x.dim() for x in given)
    if min(x.dim() for x in given) < 2:
        raise ShapeError(f"{call.name}: a tensor has fewer than two dims", hint="rows and their width at least")
    padded = [x[(None,) * (max(rank, 4) - x.dim())] for x in given]
    lead = torch.broadcast_shapes(*[x.shape[:-3] for x in padded])
    call.args["lead"] = (*lead, padded[0].shape[1 if rank <= 4 else -3])
    for name, x in zip(several, padded, strict=True):
        wide = x.expand(*lead, *x.shape[-3:])
        call.args[name] = wide if len(lead) == 1 else wide.reshape(math.prod(lead), *wide.shape[-3:])
    if rank < 4:
        call.finishes.append(lambda r: r[(0,) * (4 - rank)])
    elif rank > 4:
        call.finishes.append(lambda r: r.reshape(*lead, *r.shape[1:]))


@rewrite
def masked(call: Call) -> None:
    """A causal mask, one of truth values, or one that is added; it broadcasts over batches and heads."""
    mask, causal = call.args["attn_mask"], call.args["is_causal"]
    if causal and mask is not None:
        raise call.refuse("attn_mask beside is_causal=True", "one mask that says both")
    if causal:
        call.text = "causal_attention"
    if mask is None:
        return
    lead, q, k = call.args["lead"], call.args["query"], call.args["key"]
    wide = mask.expand(*lead, q.shape[2], k.shape[2])
    call.args["attn_mask"] = wide if len(lead) == 2 else wide.reshape(-1, *wide.shape[-3:])
    call.tensors = [*call.tensors, "attn_mask"]
    call.text = "masked_attention" if mask.dtype is torch.bool else "biased_attention"
    if mask.dtype is not torch.bool and mask.dtype != q.dtype:
        raise ShapeError(f"{call.name}: attn_mask is {mask.dtype}, the query {q.dtype}", hint="bool, or the query's type")


@rewrite
def dropped(call: Call, seed: str) -> None:
    """Weights are left out by a seed from PyTorch's generator, where none is given, of all scores or below a diagonal."""
    if not call.args["dropout_p"]:
        return
    if call.args["attn_mask"] is not None:
        raise call.refuse("dropout_p beside attn_mask", "is_causal=True in place of a mask, or PyTorch's own")
    if call.args[seed] is None:
        call.args[seed] = int(torch.randint(2**62, ()))
    call.args["is_causal"] = int(call.args["is_causal"])
    call.text, call.attributes = "dropout_attention", {"seed": seed, "p": "dropout_p", "causal": "is_causal"}


@rewrite
def joined(call: Call, name: str, dim: str, *more: str) -> None:
    """What is put before and behind, along the dim."""
    before, behind = (call.args[each] for each in more)
    parts = [x for x in (before, call.args[name], behind) if x is not None]
    if len(parts) > 1:
        call.args[name] = texts.concat(parts, dim=call.args[dim])


@rewrite
def cut(call: Call, name: str, index: str) -> None:
    """What is read may be larger than the index in the other dims."""
    x, at = call.args[name], call.args[index]
    if x.shape[:-1] != at.shape[:-1]:
        call.args[name] = x[tuple(slice(n) for n in at.shape[:-1])]


@rewrite
def spread(call: Call, names: str) -> None:
    """The dims but the last broadcast."""
    several = names.split(",")
    given = [call.args[name] for name in several]
    lead = torch.broadcast_shapes(*[x.shape[:-1] for x in given])
    for name, x in zip(several, given, strict=True):
        call.args[name] = x.expand(*lead, x.shape[-1])


@rewrite
def places(call: Call, dim: str, name: str, index: str, source: str) -> None:
    """An index of each element along a dim, as one into the flat tensor."""
    x, at, src = call.args[name], call.args[index], call.args[source]
    along = place(call.name, call.args[dim], x.dim())
    where, step = torch.zeros_like(at), 1
    for d in reversed(range(x.dim())):
        own = at if d == along else torch.arange(at.shape[d], device=at.device).reshape(-1, *[1] * (x.dim() - d - 1))
        where, step = where + own * step, step * x.shape[d]
    taken = src[tuple(slice(n) for n in at.shape)]
    call.args |= {name: x.reshape(-1, 1), index: where.reshape(-1), source: taken.reshape(-1, 1)}
    call.finishes.append(lambda r: r.reshape(x.shape))


@rewrite
def from_end(call: Call, index: str, name: str) -> None:
    """A negative index counts from the end."""
    at = call.args[index]
    call.args[index] = texts.choose(texts.lt(at, 0), texts.add(at, call.args[name].numel()), at)


@rewrite
def row_from_end(call: Call, index: str, name: str) -> None:
    """A negative index counts from the end of its row."""
    at = call.args[index]
    call.args[index] = texts.choose(texts.lt(at, 0), texts.add(at, call.args[name].shape[-1]), at)


@rewrite
def counted(call: Call, name: str, of: str) -> None:
    """As many classes as the largest says, where they are not given."""
    if call.args[name] < 0:
        call.args[name] = int(call.args[of].max()) + 1


@rewrite
def batches_of_rows(call: Call, left: str, right: str) -> None:
    """Matrices of rows, whose dims in front broadcast, are one batch."""
    batches(call, left, right)
    a, b = call.args[left], call.args[right]
    lead = a.shape[:-2]
    for name, x in ((left, a), (right, b)):
        call.args[name] = x.reshape(math.prod(lead), *x.shape[-2:])
    call.finishes.append(lambda r: r.reshape(*lead, *r.shape[-2:]))


@rewrite
def divided(call: Call) -> None:
    """`divisor_override=`: the sum of a window, by this. What hangs over is padding."""
    by = call.args["divisor_override"]
    if by is None:
        return
    if by == 0:
        raise call.refuse("divisor_override=0", "another divisor")
    op = find_operator(call.text)
    given = {name: call.args[of] for name, of in call.attributes.items() if name in ("kernel", "stride", "pad")}
    options = window_options.by_axis(op, given)
    if call.args["ceil_mode"]:
        options = window_options.rounded_up(op, call.args["input"].shape, options)
    call.attributes = {name: f"{value}" for name, value in options.items()}
    size = math.prod(window_options.along(options, "kernel", axis, 1) for axis in window_options.axes_of(op))
    call.finishes.append(lambda r: texts.mul(r, size / by))
