"""The arguments of `uol.ops.<name>`: tensors and numbers, attributes and types, and what is said of anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from uol.binding.argument_checks import nearest, shown
from uol.binding.named_binding import typed_attribute
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.syntax.surface import Attribute, Op
from uol.pytorch.schema import NAMES, TORCH_TYPES, type_options

Tensor = torch.Tensor
SYMBOLIC = (torch.SymInt, torch.SymFloat, torch.SymBool)
MOST_KEPT = 4096
NUMBERS = (bool, int, float, *SYMBOLIC)


def tensors_of(op: Op, inputs: Sequence[object]) -> list[Tensor]:
    """The inputs, numbers as tensors of no dims and of the type of their place: the one that the operator names, that of the
    first tensor which must be of the same, or PyTorch's for such numbers."""
    names = [p.name for p in op.params]
    if len(inputs) != len(names):
        raise ShapeError(f"{op.name} takes {len(names)} tensors, not {len(inputs)}", hint=", ".join(names))
    like = next((x for x in inputs if isinstance(x, Tensor)), None)
    if like is None:
        is_traced = any(isinstance(x, torch.fx.Proxy) for x in inputs)
        hint = "torch.export and make_fx trace with tensors" if is_traced else "for numpy arrays there is uol.compile"
        raise TypeCheckError(f"{op.name} takes PyTorch tensors, not {', '.join(map(shown, inputs))}", hint=hint)
    dtypes = {p.type: x.dtype for p, x in reversed(list(zip(op.params, inputs, strict=True))) if isinstance(x, Tensor)}
    fractions = any(isinstance(x, float | torch.SymFloat) for x in inputs)
    free = torch.get_default_dtype() if fractions else torch.int64
    places = [TORCH_TYPES.get(p.type) or dtypes.get(p.type, free) for p in op.params]
    return [_tensor(op.name, name, x, dtype, like) for name, x, dtype in zip(names, inputs, places, strict=True)]


def in_order(op: Op, inputs: Sequence[object], options: dict[str, object]) -> list[object]:
    """The inputs in the operator's order: those that were given by name are taken out of the options."""
    by_name = [p.name for p in op.params[len(inputs) :]]
    given = [name for name in by_name if name in options]
    if given != by_name:  # which `tensors_of` says of those without a name
        return list(inputs)
    return [*inputs, *(options.pop(name) for name in given)]


def options_of(op: Op, given: Mapping[str, object]) -> dict[str, object]:
    """The attributes and types of a call. Raises ShapeError or TypeCheckError for one that is unknown, missing or wrong."""
    types = type_options(op)
    attributes = {a.name: a for a in op.attributes}
    known = [*types, *attributes]
    options: dict[str, object] = {}
    for name, value in given.items():
        if name not in known:
            hint = nearest(name, known) or f"its attributes are {', '.join(known) or 'none'}"
            raise ShapeError(f"{op.name} has no attribute {name!r}", hint=hint)
        if value is not None:
            options[name] = _dtype(op, name, value) if name in types else _number(op, attributes[name], value)
    for name in (*types, *(a.name for a in op.attributes if a.default is None)):
        if name not in options:
            raise ShapeError(f"{op.name} needs {name!r}", hint=f"write uol.ops.{op.name}(..., {name}=...)")
    return options


def exactly(options: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    """Attributes as a key: 0.0 and -0.0, which are equal, are two."""
    return tuple([(name, value or str(value)) for name, value in options.items()])


def remember(kept: dict[Any, Any], key: object, value: Any) -> None:
    """Keeps a value by its key. A learning rate that never comes again must not fill the memory."""
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[key] = value


def type_name(op: Op, name: str, dtype: torch.dtype) -> str:
    """A type of PyTorch by its name in the language."""
    if dtype not in NAMES:
        raise TypeCheckError(f"{op.name}: {name} is {dtype}, which is no type of the language", hint=", ".join(TORCH_TYPES))
    return NAMES[dtype]


def require_strided(op: str, name: str, x: Tensor) -> None:
    """Raises TypeCheckError for a tensor whose elements do not lie at strides."""
    if x.layout is not torch.strided:
        raise TypeCheckError(f"{op}: {name} is a tensor of the layout {x.layout}", hint=f"write {name}.to_dense()")


def _tensor(op: str, name: str, x: object, dtype: torch.dtype, like: Tensor) -> Tensor:
    if isinstance(x, Tensor):
        if x.is_nested:
            raise TypeCheckError(f"{op}: {name} is a nested tensor", hint="give its parts one by one, or padded")
        require_strided(op, name, x)
        return x
    if not _is_number(x):
        raise TypeCheckError(f"{op}: {name} is {shown(x)}, not a tensor or a number", hint=f"write torch.as_tensor({name})")
    whole = not dtype.is_floating_point and not dtype.is_complex
    if whole and isinstance(x, float):
        hint = "nothing is rounded silently: give a whole number, or cast the tensors"
        raise TypeCheckError(f"{op}: {name} is {x!r}, the tensors are {dtype}", hint=hint)
    try:
        if like.is_cpu:
            return torch.tensor(x, dtype=dtype)
        value: Any = x if isinstance(x, NUMBERS) else torch.tensor(x, dtype=dtype).item()
        return torch.full((), value, dtype=dtype, device=like.device)  # written there: a copy would be waited for
    except (RuntimeError, OverflowError, ValueError) as error:
        raise TypeCheckError(f"{op}: {name} is {x!r}, which no {dtype} is", hint="give a smaller number") from error


def _is_number(x: object) -> bool:
    """Of Python, of PyTorch's traces (the second line is not for its tracer's eyes), or of numpy."""
    if isinstance(x, NUMBERS):
        return True
    return hasattr(type(x), "__float__") and getattr(x, "ndim", None) in (None, 0)


def _number(op: Op, attribute: Attribute, value: object) -> int | float:
    if isinstance(value, SYMBOLIC):
        return cast(int, value)
    return typed_attribute(op, attribute, value)


def _dtype(op: Op, name: str, value: object) -> torch.dtype:
    if not isinstance(value, torch.dtype):
        known = TORCH_TYPES.get(value) if isinstance(value, str) else None
        hint = f"write {name}={known or 'torch.float16'}"
        raise TypeCheckError(f"{op.name}: {name} is {shown(value)}, not a torch.dtype", hint=hint)
    type_name(op, name, value)
    return value
