"""`uol.ops.foreach`: one call over lists of tensors, for optimisers.

    with torch.no_grad():
        uol.ops.foreach.clip_(grads, max_norm=1.0)
        uol.ops.foreach.sgd_momentum_(params, grads, buffers, lr=0.1, momentum=0.9, nesterov=True)

Foreach is a property of the launch, not of a text: the texts are sgd, sgd_momentum, adamw (`uol show sgd`). On the CPU the
tensors of a position that lie alike are flat to the kernel, whose length is an argument: one kernel serves every shape, and
one launch all positions of a type, without PyTorch's dispatcher in between. So it is on an accelerator whose backend has such
launches (`ForeachBackend`); on others every position is a step of its own, there. So are positions whose tensors lie otherwise
or share memory, and those of lists over several devices. A position whose gradient is None is left alone.

Where the parameters are wide and what is computed with is narrow, `copies` has a tensor of the narrow type for each parameter,
or None. The step writes the new values there, too, in the same launch (`uol show sgd_momentum_mixed`); positions with a copy
are one launch, those without another.
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
Copies = Sequence[Tensor | None] | None
Types = tuple[torch.dtype, ...]
"""Of the tensors of a position, and of its copy where there is one: those of the operator's type variables, in order."""
_LAYOUT, _SHAPE, _DTYPE = attrgetter("layout"), attrgetter("shape"), attrgetter("dtype")


def sgd_(params: Tensors, grads: Gradients, *, lr: float, weight_decay: float = 0.0, copies: Copies = None) -> None:
    """p -= lr * (g + weight_decay * p), for every position of the lists. `copies` get the new values in their type."""
    _step("sgd", {"params": params, "grads": grads}, {"lr": lr, "weight_decay": weight_decay}, copies)


def sgd_momentum_(
    params: Tensors,
    grads: Gradients,
    buffers: Tensors,
    *,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    copies: Copies = None,
) -> None:
    """b = momentum * b + g + weight_decay * p; p -= lr * b (nesterov: lr * (g + weight_decay * p + momentum * b)).

    The buffers start at zero; then this is torch.optim.SGD. `copies` get the new values in their type.
    """
    options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
    options |= {"nesterov": int(_number("sgd_momentum", "nesterov", nesterov))}
    _step("sgd_momentum", {"params": params, "grads": grads, "buffers": buffers}, options, copies)


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
    copies: Copies = None,
) -> None:
    """m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g*g; p = p*(1 - lr*weight_decay) - lr * m' / (sqrt(v') + eps), where m' and v'
    are m and v by 1 - b1**step and 1 - b2**step. The first step is 1; the moments start at zero; this is torch.optim.AdamW.
    `copies` get the new values in their type.
    """
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise UolError(f"adamw_: step is {shown(step)}", hint="steps are counted from 1")
    beta1, beta2 = _pair("adamw", "betas", betas)
    options = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}
    options |= {"bias1": 1 - beta1**step, "bias2": 1 - beta2**step}
    _step("adamw", {"params": params, "grads": grads, "means": means, "squares": squares}, options, copies)


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


def _step(name: str, lists: Mapping[str, Gradients], options: Mapping[str, float], copies: Copies = None) -> None:
    """The operator at every position of the lists, which are its inputs in order; at those with a copy, the one that gives it
    its values, too."""
    lists = {title: _listed(name, title, items) for title, items in lists.items()}
    given = [None] * len(next(iter(lists.values()))) if copies is None else _listed(name, "copies", copies)
    _require_alike(name, lists if copies is None else {**lists, "copies": given})
    options = {option: _number(name, option, value) for option, value in options.items()}
    columns = list(lists.values())
    if copies is None or not any(x is not None for x in given):
        return _steps(in_place_operator(name), _present(columns), options)
    with_copy = [number for number, x in enumerate(given) if x is not None]
    alone = [number for number, x in enumerate(given) if x is None]
    if alone:
        _steps(in_place_operator(name), _present([[c[n] for n in alone] for c in columns]), options)
    mixed = _present([[c[n] for n in with_copy] for c in (*columns, given)])
    _require_same_shapes(name, mixed)
    return _steps(in_place_operator(f"{name}_mixed"), mixed, options)


def _steps(own: InPlaceOperator, columns: list[list[Tensor]], options: Mapping[str, float]) -> None:
    """The operator at every position of its inputs, and of the results that overwrite none of them."""
    whole = tuple((a.name, int(options[a.name])) for a in own.op.attributes if a.type == "int")
    for types, positions in _lying_alike(columns, len(own.names)).items():
        chosen = columns if len(positions) == len(columns[0]) else [[c[n] for n in positions] for c in columns]
        if types is None or not _launched(own, _kernel(own.op.name, chosen[0][0].device, types, whole), chosen, options):
            for given in zip(*chosen, strict=True):
                _alone(own, given, options)


