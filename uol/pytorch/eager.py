"""Is a call as plain as can be, so that PyTorch's dispatcher has nothing to add to it? May a tensor be asked for its values?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch._C import _are_functorch_transforms_active as transforms_are_active
from torch._C import _dispatch_keys as dispatch_keys
from torch._C import _get_tracing_state as trace_of_jit
from torch._C import _is_any_autocast_enabled as is_autocast_on
from torch._C import _len_torch_dispatch_stack as dispatch_modes
from torch._C import _len_torch_function_stack as function_modes
from torch._C._autograd import _profiler_enabled as is_profiled
from torch.autograd import forward_ad
from torch.compiler import is_compiling

PLAIN = (torch.Tensor, torch.nn.Parameter)


def _keys_of_a_new_tensor(mode: bool) -> int:
    with torch.inference_mode(mode):
        keys: int = dispatch_keys(torch.empty(0, device="cpu")).raw_repr()
        return keys


KEYS = frozenset([_keys_of_a_new_tensor(mode) for mode in (False, True)])
"""What PyTorch dispatches a dense tensor by that has memory on the CPU. A view that it negates as it is read has another key,
and so have zeros without memory, a batch of `torch.autograd.grad(is_grads_batched=True)`, and every other layout."""


def is_plain(x: Any) -> bool:
    """A tensor of PyTorch's own class that the dispatcher takes to a CPU kernel as it is."""
    return type(x) in PLAIN and dispatch_keys(x).raw_repr() in KEYS


def is_eager(inputs: Sequence[Any]) -> bool:
    """Plain tensors (`is_plain`), and nobody who traces, transforms, casts, or keeps a record of what is called.

    A call through the dispatcher to a kernel in Python takes several times what a small kernel does.
    """
    if is_compiling():
        return False
    for x in inputs:
        if type(x) not in PLAIN or dispatch_keys(x).raw_repr() not in KEYS:  # `is_plain` without the call
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
    return not (is_compiling() or transforms_are_active() or dispatch_modes()) and is_plain(x)
