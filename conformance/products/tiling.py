"""What a product with a tiling must move, in closed form: operands by what the tiles read of them, results once.

    tiles of m x n        a once for each tile of columns, b once for each tile of rows
    rows in segments      tiles of rows begin anew with each segment: b of a segment once for each of its own
    terms in segments     both likewise, of the terms of each segment
    few rows, or columns  the long operand once, the few once for each block
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Protocol, runtime_checkable

from uol.codegen.backend import Kernel
from uol.codegen.indexing.arithmetic import NO_DIMS, size, static, value_at
from uol.codegen.specs.nodes import Arg, Contract, KernelSpec
from uol.codegen.specs.traverse import reads
from uol.codegen.work import compulsory
from uol.ir.program.nodes import Axis, Expr
from uol.ir.types import DTYPES, is_float


@runtime_checkable
class Tiled(Protocol):
    """A schedule whose blocks have a tile of m x n each."""

    @property
    def m(self) -> int: ...
    @property
    def n(self) -> int: ...


@runtime_checkable
class Deep(Tiled, Protocol):
    """One that goes through k in steps of so many."""

    @property
    def k(self) -> int: ...


@runtime_checkable
class Shared(Deep, Protocol):
    """One whose rows several warps share, so many each: a warp multiplies none where it has no rows of a segment."""

    @property
    def warp_m(self) -> int: ...


def must_move(kernel: Kernel, runs: Sequence[int] = ()) -> int:
    """Bytes of a kernel of known sizes. `runs`: how many rows, or terms, lie in each segment. What finds segments, their keys
    and bounds, is none of it."""
    spec = kernel.spec
    if not isinstance(spec, Contract):
        return compulsory(spec).memory_bytes
    a, b = (_bytes(spec, side) for side in (spec.a, spec.b))
    rest = operand_bytes(spec) - _tensors(spec)
    if not isinstance(kernel.schedule, Tiled):
        blocks, _, _ = kernel.launch.blocks(NO_DIMS)
        return max(a, b) + min(a, b) * blocks + rest
    tile = kernel.schedule
    m, n, k, batch = (_count(axes) for axes in (spec.m, spec.n, spec.k, spec.batch))
    a_row, b_row = (k * DTYPES[next(reads(side)).dtype].bytes for side in (spec.a, spec.b))
    match spec.segments.over if spec.segments is not None else "":
        case "rows":
            return sum(runs) * a_row * _parts(n, tile.n) + sum(_parts(run, tile.m) for run in runs) * n * b_row + rest
        case "terms":
            a_column, b_column = m * a_row // k, n * b_row // k
            return sum(runs) * (a_column * _parts(n, tile.n) + b_column * _parts(m, tile.m)) + rest
        case _:
            return batch * (m * a_row * _parts(n, tile.n) + n * b_row * _parts(m, tile.m)) + rest


def operand_bytes(spec: KernelSpec) -> int:
    """Of the numbers that a kernel reads and writes, each once."""
    return sum(_bytes_of(arg) for arg in spec.args if is_float(arg.dtype))


def runs_of(spec: KernelSpec, keys: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """How many rows, or terms, a contraction in segments has in each, by the keys; none without segments."""
    if not isinstance(spec, Contract) or spec.segments is None:
        return ()
    key = next(reads(spec.segments.key))
    found = keys[key.tensor]
    return tuple(found.count(segment) for segment in range(max(found) + 1))


def _tensors(spec: Contract) -> int:
    """Both operands once."""
    return sum(_bytes_of(spec.arg(name)) for name in {next(reads(side)).tensor for side in (spec.a, spec.b)})


def _bytes(spec: Contract, side: Expr) -> int:
    return _bytes_of(spec.arg(next(reads(side)).tensor))


def _bytes_of(arg: Arg) -> int:
    return prod(value_at(extent, NO_DIMS) for extent in arg.shape) * DTYPES[arg.dtype].bytes


def _count(axes: Sequence[Axis]) -> int:
    return static(size(axes)) or 0


def _parts(count: int, of: int) -> int:
    return -(-count // of)


def issued_share(kernel: Kernel, runs: Sequence[int]) -> float:
    """Of the multiply-adds that tiles of a contraction issue, those of rows, columns and terms that there are: tiles are
    whole, but for warps without rows of a segment."""
    spec, tile = kernel.spec, kernel.schedule
    assert isinstance(spec, Contract) and isinstance(tile, Deep), "a contraction in tiles"
    m, n, k = (_count(axes) for axes in (spec.m, spec.n, spec.k))
    over = spec.segments.over if spec.segments is not None else ""
    own = tile.warp_m if isinstance(tile, Shared) else tile.m
    rows = _padded(runs, own) / sum(runs) if over == "rows" else _padded([m], tile.m) / m
    terms = _padded(runs, tile.k) / sum(runs) if over == "terms" else _padded([k], tile.k) / k
    return 1 / (rows * terms * _padded([n], tile.n) / n)


def _padded(counts: Sequence[int], of: int) -> int:
    return sum(_parts(count, of) * of for count in counts)
