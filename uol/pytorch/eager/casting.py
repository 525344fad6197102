"""What `torch.autocast` would make of a call.

`uol`'s operators have a policy of their own (`ops/autocast.toml`), which casts some that PyTorch leaves as they are, and
PyTorch's policy differs from device to device. An unmodified model is owed PyTorch's types: contractions, which both compute in
the low type, are taken; what PyTorch's autocast does not touch is computed without one; the rest stays PyTorch's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from uol.operators.registry import catalogue, find_operator
from uol.ops.autocast import policy_of
from uol.ops.signatures import forms_of

OWN_RULE = "torch.autocast has a rule of its own for it"


def casting_of(name: str, device_type: str) -> AbstractContextManager[object] | None:
    """The context in which a call is made while an autocast is on; None where it is left to PyTorch."""
    if is_contraction(name):
        return nullcontext()
    return torch.autocast(device_type, enabled=False) if _is_untouched(name, device_type) else None


@cache
def is_contraction(name: str) -> bool:
    """Does the name stand for products, which `torch.autocast` computes in its low type?"""
    texts = {form.text for form in forms_of(name)}
    return bool(texts) and all(policy_of(find_operator(text), catalogue().get) == "low" for text in texts)


@cache
def _is_untouched(name: str, device_type: str) -> bool:
    """Has PyTorch an operator of that name which is one step, and no rule for it under an autocast of the device?"""
    found = [s for s in torch._C._dispatch_get_all_op_names() if s == f"aten::{name}" or s.startswith(f"aten::{name}.")]
    key = f"Autocast{torch._C._dispatch_key_for_device(device_type)}"
    composed = "CompositeImplicitAutograd"
    return bool(found) and not any(
        torch._C._dispatch_has_kernel_for_dispatch_key(each, key)
        or torch._C._dispatch_has_kernel_for_dispatch_key(each, composed)
        for each in found
    )
