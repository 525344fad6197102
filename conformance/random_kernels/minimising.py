"""The smallest text that still fails as a random one did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from uol.conformance.gradients.shrinking import shrunk
from uol.conformance.random_kernels.batches import run_texts
from uol.conformance.random_kernels.judging import Run
from uol.conformance.random_kernels.trials import Setting, Where, take_in
from uol.conformance.random_texts.kernel_texts import KernelText
from uol.ir.errors import UolError


def smallest(text: KernelText, failed: Run, setting: Setting) -> KernelText:
    """Of which nothing can be left out without the failure; on inputs of the same kind, drawn anew for each."""
    numbered = count()
    packs = {name: size for name, size in text.dims.items() if not isinstance(size, int)}

    def renamed(body: str, dims: Mapping[str, int]) -> KernelText:
        name = f"{text.name}_smaller_{next(numbered)}"
        head, _, behind = body.rpartition(f"op {text.name}(")
        return replace(text, text=f"{head}op {name}({behind}", name=name, dims={**dims, **packs})

    def fails(body: str, dims: Mapping[str, int]) -> bool:
        candidate = renamed(body, dims)
        try:
            take_in(candidate)
        except UolError:
            return False
        found = run_texts([candidate], Where((setting,)))
        return any((r.state, r.order, _kind(r.reason)) == (failed.state, failed.order, _kind(failed.reason)) for r in found)

    sizes = {name: size for name, size in text.dims.items() if isinstance(size, int)}
    small = shrunk(text.text, sizes, fails)
    return replace(text, text=small.text, dims={**small.dims, **packs})


def _kind(reason: str) -> str:
    """What a failure is told by: of an error its kind, of a value which side it differs from."""
    return reason.strip().splitlines()[-1].partition(":")[0] if reason else ""
