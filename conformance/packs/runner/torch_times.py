"""PyTorch's time for a case: the call that one writes for the operator, on the same values in the same types."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from uol.conformance.packs.runner.contents import Json
from uol.conformance.packs.runner.numbers import Array
from uol.conformance.packs.runner.timing import EVICTED_BYTES, SAMPLES, WARM_UP

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

Clock = Callable[[list[Callable[[], object]], int], list[float]]
"""Takes calls by turns and a number of samples; gives the microseconds of each."""


@dataclass(frozen=True, slots=True)
class Fastest:
    """PyTorch's calls of a case, on two copies of its inputs; `form` names the way in which they are written, where there are
    several."""

    calls: list[Callable[[], object]]
    form: str = ""


def fastest_beside(case: Json, arrays: Mapping[str, Array], device: str, clock: Clock) -> Fastest:
    """Of the ways to write a case in PyTorch that which takes the least time; one that fails is none. Raises what
    `calls_beside` does where there is no other."""
    forms = case["torch"].get("forms") or [""]
    found: list[tuple[float, Fastest]] = []
    for form in forms:
        try:
            each = Fastest(calls_beside(case, arrays, device, form), form)
            if len(forms) == 1:
                return each
            found.append((min(clock(each.calls, WARM_UP)), each))
        except Exception:
            if form == forms[-1] and not found:
                raise
    return min(found, key=lambda timed: timed[0])[1]


def calls_beside(case: Json, arrays: Mapping[str, Array], device: str, form: str = "") -> list[Callable[[], object]]:
    """PyTorch's call of a case on a device, on two copies of its inputs. Raises LookupError where there is none, with the
    reason, and what PyTorch raises."""
    found = case["torch"]
    if "reason" in found:
        raise LookupError(found["reason"])
    tensors = {name: on_device(name, found["inputs"][name], arrays, device) for name in found["inputs"]}
    module = importlib.import_module(found["module"])
    written = module.FORMS[found["name"]][form] if form else getattr(module, found["table"])[found["name"]]
    function = partial(written, **found["attributes"])
    return [_prepared(function, found, _copies(tensors)) for _ in range(2)]


def on_device(name: str, form: Json, arrays: Mapping[str, Array], device: str) -> torch.Tensor:
    """A tensor of the case's values, laid out as in the case; integers are int64, as PyTorch's indices are."""
    import torch

    array = np.ascontiguousarray(arrays[f"{'torch' if form['own'] else 'in'}.{name}"]).reshape(form["shape"])
    found = torch.from_numpy(array.view(np.int16) if form["dtype"] == "bf16" else array)
    if form["dtype"] == "bf16":
        found = found.view(torch.bfloat16)
    if not (found.is_floating_point() or form["dtype"] == "bool"):
        found = found.long()
    placed = torch.empty_strided(form["shape"], form["strides"], dtype=found.dtype, device=device)
    return placed.copy_(found)


def _copies(tensors: Tensors) -> Tensors:
    import torch

    empty = {name: torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device) for name, x in tensors.items()}
    return {name: empty[name].copy_(x) for name, x in tensors.items()}


def _prepared(function: Callable[..., Any], found: Json, tensors: Tensors) -> Callable[[], object]:
    """The call that is timed: the operator; of a gradient, PyTorch's backward alone, to the inputs that the case has gradients
    of."""
    import torch

    cotangents = found["cotangents"]
    inputs = [x for name, x in tensors.items() if name not in cotangents.values()]
    if not cotangents:
        return _written(torch.no_grad()(partial(function, *inputs)), inputs)
    floats = [tensors[name].requires_grad_() for name in found["wrt"]]
    given = function(*inputs)
    results = dict(zip(found["results"], given if isinstance(given, tuple | list) else (given,), strict=True))
    pairs = [(results[name], tensors[cotangent]) for name, cotangent in cotangents.items() if results[name].requires_grad]
    outs, owed = [y for y, _ in pairs], [dy.to(y.dtype).reshape(y.shape) for y, dy in pairs]
    return _written(partial(torch.autograd.grad, outs, floats, owed, retain_graph=True, allow_unused=True), (*inputs, *owed))


def _written(call: Callable[[], Any], inputs: Sequence[torch.Tensor]) -> Callable[[], object]:
    """A call whose results have memory of their own, as the operator's have: what is a view of an input is copied. Raises
    LookupError where all results are inputs as they are."""
    import torch

    given = call()
    results = [y for y in (given if isinstance(given, tuple | list) else (given,)) if y is not None]
    if all(any(y is x for x in inputs) for y in results):
        raise LookupError("its call gives an input back: there is nothing to time")
    theirs = {x.untyped_storage().data_ptr() for x in inputs}
    shared = [number for number, y in enumerate(results) if y.untyped_storage().data_ptr() in theirs and y.numel()]
    if not shared:
        return call

    def copied() -> list[torch.Tensor]:
        made = call()
        found = [y for y in (made if isinstance(made, tuple | list) else (made,)) if y is not None]
        return [y.clone(memory_format=torch.contiguous_format) if n in shared else y for n, y in enumerate(found)]

    return copied


@dataclass(slots=True)
class EventClock:
    """PyTorch's own events, as `timing` takes those of the driver. `module` is PyTorch's of the device's type."""

    module: Any
    scratch: torch.Tensor
    events: list[tuple[Any, Any]]

    @staticmethod
    def of(device: str) -> EventClock:
        """Raises what PyTorch raises where it has no such device."""
        import torch

        module = torch.get_device_module(device)
        module.set_device(device)
        scratch = torch.empty(EVICTED_BYTES, dtype=torch.uint8, device=device)
        events = [(module.Event(enable_timing=True), module.Event(enable_timing=True)) for _ in range(SAMPLES)]
        return EventClock(module, scratch, events)

    def __call__(self, calls: list[Callable[[], object]], count: int) -> list[float]:
        for number, (begin, end) in enumerate(self.events[:count]):
            self.scratch.zero_()
            begin.record()
            calls[number % len(calls)]()
            end.record()
        self.module.synchronize()
        return [begin.elapsed_time(end) * 1e3 for begin, end in self.events[:count]]
