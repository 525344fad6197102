"""A path's training step at its full size, without running it: what it calls, on tensors that have no values.

A path's module `full_size` has its cases, each with the dims that mathematics.py and calls.toml are written in, and the step of
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module

import torch

from uol.conformance.paths import require_path
from uol.conformance.paths.recorded import Call, recorded
from uol.pytorch.schema import TORCH_TYPES

Dims = Mapping[str, int]
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class FullSize:
    """`cases`: dims by the name of a case. `build(case, dtype)`: the step of one: forward, backward to every parameter, and the
    optimiser's. `says` is what the step rests on beside the sizes, for people. `is_routed`: data says which rows go where."""

    cases: Mapping[str, Dims]
    build: Callable[[str, torch.dtype], Step]
    says: str
    is_routed: bool = False


def full_size_of(path: str) -> FullSize:
    """Raises UolError, with the paths there are, for the name of none."""
    require_path(path)
    found: FullSize = import_module(f"uol.conformance.paths.{path}.full_size").FULL_SIZE
    return found


def calls_of(path: str, case: str, dtype: str) -> tuple[Call, ...]:
    """The calls of a step, in order. An operator that overwrites its inputs stands under its own name: its kernels are those of
    the pure one."""
    step = full_size_of(path).build(case, TORCH_TYPES[dtype])
    return tuple(replace(call, op=call.op.removesuffix("_")) for call in recorded(step).calls)


@contextmanager
def without_values() -> Iterator[None]:
    """Within, tensors are made that have sizes and no values."""
    with torch.device("meta"):
        yield
