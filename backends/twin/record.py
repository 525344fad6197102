"""What goes into a twin run and what comes out: `Job`, `TwinRun`, `Finding`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uol.codegen.backend import Capability, Module

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect of a kernel, as a check of the twin saw it.

    kind      one of the names in this folder's README
    kernel    the emitted kernel's symbol; empty where the whole module is meant
    line      1-based line of the emitted text; 0 where no line can be named
    count     how often it was seen in the run
    """

    kind: str
    message: str
    kernel: str
    line: int
    count: int = 1

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.kernel}:{self.line}: {self.kind}: {self.message}{times}"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a module: its inputs by name (logical shape; bf16 as uint16 bit patterns), its scalars and dims.

    checked      with all checks; without, the kernels run at full speed and only crashes and limits are findings
    counted      are executed statements and, where the machine has them, sectors counted, too? (Of checked runs.)
    timeout_s    limit of the processor time of the run, compilation not counted; beyond it the finding is `timeout`
    capability   the machine's limits; None: those of the module's backend
    shift        elements by which each tensor of the operator lies behind an address for accesses of any size
    most_blocks  how many blocks a kernel gets that loops over its tiles by the number of blocks that it finds at its launch, so
                 that each has many tiles and uses its buffers again and again; None: as many as its launch record says
    """

    module: Module
    buffers: Mapping[str, Array]
    scalars: Mapping[str, float | int] = field(default_factory=dict)
    checked: bool = True
    counted: bool = False
    timeout_s: float = 120.0
    capability: Capability | None = None
    shift: int = 0
    most_blocks: int | None = 3


@dataclass(frozen=True, slots=True)
class TwinRun:
    """What a run gave: results by name in their logical shape (f16 as float16, bf16 as uint16 bit patterns), findings,
    counts of what was executed (see the README), and whatever the compiler and the kernels' process printed.

    reuses   how often the slots of double buffers were filled again, by "kernel.buffer" (`reuse`); none in unchecked runs
    seconds  of its processes, from start to end; nothing is compiled in them
    """

    outputs: dict[str, Array]
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    log: str
    reuses: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
