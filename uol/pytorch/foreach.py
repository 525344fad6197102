"""`uol.ops.foreach`: one call over lists of tensors, for optimisers.

    with torch.no_grad():
        uol.ops.foreach.clip_(grads, max_norm=1.0)
        uol.ops.foreach.sgd_momentum_(params, grads, buffers, lr=0.1, momentum=0.9, nesterov=True)

Foreach is a property of the launch, not of a text: the texts are sgd, sgd_momentum, adamw (`uol show sgd`). On the CPU the
tensors of a position that lie alike are flat to the kernel, whose length is an argument: one kernel serves every shape, and
one launch all positions of a type, without PyTorch's dispatcher in between. So it is on an accelerator whose backend has such
launches (`ForeachBackend`); on others every position is a step of its own, there. So are positions whose tensors lie otherwise
or share memory, and those of lists over several devices. A position whose gradient is None is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter, eq
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uol.binding.argument_checks import shown
from uol.binding.layouts import is_dense
from uol.compilation.foreach_launch import ForeachKernel, are_apart
from uol.ir.errors import ShapeError, TypeCheckError, UolError
from uol.ir.forking import unforked
from uol.pytorch.bridge import operator
from uol.pytorch.devices import foreach_kernel_on
from uol.pytorch.fallback import MODE
from uol.pytorch.fast_path import PLAIN, is_eager
from uol.pytorch.in_place import InPlaceOperator, in_place_function, in_place_operator
from uol.pytorch.schema import NAMES

Tensors = Sequence[Tensor]
Gradients = Sequence[Tensor | None]
_LAYOUT, _SHAPE, _DTYPE = attrgetter("layout"), attrgetter("shape"), attrgetter("dtype")


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
    options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
    options |= {"nesterov": int(_number("sgd_momentum", "nesterov", nesterov))}
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
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise UolError(f"adamw_: step is {shown(step)}", hint="steps are counted from 1")
    beta1, beta2 = _pair("adamw", "betas", betas)
    options = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}
    options |= {"bias1": 1 - beta1**step, "bias2": 1 - beta2**step}
    _step("adamw", {"params": params, "grads": grads, "means": means, "squares": squares}, options)


def clip_(grads: Gradients, *, max_norm: float) -> Tensor:
    """g *= max_norm / norm where norm > max_norm: the norm of all gradients together, which is what is given back.

    As torch.nn.utils.clip_grad_norm_; a norm that is not finite makes the gradients so. On an accelerator nothing waits for the
    norm: the factor, 1 where none is needed, is a tensor there, by which PyTorch multiplies.
    """
    given = _listed("clip", "grads", grads)
    _require_alike("clip", {"grads": given})
    limit = _number("clip", "max_norm", max_norm)
    present = [g for g in given if g is not None]
    if not present:
        return torch.zeros(())
    total = _norm(present)
    if not total.is_cpu:
        _scale_(present, (limit / (total + 1e-6)).clamp(max=1.0))
        return total
    scale = limit / (float(total) + 1e-6)
    if not scale >= 1:  # also where it is NaN
        _step("clip_gradient", {"grads": present}, {"scale": scale})
    return total


def _norm(tensors: Tensors) -> Tensor:
    """Of all of them together, in the widest of their types, on the first one's device."""
    norm = operator("gradient_norm")
    widest = max((x.dtype for x in tensors), key=lambda dtype: dtype.itemsize)
    with torch.no_grad():
        each = [norm(x).to(tensors[0].device, widest) for x in tensors]  # type: ignore[attr-defined]  # it has one result
        total = norm(torch.stack(each))
    assert isinstance(total, Tensor)
    return total


def _scale_(tensors: Tensors, factor: Tensor) -> None:
    """x *= factor, wherever they lie."""
    lying: dict[torch.device, list[Tensor]] = {}
    for x in tensors:
        lying.setdefault(x.device, []).append(x)
    for device, there in lying.items():
        torch._foreach_mul_(there, factor.to(device))


def _step(name: str, lists: Mapping[str, Gradients], options: Mapping[str, float]) -> None:
    """The operator at every position of the lists, which are its inputs in order."""
    lists = {title: _listed(name, title, items) for title, items in lists.items()}
    _require_alike(name, lists)
    options = {option: _number(name, option, value) for option, value in options.items()}
    own = in_place_operator(name)
    whole = tuple((a.name, int(options[a.name])) for a in own.op.attributes if a.type == "int")
    columns = _present(list(lists.values()))
    for dtype, positions in _lying_alike(columns).items():
        chosen = columns if len(positions) == len(columns[0]) else [[c[n] for n in positions] for c in columns]
        if dtype is None or not _launched(own, _kernel(name, chosen[0][0].device, NAMES[dtype], whole), chosen, options):
            for given in zip(*chosen, strict=True):
                in_place_function(name)(*given, **options)


