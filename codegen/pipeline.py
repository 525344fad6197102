"""From kernel specs to the files of an operator."""

from __future__ import annotations

from uol.codegen.backend import Backend, Device, Module
from uol.codegen.choice import FIRST_THAT_FITS, Policy
from uol.codegen.specs.nodes import KernelGraph


def compile_graph(graph: KernelGraph, backend: Backend, device: Device, policy: Policy = FIRST_THAT_FITS) -> Module:
    """Schedule, check, render and assemble every kernel of a graph. Raises ResourceError where a kernel does not fit."""
    schedules = policy.choose(graph, backend, device)
    kernels = tuple(backend.render(s, chosen, device) for s, chosen in zip(graph.specs, schedules, strict=True))
    return backend.assemble(graph, kernels, device)
