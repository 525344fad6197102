"""What a hardware target fills in: the types between code generation and `uol.backends`.

A backend turns specs into text, text into a binary, and a binary into a callable. Adding a vendor means adding a
folder that satisfies `Backend`; nothing above `backends/` asks for a vendor by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from uol.codegen.indexing.arithmetic import NO_DIMS, value_at
from uol.codegen.loaded import Loaded
from uol.codegen.partition.grouped_value import Mode
from uol.codegen.specs.graph import WORKSPACE_ALIGNMENT_BYTES, KernelGraph
from uol.codegen.specs.nodes import KernelSpec
from uol.ir.program.nodes import Expr

if TYPE_CHECKING:  # calls of compiled kernels count nothing
    from uol.codegen.work import Issued


@dataclass(frozen=True, slots=True)
class Capability:
    """What the kernel language of a target offers, whatever the device.

    lanes               width of a warp, wave or vector instruction, in lanes of 32 bits
    scratch_bytes       on-chip memories by name ("shared", or "UB", "L1", ...), in bytes
    max_grid            largest grid per axis
    max_threads         largest block; 1 where there are no threads
    dtypes              element types that kernels may hold
    kinds               which of the specs Attention, Scan and Select the machine takes; the others become what every machine
                        has
    scatters            element types that it can add to from many places at once: a Scatter into others becomes a Reduce
    puts                may a store be at a place that is read from data?
    counted             of how many keys, at the most, and of how many elements one row is put in order by counting the keys
    unordered           of these, the types whose additions come in another order from run to run: where an order is asked for
                        (`lower(..., deterministic=True)`), their Scatters become Reduces, too
    segments            which segments of a Contract it takes; the others become reductions, too
    computed_factors    may a factor of a Contract be computed as it is loaded? Elsewhere it is in memory before
    searches            from how many ascending keys on a value is looked for among them, wherever an expression stands; below,
                        each is asked. A number that is an argument may be small, and counts as 0. None: each is always asked
    symbolic_dims       may a dim be an argument of a kernel?
    row_parts           in how many parts rows are gone over one after another, so that sums over rows are added up along with
                        them (`Reduce.columns`); 0: such sums have kernels of their own
    tf32                are there units that multiply f32 shortened to TF32, where that is allowed (`lower(..., tf32=True)`)?
    workspace_alignment at what multiples of bytes the buffers between kernels lie
    """

    lanes: int
    scratch_bytes: Mapping[str, int]
    max_grid: tuple[int, int, int]
    max_threads: int
    dtypes: frozenset[str]
    kinds: frozenset[type[KernelSpec]] = frozenset()
    scatters: frozenset[str] = frozenset()
    puts: bool = False
    counted: tuple[int, int] = (0, 0)
    unordered: frozenset[str] = frozenset()
    segments: frozenset[Mode] = frozenset()
    computed_factors: bool = False
    searches: int | None = None
    symbolic_dims: bool = False
    row_parts: int = 0
    tf32: bool = False
    workspace_alignment: int = WORKSPACE_ALIGNMENT_BYTES


Grade = Literal["vendor", "measured", "computed"]
"""Where a figure was read: in a document of the vendor's; in a measurement that others have published; computed from such."""


SI = {"GB/s": 1e9, "TFLOP/s": 1e12, "TOP/s": 1e12, "G/s": 1e9, "MHz": 1e6, "us": 1e-6, "KiB": 2.0**10, "MiB": 2.0**20}
SI |= dict.fromkeys(("threads", "blocks", "registers"), 1.0)
"""Units of rates, in bytes or operations a second, hertz, or seconds; of sizes, in bytes, and of what is counted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a device can do, in `unit`: one of `SI`, "B/cycle", or "cycle"."""

    value: float
    unit: str
    source: str
    grade: Grade

    @property
    def si(self) -> float:
        """In bytes or operations a second, hertz, or seconds.

        >>> Rate(2.0, "GB/s", "a data sheet", "vendor").si
        2000000000.0
        """
        return self.value * SI[self.unit]


@dataclass(frozen=True, slots=True)
class Device:
    """One product: its name, the architecture that its binaries are built for, and its size.

    `cores` are SMs, CUs or AI cores; `memory_bytes` is 0 where it is not known; `rates` by name ("bandwidth", "f16-matrix").
    """

    name: str
    architecture: str
    cores: int
    memory_bytes: int
    rates: Mapping[str, Rate] = field(default_factory=dict)


class Schedule(Protocol):
    """How a kernel is laid out on the machine: a frozen dataclass that belongs to its backend. Its fields are int, bool, str,
    Literal and tuples of str; `uol.codegen.schedule` prints and parses it."""

    def describe(self) -> str:
        """One line for `uol explain`: tile sizes and which axis feeds the lanes."""
        ...


Count = int | Expr
"""A number, or an expression over dims that are arguments: the host evaluates it at each call (`value_at`)."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a launch takes: named on-chip buffers in bytes, grid and threads."""

    buffers: Mapping[str, int] = field(default_factory=dict)
    grid: tuple[Count, Count, Count] = (1, 1, 1)
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a spec with a schedule cannot be a kernel here, and what can."""

    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of an emitted kernel, in order. A buffer names its spec's arg; a scalar, a dim or a count is passed by value:
    a count (of tiles, of rows a block) is an expression over the dims."""

    name: str
    kind: Literal["buffer", "scalar", "dim", "count"]
    dtype: str
    writes: bool = False
    count: Expr | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """grid and block as in CUDA; a machine without threads uses grid[0] as its number of blocks and block (1, 1, 1).
    `core` names the kind of core where a machine has several ("aiv", "aic"); else it is empty. `where`: the sizes of dims at
    which it is launched; at others a kernel beside it is."""

    grid: tuple[Count, Count, Count]
    block: tuple[int, int, int]
    shared_bytes: int = 0
    core: str = ""
    where: tuple[Expr, ...] = ()

    def blocks(self, dims: Mapping[str, float]) -> tuple[int, int, int]:
        """The grid at a call with these sizes: no blocks where it is not launched.

        >>> from uol.ir.program.nodes import Var
        >>> Launch((Var("N"), 2, 1), (32, 1, 1)).blocks({"N": 7})
        (7, 2, 1)
        """
        if not all(value_at(condition, dims) for condition in self.where):
            return 0, 0, 0
        x, y, z = (each if isinstance(each, int) else value_at(each, dims) for each in self.grid)
        return x, y, z


