"""`uol.ops.foreach`: one call over lists of tensors, for optimisers (rule 19 of the language).

    with torch.no_grad():
        uol.ops.foreach.clip_(grads, max_norm=1.0)
        uol.ops.foreach.sgd_momentum_(params, grads, buffers, lr=0.1, momentum=0.9, nesterov=True)

Foreach is a property of the call, not of a text: the texts are sgd, sgd_momentum, adamw (`uol show sgd`). On the CPU the
tensors of a position that lie alike are flat to the kernel, so that one kernel serves every shape of their size, and is
called without PyTorch's dispatcher in between. Elsewhere a position is a launch of its own, so far. A position whose gradient
is None is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from uol.compiler import compile
from uol.expected import shown
from uol.ir.errors import ShapeError, TypeCheckError, UolError
from uol.layouts import is_dense
from uol.torch_bridge import operator
from uol.torch_in_place import InPlaceOperator, in_place_function, in_place_operator
from uol.torch_schema import NAMES

Tensors = Sequence[Tensor]
Gradients = Sequence[Tensor | None]


def sgd_(params: Tensors, grads: Gradients, *, lr: float, weight_decay: float = 0.0) -> None:
    """p -= lr * (g + weight_decay * p), for every position of the lists."""
    _step("sgd", {"params": params, "grads": grads}, {"lr": lr, "weight_decay": weight_decay})


def sgd_momentum_(
    params: Tensors,
    grads: Gradients,
    buffers: Tensors,
    *,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> None:
    """b = momentum * b + g + weight_decay * p; p -= lr * b (nesterov: lr * (g + weight_decay * p + momentum * b)).

    The buffers start at zero; then this is torch.optim.SGD.
    """
    options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": int(nesterov)}
    _step("sgd_momentum", {"params": params, "grads": grads, "buffers": buffers}, options)


def adamw_(
    params: Tensors,
    grads: Gradients,
    means: Tensors,
    squares: Tensors,
    *,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> None:
    """m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g*g; p = p*(1 - lr*weight_decay) - lr * m' / (sqrt(v') + eps), where m' and v'
    are m and v by 1 - b1**step and 1 - b2**step. The first step is 1; the moments start at zero; this is torch.optim.AdamW.
    """
    if step < 1:
        raise UolError(f"adamw_: step is {step}", hint="steps are counted from 1")
    options = {"lr": lr, "beta1": betas[0], "beta2": betas[1], "eps": eps, "weight_decay": weight_decay}
    options |= {"bias1": 1 - betas[0] ** step, "bias2": 1 - betas[1] ** step}
    _step("adamw", {"params": params, "grads": grads, "means": means, "squares": squares}, options)


def clip_(grads: Gradients, *, max_norm: float) -> Tensor:
    """g *= max_norm / norm where norm > max_norm: the norm of all gradients together, which is what is given back.

    As torch.nn.utils.clip_grad_norm_; a norm that is not finite makes the gradients so.
    """
    present = [g for g in grads if g is not None]
    if not present:
        return torch.zeros(())
    norm = operator("gradient_norm")
    widest = max((g.dtype for g in present), key=lambda dtype: dtype.itemsize)
    with torch.no_grad():
        total = norm(torch.stack([norm(g).to(widest) for g in present]))  # type: ignore[attr-defined]  # it has one result
    assert isinstance(total, Tensor)
    scale = max_norm / (float(total) + 1e-6)
    if not scale >= 1:  # also where it is NaN
        _step("clip_gradient", {"grads": present}, {"scale": scale})
    return total


@dataclass(frozen=True, slots=True)
class _Flat:
    """A kernel over so many elements of a type, and the run-time attributes that it takes, in order."""

    call: Callable[..., None]
    scalars: tuple[str, ...]


def _step(name: str, lists: Mapping[str, Gradients], options: Mapping[str, float]) -> None:
    """The operator at every position of the lists, which are its inputs in order."""
    lists = {title: _listed(name, title, items) for title, items in lists.items()}
    _require_alike(name, lists)
    options = {option: _number(name, option, value) for option, value in options.items()}
    own = in_place_operator(name)
    places = [source for source in own.sources if source is not None]
    whole = tuple((a.name, int(options[a.name])) for a in own.op.attributes if a.type == "int")
    overwritten: list[Tensor] = []
    for tensors in zip(*lists.values(), strict=True):
        given = [t for t in tensors if t is not None]
        if len(given) < len(tensors):
            continue
        if not _lie_alike(own, given):
            in_place_function(name)(*given, **options)
            continue
        flat = _flat(name, NAMES[given[0].dtype], given[0].numel(), whole)
        outs = [given[source] for source in places]
        flat.call(*given, *outs, *[options[s] for s in flat.scalars])
        overwritten += outs
    if overwritten:
        torch.autograd.graph.increment_version(overwritten)


@cache
def _flat(name: str, dtype: str, count: int, attributes: tuple[tuple[str, int], ...]) -> _Flat:
    required = {a.name: 0.0 for a in in_place_operator(name).op.attributes if a.default is None}
    compiled = compile(name, "cpu", dtype, {"S": (count,)}, {**required, **dict(attributes)})
    return _Flat(compiled.loaded, tuple(s.name for s in compiled.module.graph.scalars))


def _lie_alike(own: InPlaceOperator, tensors: Tensors) -> bool:
    """Are these dense tensors on the CPU, of one type, shape and strides, and apart from each other?"""
    if any([x.layout is not torch.strided or x.is_neg() for x in tensors]):
        return False
    first = tensors[0]
    size, stride, dtype = first.shape, first.stride(), first.dtype
    for x in tensors:
        if not x.is_cpu or x.shape != size or x.stride() != stride or x.dtype is not dtype:
            return False
    if torch.is_grad_enabled() or dtype not in NAMES or not (first.is_contiguous() or is_dense(size, stride)):
        return False
    span, at = first.numel() * first.element_size(), [x.data_ptr() for x in tensors]
    return all(abs(at[n] - other) >= span for n in own.mutated for k, other in enumerate(at) if k != n)


def _listed(name: str, title: str, items: object) -> list[Tensor | None]:
    if isinstance(items, Tensor) or not isinstance(items, Iterable):
        raise TypeCheckError(f"{name}_: {title} is {shown(items)}, not a list of tensors", hint=f"write [{title}]")
    return list(items)


def _number(name: str, option: str, value: object) -> int | float:
    try:
        return value if isinstance(value, int) else float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeCheckError(f"{name}_: {option} is {shown(value)}, not a number", hint=f"write {option}=0.1") from error


def _require_alike(name: str, lists: Mapping[str, Gradients]) -> None:
    """Raises ShapeError for lists of several lengths, TypeCheckError for what is no tensor."""
    (head, first), *others = lists.items()
    for title, items in others:
        if len(items) != len(first):
            raise ShapeError(f"{name}_: there are {len(first)} {head}, but {len(items)} {title}", hint="give one of each")
    for title, items in lists.items():
        for number, x in enumerate(items):
            if not isinstance(x, Tensor) and not (x is None and title == "grads"):
                raise TypeCheckError(f"{name}_: item {number} of {title} is {shown(x)}, not a tensor")
