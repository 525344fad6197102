"""Work: what a spec has to do on any machine, and what a kernel really moves and issues on one.

    work_of     compulsory bytes and operations by kind, closed forms in the dims
    Issued      counts of a kernel with a schedule on a device, each an interval: equal ends where the count is exact
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, product, size, value_at
from uol.codegen.specs.evaluations import evaluations
from uol.codegen.specs.nodes import (
    Arg,
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Read,
    Scan,
    Scatter,
    Select,
    Store,
)
from uol.codegen.specs.traverse import reads, steps_of
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Call, Expr
from uol.ir.types import DTYPES, INDEX, is_float

SPECIAL = frozenset(
    ("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "tanh", "erf", "sin", "cos", "pow", "sigmoid", "/")
)
"""What no unit does in one step: the functions, and a quotient of floats."""

FREE = frozenset(("cast", "select"))
"""Calls that are no operation."""


@dataclass(frozen=True, slots=True)
class Work:
    """What any kernel of a spec does at least, as closed forms in the dims: every element that is read or written moves once.

    read_bytes, written_bytes   of the arguments; of a tensor that is looked up in, as many elements as are looked up, or all
    operations                  by kind: "f32-vector", "f64-vector", "integer", "special"; "f16-matrix", "bf16-matrix",
                                "f32-matrix", "i8-matrix", ... for the products of a contraction, by the type of its factors.
                                A multiply-add is two; a cast, a choice and what an index is computed by are none
    """

    read_bytes: Expr
    written_bytes: Expr
    operations: Mapping[str, Expr]

    @property
    def bytes(self) -> Expr:
        return add(self.read_bytes, self.written_bytes)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a kernel with a schedule moves and issues on a device. Counts are intervals (least, most); both ends are one where
    the count is exact. A bound that is missing (None) is not known.

    memory_bytes    what passes the device's memory at least: the compulsory bytes
    read_bytes      of global memory, in whole sectors: what the accesses ask the caches for
    written_bytes   likewise
    scratch_bytes   read and written of on-chip memories that kernels address
    operations      by kind, as `Work.operations`; what is computed and not stored (the edge of a tile) counts, too
    primitives      by name: "barrier", "shuffle", or a machine's instructions
    statements      executed statements of the emitted text by unit, each of a thread once
    blocks, waves   blocks of the grid, and how often the cores take one each
    """

    memory_bytes: int
    read_bytes: Interval
    written_bytes: Interval
    scratch_bytes: Interval = Interval(0, 0)
    operations: Mapping[str, Interval] = field(default_factory=dict)
    primitives: Mapping[str, Interval] = field(default_factory=dict)
    statements: Mapping[str, Interval] = field(default_factory=dict)
    blocks: int = 1
    waves: int = 1
    launches: int = 1


def work_of(spec: KernelSpec) -> Work:
    """Compulsory bytes and operations of a spec: every term of every fold counts, those that conditions leave out, too."""
    raise NotImplementedError
