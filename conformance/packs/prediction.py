"""The time of a case's kernels by the model, which a pack holds before anything has run: what was measured stands beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uol.codegen.backend import CountsData, Module
from uol.codegen.cost import Time, time_of
from uol.compilation.request import Target
from uol.conformance.gap.routing import Routing, keys_of


@dataclass(frozen=True, slots=True)
class Prediction:
    """*Modelled*, not measured: of each kernel in launch order its name, its microseconds, and the part that takes longest."""

    kernels: Sequence[tuple[str, Time]]

    def record(self) -> Mapping[str, object]:
        """As a pack holds it. `predicted_us` is the sum of all kernels, launches included."""
        each = [{"kernel": name, "us": time.seconds * 1e6, "bound": time.bound} for name, time in self.kernels]
        return {"predicted_us": sum(time.seconds for _, time in self.kernels) * 1e6, "predicted_kernels": each}


def prediction_of(module: Module, target: Target, routing: Routing = "balanced") -> Prediction:
    """Of a module of fixed sizes; rows that fall into segments by data do so as `routing` says."""
    backend, found = target.backend, []
    for spec, kernel in zip(module.graph.specs, module.kernels, strict=True):
        keys = keys_of(spec, routing)
        if keys and isinstance(backend, CountsData):
            issued = backend.issued_for(spec, kernel.schedule, target.device, keys)
        else:
            issued = backend.issued(spec, kernel.schedule, target.device)
        found.append((kernel.name, time_of(issued, target.device)))
    return Prediction(found)
