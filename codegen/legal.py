"""Which kernels a device runs in place of the specs of a program, where a backend knows several ways."""

from __future__ import annotations

from collections.abc import Sequence

from uol.codegen.backend import Backend, Device
from uol.codegen.contractions.row_sums import with_row_sums
from uol.codegen.extensions import AlternativesBackend
from uol.codegen.specs.nodes import KernelSpec


def legal_kernels(spec: KernelSpec, backend: Backend, device: Device) -> tuple[KernelSpec, ...]:
    """The specs that a device runs in place of one: of a backend's alternatives those that take the least modelled time. What
    the backend's `legalise` gives is taken where no other is faster."""
    usual = backend.legalise(spec, device)
    if not isinstance(backend, AlternativesBackend):
        return usual
    others = tuple(backend.alternatives(spec, device))
    return min((usual, *others), key=lambda way: sum(backend.estimate(s, device) for s in way)) if others else usual


def legal_together(specs: Sequence[KernelSpec], backend: Backend, device: Device) -> tuple[KernelSpec, ...]:
    """The specs that a device runs in place of several: where it has alternatives, sums of a factor's rows go along with the
    contraction that reads it, if that takes less modelled time."""
    if not isinstance(backend, AlternativesBackend):
        return tuple(kernel for spec in specs for kernel in legal_kernels(spec, backend, device))
    found: list[KernelSpec] = []
    left = list(specs)
    while left:
        spec, *left = left
        pairs = ((each, joined) for each in left if (joined := with_row_sums(spec, each)) is not None)
        pair = next(pairs, None)
        together = None if pair is None else _with_sums_beside(spec, *pair, backend, device)
        if pair is not None and together is not None:
            left = [each for each in left if each is not pair[0]]
        found += together or legal_kernels(spec, backend, device)
    return tuple(found)


def _with_sums_beside(
    spec: KernelSpec, beside: KernelSpec, joined: KernelSpec, backend: AlternativesBackend, device: Device
) -> tuple[KernelSpec, ...] | None:
    """The kernels of a contraction together with the sums beside it, `joined`; None where both as the backend's `legalise`
    gives them take less. That other ways of the contraction alone do is not asked: sums beside it take next to nothing of
    theirs."""
    apart = (*backend.legalise(spec, device), *backend.legalise(beside, device))
    ways = (apart, (joined,), *backend.alternatives(joined, device))
    best = min(ways, key=lambda way: sum(backend.estimate(s, device) for s in way))
    return None if best is apart else best
