"""Is a call as plain as can be, so that PyTorch's dispatcher has nothing to add to it? May a tensor be asked for its values?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch._C import _are_functorch_transforms_active as transforms_are_active
from torch._C import _get_tracing_state as trace_of_jit
from torch._C import _is_any_autocast_enabled as is_autocast_on
from torch._C import _len_torch_dispatch_stack as dispatch_modes
from torch._C import _len_torch_function_stack as function_modes
from torch._C._autograd import _profiler_enabled as is_profiled
from torch.autograd import forward_ad
from torch.compiler import is_compiling
from torch.overrides import _pop_mode, _push_mode

PLAIN = (torch.Tensor, torch.nn.Parameter)


def is_eager(inputs: Sequence[Any]) -> bool:
    """Tensors with data on one device, no views that PyTorch negates as they are read, no zeros without memory; and nobody who
    traces, transforms, casts, or keeps a record of what is called.

    A call through the dispatcher to a kernel in Python takes several times what a small kernel does.
    """
    if is_compiling():
        return False
    elsewhere = None
    for x in inputs:
        if type(x) not in PLAIN or x.is_nested or x.is_neg() or x._is_zerotensor():
            return False
        if not x.is_cpu:
            elsewhere = x
    if elsewhere is not None and (elsewhere.is_meta or (len(inputs) > 1 and len({x.device for x in inputs}) > 1)):
        return False
    return not (
        forward_ad._current_level >= 0
        or transforms_are_active()
        or dispatch_modes()
        or function_modes()
        or is_autocast_on()
        or is_profiled()
        or trace_of_jit() is not None
    )


def has_numbers(x: torch.Tensor) -> bool:
    """May one ask a tensor on the CPU for its values? In a trace, and below `torch.func`, there are none."""
    if is_compiling() or type(x) not in PLAIN or not x.is_cpu:
        return False
    return not (transforms_are_active() or dispatch_modes())


@contextmanager
def outside_modes() -> Iterator[None]:
    """Within it, no mode of PyTorch's functions is on in this thread."""
    modes = [_pop_mode() for _ in range(function_modes())]
    try:
        yield
    finally:
        for mode in reversed(modes):
            _push_mode(mode)