def _present(lists: Sequence[Gradients]) -> list[list[Tensor]]:
    """The lists without the positions at which one of them has no tensor."""
    absent = {number for items in lists for number, x in enumerate(items) if x is None}
    return [[x for number, x in enumerate(items) if x is not None and number not in absent] for items in lists]


def _launched(
    own: InPlaceOperator, kernel: ForeachKernel | None, columns: list[list[Tensor]], options: Mapping[str, float]
) -> bool:
    """Runs all positions in one launch, unless there is no kernel for it, or some of them share memory."""
    if kernel is None:
        return False
    places = [source for source in own.sources if source is not None]
    addresses = [list(map(Tensor.data_ptr, c)) for c in columns]
    rows = np.array(list(zip(*addresses, *(addresses[place] for place in places), strict=True)), np.int64)
    lengths, element_bytes = tuple(map(Tensor.numel, columns[0])), columns[0][0].dtype.itemsize
    if not are_apart(rows[:, : len(columns)], lengths, element_bytes):
        return False
    kernel.launch(rows, lengths, element_bytes, options)
    torch.autograd.graph.increment_version([x for place in places for x in columns[place]])
    return True


@cache
def _kernel(name: str, device: torch.device, dtype: str, attributes: tuple[tuple[str, int], ...]) -> ForeachKernel | None:
    required = {a.name: 0.0 for a in in_place_operator(name).op.attributes if a.default is None}
    with unforked():
        return foreach_kernel_on(device, name, dtype, {**required, **dict(attributes)})


def _lying_alike(columns: Sequence[Sequence[Tensor]]) -> Mapping[torch.dtype | None, Sequence[int]]:
    """The positions by type whose tensors are dense, of one type, shape and strides, and may be overwritten past PyTorch's
    dispatcher; under None, and first, those that are steps of their own."""
    every = [x for column in columns for x in column]
    if torch.is_grad_enabled() or MODE.depth or not is_eager(every):
        return {None: range(len(columns[0]))}
    if _are_all_contiguous(every) and len(dtypes := {*map(_DTYPE, every)}) == 1 and _are_of_one_shape(columns):
        (dtype,) = dtypes
        return {dtype if dtype in NAMES else None: range(len(columns[0]))}
    found: dict[torch.dtype | None, list[int]] = {None: []}
    for number, given in enumerate(zip(*columns, strict=True)):
        found.setdefault(given[0].dtype if _lie_alike(given) else None, []).append(number)
    return found


def _are_all_contiguous(tensors: Tensors) -> bool:
    """Asked of all at once, as the shapes are: with a thousand positions, what Python does for each takes longer than the
    launch."""
    return {*map(_LAYOUT, tensors)} == {torch.strided} and all(map(Tensor.is_contiguous, tensors))


def _are_of_one_shape(columns: Sequence[Tensors]) -> bool:
    """Are the tensors of each position?"""
    first, *others = columns
    return all(all(map(eq, map(_SHAPE, first), map(_SHAPE, other))) for other in others)


def _lie_alike(tensors: Tensors) -> bool:
    """Are these dense tensors of one type, shape and strides?"""
    if any([x.layout is not torch.strided for x in tensors]):
        return False
    first = tensors[0]
    size, stride, dtype = first.shape, first.stride(), first.dtype
    for x in tensors:
        if x.shape != size or x.stride() != stride or x.dtype is not dtype:
            return False
    return dtype in NAMES and (first.is_contiguous() or is_dense(size, stride))


def _listed(name: str, title: str, items: object) -> list[Tensor | None]:
    if isinstance(items, Tensor) or not isinstance(items, Iterable):
        raise TypeCheckError(f"{name}_: {title} is {shown(items)}, not a list of tensors", hint=f"write [{title}]")
    return list(items)


def _pair(name: str, option: str, values: object) -> tuple[float, float]:
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2:
        raise TypeCheckError(f"{name}_: {option} is {shown(values)}, not two numbers", hint=f"write {option}=(0.9, 0.999)")
    return _number(name, option, values[0]), _number(name, option, values[1])


def _number(name: str, option: str, value: Any) -> float:
    try:
        number = float(value)  # raises for what is no number
        return value if isinstance(value, int) else number
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeCheckError(f"{name}_: {option} is {shown(value)}, not a number", hint=f"write {option}=0.1") from error


def _require_alike(name: str, lists: Mapping[str, Gradients]) -> None:
    """Raises ShapeError for lists of several lengths, TypeCheckError for what is no tensor."""
    (head, first), *others = lists.items()
    for title, items in others:
        if len(items) != len(first):
            raise ShapeError(f"{name}_: there are {len(first)} {head}, but {len(items)} {title}", hint="give one of each")
    for title, items in lists.items():
        if {*map(type, items)} <= {*PLAIN}:
            continue
        for number, x in enumerate(items):
            if not isinstance(x, Tensor) and not (x is None and title == "grads"):
                raise TypeCheckError(f"{name}_: item {number} of {title} is {shown(x)}, not a tensor")
