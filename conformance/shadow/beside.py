"""A call's results and gradients beside PyTorch's function, by the bounds of `uol.conformance.opinfo`.

A tensor is right that is near PyTorch's in the same type, by PyTorch's default tolerances (of less than 32 bits: near PyTorch's
in f32 on the same values); or near PyTorch's in float64; or whose largest error beside float64 is at most `RATIO` times that of
PyTorch itself. Whole numbers and truth values are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_map

from uol.conformance.opinfo import RATIO
from uol.conformance.shadow.faults import Fault
from uol.pytorch.eager.watching import Asked

PICKS = ("sort", "argsort", "topk", "max", "min", "argmax", "argmin", "median", "nanmedian", "kthvalue", "mode", "aminmax")
"""Functions whose whole numbers are places, of which several may be right: the kernel's contract judges those."""
LOW = (torch.float16, torch.bfloat16)
TOLERANCES = {
    torch.float64: (1e-7, 1e-7), torch.float32: (1.3e-6, 1e-5), torch.float16: (1e-3, 1e-5), torch.bfloat16: (1.6e-2, 1e-5),
}  # fmt: skip
"""Relative and absolute: those of `torch.testing.assert_close`."""
Types = Mapping[torch.dtype, torch.dtype]


@dataclass(frozen=True, slots=True)
class Casting:
    """What `torch.autocast` makes of a call: `low` is the type of its factors, None where it casts nothing."""

    device_type: str
    low: torch.dtype | None


WIDE: Types = dict.fromkeys((*LOW, torch.float32), torch.float64)
AS_ASKED: Types = dict.fromkeys(LOW, torch.float32)
CAST: Types = {}
"""What types become where a call is repeated: in float64; as PyTorch's samples are compared; under `torch.autocast`, which is
asked to do as it did."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a tensor among the arguments of a call. The tensor itself is no longer held: `key` says which it was."""

    key: int


class Repeated:
    """A call, whose tensors are slots, repeated by PyTorch on the values it had, some of whose types are wider. `given`: what
    stood in the slots, after the call."""

    def __init__(self, asked: Asked, values: Mapping[int, Tensor], casting: Casting, types: Types, needs: Set[int]) -> None:
        self.leaves: dict[int, Tensor] = {}
        self.given: dict[int, Tensor] = {}

        def own(x: Any) -> Any:
            if isinstance(x, torch.dtype):
                return types.get(x, x)
            return self._own(x.key, values[x.key], casting, types, x.key in needs) if isinstance(x, Slot) else x

        with torch.set_grad_enabled(bool(needs)), _autocast(casting, types), saved_tensors_hooks(_itself, _itself):
            args, named = tree_map(own, (asked.args, asked.named))
            self.results = tensors_of(asked.function(*args, **named))

    def _own(self, key: int, value: Tensor, casting: Casting, types: Types, needed: bool) -> Tensor:
        if key in self.given:
            return self.given[key]
        made = value.to(types.get(value.dtype, value.dtype), copy=True)
        if needed:
            self.leaves[key] = made.requires_grad_()
            made = made.clone()  # a leaf may not be written over
        if types is WIDE and casting.low is not None and value.dtype in WIDE:
            made = made + (value.to(casting.low).double() - value.double())  # rounded, with the gradient of what is not
        self.given[key] = made
        return made

    def gradients(self, cotangents: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Those of the leaves, from cotangents by the place of a result."""
        pairs = [(y, cotangents[at].to(y.dtype)) for at, y in enumerate(self.results) if at in cotangents and y.requires_grad]
        if not pairs:
            return {}
        results, slopes = zip(*pairs, strict=True)
        with saved_tensors_hooks(_itself, _itself):
            found = torch.autograd.grad(results, [*self.leaves.values()], slopes, allow_unused=True)
        return {key: torch.zeros_like(x) if g is None else g for (key, x), g in zip(self.leaves.items(), found, strict=True)}


def _itself(x: Tensor) -> Tensor:
    """Saves a tensor as it is. As a hook of its own it keeps those of the user, such as a checkpoint's, from seeing it."""
    return x


def fault_beside(what: str, found: Tensor, theirs: Tensor | None, exact: Tensor, type_of_bounds: torch.dtype) -> Fault | None:
    """The worst element of a tensor that is neither near PyTorch's nor as exact as it; `theirs`: in the same type, where
    PyTorch has it."""
    if not found.numel():
        return None
    if not found.is_floating_point():
        wanted = exact if theirs is None else theirs
        return None if torch.equal(found, wanted) else _differing(what, found, wanted)
    golden, ours = exact.detach().double(), found.detach().double()
    relative, absolute = TOLERANCES[type_of_bounds]
    bases = [golden] if theirs is None else [theirs.detach().double(), golden]
    if type_of_bounds in LOW:
        bases.append(golden.to(type_of_bounds).double())
    if any(torch.allclose(ours, base, relative, absolute, equal_nan=True) for base in bases):
        return None
    error = _errors(ours, golden)
    own = torch.zeros(()) if theirs is None else _errors(theirs.detach().double(), golden).max()
    finite = golden[golden.isfinite()].abs()
    least = (finite.max() if finite.numel() else golden.new_zeros(())) * torch.finfo(type_of_bounds).eps / 2
    most = RATIO * max(float(own), float(least))
    if float(error.max()) <= most:
        return None
    bound = torch.maximum(absolute + relative * golden.abs().nan_to_num(posinf=0.0), golden.new_tensor(most))
    share = torch.where(error <= 0, 0.0, error / bound).nan_to_num(torch.inf)
    at = tuple(int(i) for i in torch.unravel_index(share.argmax(), share.shape))
    return Fault(
        what, at, ours[at].item(), golden[at].item(), "PyTorch's in float64 is", f"an error of {bound[at].item():.3g}",
        f"{int((share > 1).sum())} of {share.numel()} beyond",
    )  # fmt: skip


def _errors(found: Tensor, golden: Tensor) -> Tensor:
    """NaN where one of them alone is."""
    equal = (found == golden) | (found.isnan() & golden.isnan())
    return torch.where(equal, 0.0, (found - golden).abs())


def _differing(what: str, found: Tensor, wanted: Tensor) -> Fault:
    wrong = found != wanted
    at = tuple(int(i) for i in torch.unravel_index(wrong.int().argmax(), wrong.shape))
    of = f"{int(wrong.sum())} of {wrong.numel()} differ"
    return Fault(what, at, found[at].item(), wanted[at].item(), "PyTorch's is", "that value", of)


def bounds_type(found: Tensor, values: Sequence[Tensor], casting: Casting) -> torch.dtype:
    """The narrowest type that a call has to do with."""
    types = [x.dtype for x in (found, *values) if x.dtype in TOLERANCES] + ([] if casting.low is None else [casting.low])
    return max(types, key=lambda t: torch.finfo(t).eps, default=torch.float32)


def tensors_of(result: Any) -> tuple[Tensor, ...]:
    """The tensors that a call gave."""
    return (result,) if isinstance(result, Tensor) else tuple(x for x in result if isinstance(x, Tensor))


def _autocast(casting: Casting, types: Types) -> AbstractContextManager[object]:
    if types is CAST and casting.low is not None:
        return torch.autocast(casting.device_type, casting.low)
    is_on = torch.is_autocast_enabled(casting.device_type)
    return torch.autocast(casting.device_type, enabled=False) if is_on else nullcontext()
