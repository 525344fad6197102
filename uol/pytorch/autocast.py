"""`torch.autocast`: the float inputs of an operator in the type that its policy says (`uol.ops.autocast`).

Contractions run in the type of the autocast, sums and exponentials in f32, everything else in the widest type among its
inputs; f64 stays. The conversions are PyTorch's, so that a gradient comes back in the type of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch

from uol.ir.syntax.surface import Op
from uol.operators.registry import catalogue
from uol.ops.autocast import policy_of
from uol.pytorch.gradient import Cast, Gradient
from uol.pytorch.schema import TORCH_TYPES

Tensor = torch.Tensor
NARROW = (torch.float16, torch.bfloat16)


def caster(op: Op) -> Cast:
    """The inputs as an operator takes them while an autocast is on."""
    policy = policy_of(op, catalogue().get)
    admitted = {t.variable: {TORCH_TYPES[name] for name in t.types} for t in op.domain}
    sets = [admitted.get(p.type, set()) for p in op.params]

    def cast(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        types = [x.dtype for x, may in zip(inputs, sets, strict=True) if _eligible(x, may)]
        if not types:
            return inputs
        match policy:
            case "low":
                wanted = torch.get_autocast_dtype(inputs[0].device.type)
            case "f32":
                wanted = torch.float32
            case _:
                wanted = types[0] if len(set(types)) == 1 else torch.float32
        pairs = zip(inputs, sets, strict=True)
        return [x.to(wanted) if _eligible(x, may) and wanted in may else x for x, may in pairs]

    return cast


def _eligible(x: Tensor, admitted: set[torch.dtype]) -> bool:
    return x.dtype in admitted and (x.dtype is torch.float32 or x.dtype in NARROW)


def register(gradient: Gradient, library: torch.library.Library) -> None:
    """Tells PyTorch's dispatcher, and what stands before it for `torch.func`."""
    op, overload = gradient.op, gradient.overload
    cast = gradient.autocast = caster(op)

    def converted(key: str) -> Callable[..., Any]:
        excluded = getattr(torch._C.DispatchKey, key)

        def run(*inputs: Tensor, **options: Any) -> Any:
            with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(excluded)):
                return overload(*cast(inputs), **options)

        return run

    for key in _keys():
        library.impl(op.name, converted(key), key)


@cache
def _keys() -> tuple[str, ...]:
    """The dispatch keys of autocast for the devices that this PyTorch has: the host, and the accelerator it is built for."""
    accelerator = torch.accelerator.current_accelerator()
    types = ["cpu", *([] if accelerator is None else [accelerator.type])]
    keys = [f"Autocast{torch._C._dispatch_key_for_device(each)}" for each in types]
    return tuple(key for key in keys if hasattr(torch._C.DispatchKey, key))
