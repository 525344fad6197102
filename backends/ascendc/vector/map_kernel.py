"""Map and Pack on the vector unit: tiles of the result, each loaded, computed and stored.

The lanes run along the result's unit-stride axis. Where that is short, a tile has several rows along the next axis.
"""

from __future__ import annotations

from collections import Counter

from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.ascendc.transfers.indices import extent
from uol.backends.ascendc.transfers.stores import store
from uol.backends.ascendc.vector.kernel import VectorKernel
from uol.backends.ascendc.vector.tile import Frame
from uol.backends.ascendc.vector.tiling import frame_of
from uol.codegen.specs.nodes import Let, Map, Pack, Store
from uol.codegen.specs.traverse import values_of
from uol.ir.program.nodes import Var
from uol.ir.program.walk import walk


def map_kernel(spec: Map | Pack, schedule: VectorSchedule) -> VectorKernel:
    """The kernel of a Map whose axes have been collapsed."""
    frame: Frame = frame_of(spec, schedule, spec.index)
    kernel = VectorKernel(spec, schedule, frame)
    outer = [a for a in spec.index if a.name not in (frame.lane, frame.row)]
    if any(extent(a) == 0 for a in spec.index):
        return kernel
    with kernel.task_loop(outer):
        at = kernel.evaluator(v for s in spec.steps for v in values_of(s))
        uses = Counter(n.name for s in spec.steps for v in values_of(s) for n in walk(v) if isinstance(n, Var))
        for step in spec.steps:
            kernel.line(step.line)
            match step:
                case Let():
                    kernel.let(at, step, once=uses[step.name] == 1)
                case Store():
                    store(kernel, at, step)
    return kernel
