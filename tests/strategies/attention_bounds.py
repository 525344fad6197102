"""What kernels of attention may lose beside PyTorch in float64, and what tests of them share: their parts, planted faults."""

from __future__ import annotations

import re
from dataclasses import replace

import torch

from uol.backends.simt.attention.schedule import RowTile
from uol.backends.simt.attention.splitting import with_rows_joined
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Job
from uol.codegen.attention.split_cols import may_be_split, split_cols
from uol.codegen.backend import Module, Schedule
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Attention

UNIT = {"f16": 2.0**-11, "bf16": 2.0**-8, "f32": 2.0**-24}
"""The most that rounding to nearest loses, relative to a normal number."""
LEAST = {"f16": 2.0**-24, "bf16": 2.0**-133, "f32": 2.0**-149}
"""The least number of the type that is not 0."""
FLUSHED = {"f16": 2.0**-14, "bf16": 2.0**-126, "f32": 2.0**-126}
"""The least normal number: matrix units of gfx90a take what is less for 0 (conformance/contracts.toml)."""
REST = 2.0**-17
"""What exponentials, sums and the quotient lose in f32, relative to the sum of weighted values' sizes: a bound with room."""


def may_be_lost(y: torch.Tensor, total: torch.Tensor, v: torch.Tensor, dtype: str, target: str) -> torch.Tensor:
    """The most that a result may be off `y`. `total` is the attention of the sizes of the values `v`: weights are rounded to
    the type of values, or flushed, and the result is rounded."""
    unit, least = UNIT[dtype], LEAST[dtype]
    of_weights = FLUSHED[dtype] if target == "hip" else least / 2
    lost = (unit + REST) * total + of_weights * v.abs().sum(2, keepdim=True)
    return lost + unit * (y.abs() + lost) + least / 2


def in_parts(graph: KernelGraph, parts: int) -> KernelGraph:
    """The graph of one attention over parts of its keys."""
    (spec,) = graph.specs
    assert isinstance(spec, Attention)
    assert may_be_split(spec)
    made = split_cols(with_rows_joined(spec), parts, 32)
    return replace(graph, specs=made, workspaces=tuple(arg for arg in made[0].args if arg.role == "workspace"))


def assembled(graph: KernelGraph, backend: SimtBackend, dtype: str, tile: Schedule) -> Module:
    """The kernels, the first with a tile of matrix units; of threads where these have none for the type."""
    device = backend.devices[backend.default_device]
    first, *further = graph.specs
    if dtype == "f32":
        tile = next(each for each in backend.schedules(first, device) if isinstance(each, RowTile))
    schedules = [tile, *(next(iter(backend.schedules(each, device))) for each in further)]
    kernels = [backend.render(each, by, device) for each, by in zip(graph.specs, schedules, strict=True)]
    return backend.assemble(graph, tuple(kernels), device)


def with_fault(job: Job, right: str, wrong: str) -> Job:
    """The same with another text wherever the kernels have what a pattern says; they must have it."""
    device = job.module.device
    text, places = re.subn(right, wrong, device.text)
    assert places, device.text
    return replace(job, module=replace(job.module, device=replace(device, text=text)))
