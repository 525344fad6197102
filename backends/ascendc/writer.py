"""What the writers of vector and of cube kernels have in common: names, instructions, and the loop over a core's tiles.

    block b takes tiles b, b + blocks, b + 2 * blocks, ...
    tile -> (outer axes..., tile of the row axis, tile of the lane axis), the last running fastest
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

from uol.backends.ascendc.instructions import Builder
from uol.backends.ascendc.machine import ceil_div
from uol.backends.ascendc.schedules import AscendSchedule
from uol.backends.ascendc.transfers.indices import Indices, index_type
from uol.backends.ascendc.vector.tile import start_of
from uol.backends.c_text.names import kernel_symbol, legalise
from uol.codegen.specs.nodes import KernelSpec

_DECLARED = """
task slot group lanes rows elements padded i j m_size n_size k_size mmad fixpipe pipe ub l1 l0a l0b l0c a_l1 b_l1 a_l0 b_l0 c_l0
greater lesser ceil_div floor_div floor_mod threefry_key two_over_pi place INFINITE NOT_A_NUMBER
"""

_ASCEND_C = """
half bfloat16_t AscendC GM_ADDR TPipe TBuf TPosition LocalTensor GlobalTensor SetFlag WaitFlag PipeBarrier HardEvent Add Sub
Mul Div Max Min Adds Muls Maxs Mins Exp Ln Sqrt Rsqrt Reciprocal Abs Relu And Or Not Duplicate Copy Brcb Gather Cast Compare
CompareScalar Select Mmad Fixpipe LoadData DataCopy DataCopyPad InitConstValue GetBlockIdx GetBlockNum RoundMode CMPMODE SELMODE
WholeReduceSum WholeReduceMax WholeReduceMin CreateVecIndex ShiftLeft ShiftRight ToBfloat16 ToFloat Nd2NzParams MmadParams
"""

OWN = frozenset((_DECLARED + _ASCEND_C).split())
"""What the op's names must not be: what the generator declares itself, and Ascend C's identifiers."""


@dataclass(frozen=True, slots=True)
class KernelNames:
    """symbol     the kernel's function
    parameters  C names of the GM_ADDR parameters, by arg
    tensors     C names of the GlobalTensors, by arg
    variables   C names of axes, tile starts, scalars and steps
    """

    symbol: str
    parameters: dict[str, str]
    tensors: dict[str, str]
    variables: dict[str, str]

    @staticmethod
    def of(spec: KernelSpec) -> KernelNames:
        """Legal, distinct names for everything that a spec names."""
        names = legalise(spec, OWN)
        starts = [start_of(a.name) for a in spec.axes]
        tensors = [f"{names.tensor(a.name)}.gm" for a in spec.args]
        full = names.with_locals([*starts, *tensors])
        return KernelNames(
            symbol=kernel_symbol(spec),
            parameters={a.name: names.tensor(a.name) for a in spec.args},
            tensors={a.name: full.variables[t] for a, t in zip(spec.args, tensors, strict=True)},
            variables=dict(full.variables),
        )

    def all(self) -> frozenset[str]:
        """Every C name of the op in the kernel."""
        return frozenset({self.symbol, *self.parameters.values(), *self.tensors.values(), *self.variables.values()})


@dataclass(frozen=True, slots=True)
class TiledAxis:
    """An axis of the task loop: `count` steps of `step` indices, `variable` holds the first index of a step."""

    variable: str
    extent: int
    step: int = 1

    @property
    def count(self) -> int:
        return ceil_div(self.extent, self.step)


def task_count(axes: Sequence[TiledAxis]) -> int:
    """How many tiles there are."""
    return prod(a.count for a in axes)


@dataclass(slots=True)
class KernelWriter:
    """A kernel that is being written."""

    spec: KernelSpec
    schedule: AscendSchedule
    names: KernelNames = field(init=False)
    builder: Builder = field(init=False)
    indices: Indices = field(init=False)

    def __post_init__(self) -> None:
        self.names = KernelNames.of(self.spec)
        self.builder = Builder(self.names.all(), index_type(self.spec))
        self.indices = Indices.over(self.spec.axes, {**self.names.variables, **self.names.tensors})

    def start(self, axis: str) -> str:
        """The C name of the first index of a tile along an axis."""
        return self.names.variables[start_of(axis)]

    @contextmanager
    def core_loop(self, axes: Sequence[TiledAxis], *, double_buffered: bool = False, slotted: bool = False) -> Iterator[None]:
        """The loop over this core's tiles, their indices declared; a core that has one tile needs no loop. A `double_buffered`
        kernel loops even so, that it may be launched on fewer cores than it is laid out for. `slotted`: tiles alternate between
        two slots."""
        builder, tasks = self.builder, task_count(axes)
        if tasks <= (1 if double_buffered else self.schedule.blocks):
            builder.declare("task", "GetBlockIdx()", builder.index)
            self._declare_indices(axes)
            yield
            return
        with builder.loop("task", str(tasks), first="GetBlockIdx()", step="GetBlockNum()", slotted=slotted):
            self._declare_indices(axes)
            yield

    def _declare_indices(self, axes: Sequence[TiledAxis]) -> None:
        """The first index of the task's tile along every axis; an axis of one step is 0 and needs no variable unless it is
        walked index by index."""
        inner = task_count(axes)
        for place, axis in enumerate(axes):
            inner //= max(axis.count, 1)
            if axis.count <= 1 and axis.step > 1:
                continue
            text = "task" if inner == 1 else f"task / {inner}"
            if any(a.count > 1 for a in axes[:place]):
                text += f" % {axis.count}"
            scale = f" * {axis.step}" if axis.step > 1 else ""
            self.builder.declare(axis.variable, f"{text}{scale}", self.builder.index)