@dataclass(frozen=True, slots=True)
class Kernel:
    """One rendered kernel: `text` is its function alone, header comment included; `name` its legalised symbol; `requires` what
    must hold of dims that are arguments for it to be right (what an operator asks for stands in `KernelGraph.checks`)."""

    name: str
    text: str
    params: tuple[Param, ...]
    launch: Launch
    footprint: Footprint
    schedule: Schedule
    spec: KernelSpec
    requires: tuple[Expr, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One emitted file of a module."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Module:
    """All kernels of one operator for one target.

    device   the file that the vendor's compiler and the twin take: every kernel, in launch order
    host     further files: the launcher with the C ABI, headers that the text includes
    build    the lines of a shell that make the launcher's shared library
    products names of the binaries that a bundle carries where the vendor's compiler is there: keys of `Artifact.files`
    """

    backend: str
    device_name: str
    graph: KernelGraph
    kernels: tuple[Kernel, ...]
    device: SourceFile
    host: tuple[SourceFile, ...]
    build: str
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A built module: the binary, where it lies (if on disk), and what the compiler said. `files` holds further products
    by file name, for example PTX beside a cubin; `compiler` is the compiler's name and version."""

    module: Module
    binary: bytes
    path: Path | None
    log: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    compiler: str = ""


@dataclass(frozen=True, slots=True)
class ToolState:
    """A tool as `uol doctor` shows it: found or not, version, and what its absence costs."""

    name: str
    found: bool
    detail: str
    cost_if_absent: str
    install_hint: str


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What a machine is asked about statements that could share a kernel, before the kernel is written.

    kind              the kind of spec that they would be
    dtypes            element types of the buffers that they read and write
    computes_indices  does an index depend on a value that they compute?
    is_divided        is an axis of a result a row and a column of what they reduce?
    spec              writes the spec, for a machine that must know the sizes of its parts (an attention)
    """

    kind: type[KernelSpec]
    dtypes: frozenset[str]
    computes_indices: bool
    is_divided: bool
    spec: Callable[[], KernelSpec]


@runtime_checkable
class HasBlocks(Protocol):
    """A machine whose threads are in blocks, each on one core, whose cache has what they read again."""

    def bytes_by_block(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> int:
        """Bytes of global memory that a kernel moves, each sector once for every block that touches it."""
        ...


@runtime_checkable
class CountsData(Protocol):
    """A machine whose counts may follow what is known of the data of a kernel."""

    def issued_for(
        self,
        spec: KernelSpec,
        schedule: Schedule,
        device: Device,
        data: Mapping[str, Sequence[int]],
        dims: Mapping[str, int] = NO_DIMS,
    ) -> Issued:
        """As `Backend.issued`, for the integers that tensors hold, of those that `data` names."""
        ...


class Backend(Protocol):
    """A hardware target: what it can hold, which kernels it has, how they are built and loaded."""

    name: str
    capability: Capability
    devices: Mapping[str, Device]
    default_device: str
    schedule_kinds: tuple[type, ...]
    """The types of its schedules: what a module that comes from a file may hold."""

    def accepts(self, group: GroupSummary) -> bool:
        """May these statements be one kernel here?"""
        ...

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        """The specs that a device of this machine runs in place of one: itself, or several joined by workspaces. What
        follows from the number of cores follows from those of `device`, for dims that are arguments, too."""
        ...

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        """Candidates, best first."""
        ...

    def check(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Footprint | Refusal:
        """Pre-flight: buffers, bytes, grid. Whatever the fields of the schedule say, a refusal and not an exception."""
        ...

    def issued(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> Issued:
        """What the kernel moves and issues: the counts that its cost is computed from. The schedule is one that `check` takes;
        `dims` are the sizes of those that are arguments. Raises UolError where one is missing."""
        ...

    def render(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Kernel:
        """Source text of one kernel and its launch record. Raises RefusalError where `check` refuses."""
        ...

    def assemble(self, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        """The files of one operator."""
        ...

    def build(self, module: Module) -> Artifact:
        """The vendor's real compiler. Raises ToolchainError where it is missing or refuses the text."""
        ...

    def load(self, artifact: Artifact, index: int = 0) -> Loaded:
        """The built operator on the device of that index, as PyTorch counts them, where that is present."""
        ...

    def torch_devices(self) -> frozenset[str]:
        """The types of PyTorch's devices whose tensors its kernels are for, in the PyTorch that is installed. It is asked where
        that is loaded."""
        ...

    def machine(self) -> Mapping[str, str]:
        """What its kernels depend on, of the machine that makes them, by name: nothing where they are made for another one.
        It stands in the key of every text and binary, so no tool is run."""
        ...

    def build_tools(self) -> Mapping[str, str]:
        """Which builds of the tools `build` would run are installed (`uol.backends.toolchain.tool_identity`), by name. It
        stands in the key of every binary, so no tool is run."""
        ...

    def doctor(self) -> tuple[ToolState, ...]:
        """The tools of this target and their state."""
        ...