def _alone(own: InPlaceOperator, given: Tensors, options: Mapping[str, float]) -> None:
    """The operator at one position."""
    inputs, copies = given[: len(own.names)], given[len(own.names) :]
    if not copies:
        in_place_function(own.op.name)(*inputs, **options)
        return
    (into,) = copies
    copy = in_place_function(own.op.name)(*inputs, dtype=into.dtype, **options)
    assert isinstance(copy, Tensor)
    into.copy_(copy)


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
    count, further = len(own.names), iter(range(len(own.names), len(columns)))
    places = [next(further) if source is None else source for source in own.sources]
    addresses, element_bytes = [list(map(Tensor.data_ptr, c)) for c in columns], [c[0].dtype.itemsize for c in columns]
    lengths = tuple(map(Tensor.numel, columns[0]))
    if not are_apart(np.array(list(zip(*addresses, strict=True)), np.int64), lengths, tuple(element_bytes)):
        return False
    order = [*range(count), *places]
    rows = np.array(list(zip(*(addresses[place] for place in order), strict=True)), np.int64)
    kernel.launch(rows, lengths, tuple(element_bytes[place] for place in order), options)
    torch.autograd.graph.increment_version([x for place in places for x in columns[place]])
    return True


@cache
def _kernel(name: str, device: torch.device, types: Types, attributes: tuple[tuple[str, int], ...]) -> ForeachKernel | None:
    op = in_place_operator(name).op
    required = {a.name: 0.0 for a in op.attributes if a.default is None}
    variables = {s.variable: NAMES[dtype] for s, dtype in zip(op.domain, types, strict=True)}
    with unforked():
        return foreach_kernel_on(device, name, variables, {**required, **dict(attributes)})


def _lying_alike(columns: Sequence[Sequence[Tensor]], inputs: int) -> Mapping[Types | None, Sequence[int]]:
    """The positions by type whose tensors are dense, of one shape and strides, the inputs of one type, and may be overwritten
    past PyTorch's dispatcher; under None, and first, those that are steps of their own."""
    every = [x for column in columns for x in column]
    if torch.is_grad_enabled() or MODE.depth or not is_eager(every):
        return {None: range(len(columns[0]))}
    parts = [part for part in (columns[:inputs], columns[inputs:]) if part]
    if _are_all_contiguous(every) and _are_of_one_shape(columns):
        types = [{dtype for column in part for dtype in map(_DTYPE, column)} for part in parts]
        if all(len(of_part) == 1 for of_part in types):
            found = tuple(dtype for (dtype,) in types)
            return {found if {*found} <= NAMES.keys() else None: range(len(columns[0]))}
    by_types: dict[Types | None, list[int]] = {None: []}
    for number, given in enumerate(zip(*columns, strict=True)):
        by_types.setdefault(_types_of(given, inputs), []).append(number)
    return by_types


def _types_of(given: Tensors, inputs: int) -> Types | None:
    """Of a position whose tensors lie alike; None where they do not."""
    types = tuple(dict.fromkeys(map(_DTYPE, given[:inputs]))) + tuple(map(_DTYPE, given[inputs:]))
    return types if len(types) == 1 + len(given) - inputs and _lie_alike(given) else None


def _are_all_contiguous(tensors: Tensors) -> bool:
    """Asked of all at once, as the shapes are: with a thousand positions, what Python does for each takes longer than the
    launch."""
    return {*map(_LAYOUT, tensors)} == {torch.strided} and all(map(Tensor.is_contiguous, tensors))


def _are_of_one_shape(columns: Sequence[Tensors]) -> bool:
    """Are the tensors of each position?"""
    first, *others = columns
    return all(all(map(eq, map(_SHAPE, first), map(_SHAPE, other))) for other in others)


def _lie_alike(tensors: Tensors) -> bool:
    """Are these dense tensors of types that the language has, of one shape and strides?"""
    if any([x.layout is not torch.strided for x in tensors]):
        return False
    first = tensors[0]
    size, stride = first.shape, first.stride()
    for x in tensors:
        if x.shape != size or x.stride() != stride or x.dtype not in NAMES:
            return False
    return first.is_contiguous() or is_dense(size, stride)


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
            if not isinstance(x, Tensor) and not (x is None and title in ("grads", "copies")):
                raise TypeCheckError(f"{name}_: item {number} of {title} is {shown(x)}, not a tensor")


def _require_same_shapes(name: str, columns: Sequence[Tensors]) -> None:
    """Raises ShapeError for a copy that has not the shape of its parameter: what is overwritten is not broadcast."""
    for number, (param, copy) in enumerate(zip(columns[0], columns[-1], strict=True)):
        if param.shape != copy.shape:
            said = f"{name}_: a copy is {list(copy.shape)}, and its parameter {list(param.shape)}"
            raise ShapeError(said, hint=f"it is number {number} of those that are stepped; write torch.empty_like")
