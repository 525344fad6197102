"""Is a call as plain as can be, so that PyTorch's dispatcher has nothing to add to it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

PLAIN = (torch.Tensor, torch.nn.Parameter)


def is_eager(inputs: Sequence[Any]) -> bool:
    """Tensors with data on the CPU, no views that PyTorch negates as they are read, no zeros without memory; and nobody who
    traces, transforms, casts, or keeps a record of what is called.

    A call through the dispatcher to a kernel in Python takes several times what a small kernel does.
    """
    if torch.compiler.is_compiling():
        return False
    for x in inputs:
        if type(x) not in PLAIN:
            return False
        if not x.is_cpu or x.is_nested or x.is_neg() or x._is_zerotensor():
            return False
    return not (
        torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack()
        or torch._C._len_torch_function_stack()
        or torch.is_autocast_enabled("cpu")
        or torch._C._autograd._profiler_enabled()
        or forward_ad._current_level >= 0
    )
