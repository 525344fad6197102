"""What CUDA and HIP do not share: names of files and of the host's runtime, and the machine's limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uol.backends.simt.machine.matrix_units import MatrixUnits
from uol.codegen.backend import Capability
from uol.codegen.partition.grouped_value import Mode

ATOMICS = frozenset({"f64", "f32", "i64", "i32"})
"""What threads of any block add to at once: `uol::atomic_add`. CUDA C++ Programming Guide, atomicAdd (8-byte floats since 6.0);
CDNA2 instruction set architecture, global_atomic_add."""
COUNTED = (512, 1 << 16)
"""Different keys that a block counts in shared memory, for each of its warps, and elements of a row, all of which every block
goes over."""

SEGMENTS: frozenset[Mode] = frozenset({"rows", "terms"})
"""What `segments` writes for threads."""


BUILD = """\
folder=.
if [ ! -f {op}{first} ]; then
  folder=$(mktemp -d)
  {compile}
fi
c++ -O2 -std=c++17 -shared -fPIC "-DUOL_FOLDER=\\"$folder\\"" -o libuol_{op}.so {op}_host.cpp -ldl"""
"""A launcher takes no compiler of a vendor's; where the bundle does not carry the binaries that go into it, one makes them."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The vendor's runtime for programs, in which the example of a bundle gets memory: its calls begin with `prefix`."""

    include: str
    prefix: str
    compiler: str


@dataclass(frozen=True, slots=True)
class Target:
    """`max_blocks(threads)` is bounded by `capability.max_grid[0]` and, where there is a limit, by `max_work_items`
    threads in all. `shared_bytes` is what a block may declare statically. `products` are the suffixes of the binaries that
    a bundle carries and its launcher loads, `compiles` the vendor's lines that make them, with places for `op`, `architecture`
    and `folder`. `matrix_units` are those of an architecture; None for one that has none that kernels are written for."""

    name: str
    suffix: str
    capability: Capability
    shared_bytes: int
    products: tuple[str, ...]
    compiles: tuple[str, ...]
    runtime: Runtime
    matrix_units: Callable[[str], MatrixUnits | None]
    max_work_items: int | None = None

    def max_blocks(self, threads: int) -> int:
        most = self.capability.max_grid[0]
        return most if self.max_work_items is None else min(most, self.max_work_items // threads)

    def build(self, op: str, architecture: str) -> str:
        """The lines that build an operator's launcher."""
        lines = "\n  ".join(self.compiles).format(op=op, architecture=architecture, folder="$folder")
        return BUILD.format(op=op, first=self.products[0], compile=lines)

    def on(self, architecture: str) -> Machine:
        """The machine that devices of an architecture are."""
        return Machine(self, architecture, self.matrix_units(architecture))


@dataclass(frozen=True, slots=True)
class Machine:
    """What a kernel's text may depend on beside its spec and its schedule: the words and limits of a target, and what an
    architecture has. How many cores a device has decides on schedules, and is none of it."""

    target: Target
    architecture: str
    units: MatrixUnits | None

    @property
    def lanes(self) -> int:
        """Of a warp."""
        return self.target.capability.lanes

    @property
    def max_threads(self) -> int:
        """Of a block."""
        return self.target.capability.max_threads

    @property
    def shared_bytes(self) -> int:
        """What a block may declare statically."""
        return self.target.shared_bytes

    def max_blocks(self, threads: int) -> int:
        """Of a grid, of so many threads each."""
        return self.target.max_blocks(threads)
