"""The operands of a product of few rows: which is the short one, and how many elements an access of each may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from uol.backends.simt.c_text.counters import Counter, at_most, typical
from uol.backends.simt.elements.multiples import Multiples, is_multiple_of
from uol.backends.simt.machine.fitting import parts_by
from uol.backends.simt.machine.limits import WHOLE_BYTES
from uol.backends.simt.products.few_rows.schedule import Along, Few
from uol.codegen.indexing.arithmetic import ONE, ZERO, mul, size, static, substituted
from uol.codegen.specs.nodes import Contract, Read
from uol.codegen.specs.sizes import known_bound, known_multiples
from uol.codegen.specs.traverse import main_read
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES, NARROW


@dataclass(frozen=True, slots=True)
class Operand:
    """One factor of a product without axes of extent 1, with what counts its rows (or columns) and its terms. It is computed
    around one read, or is that alone."""

    factor: Expr
    outer: Counter
    terms: Counter
    dims: tuple[str, ...]
    multiples: Multiples

    @property
    def dtype(self) -> str:
        """Of an element in memory."""
        return self.read_whole.dtype

    @property
    def read(self) -> Read:
        """Of its tensor, at the counters where it is dense over their axes."""
        return main_read(self.shorter)

    @property
    def read_whole(self) -> Read:
        """The same at the axes."""
        return main_read(self.factor)

    @property
    def shorter(self) -> Expr:
        """The factor at the counters."""
        return self.terms.shorter(self.outer.shorter(self.factor))

    @property
    def is_dense(self) -> bool:
        """May a counter of terms stand for their axes, and is all of it read wherever it is asked for?"""
        read = self.read_whole
        return not read.guard and self.terms.step(read) is not None

    def stored_as(self, acc_dtype: str) -> str | None:
        """The type of a factor that is read as it is; None of what is computed."""
        match self.factor:
            case Read(dtype=dtype):
                return dtype
            case Call(fn="cast", dtype=dtype, args=(Read() as read,)) if dtype == acc_dtype:
                return read.dtype
        return None

    def width(self, along: Along) -> int:
        """Elements of an access; of sizes that are arguments, where those of `pitches` are multiples of it."""
        counter = self.terms if along == "terms" else self.outer
        read = self.read_whole
        if counter.step(read) != ONE:
            return 1
        first = substituted(read.offset, {axis.name: ZERO for axis in counter.axes})
        width = WHOLE_BYTES // DTYPES[read.dtype].bytes
        while width > 1 and not is_multiple_of(first, width, self._assumed(self.dims)):
            width //= 2
        return width

    def pitches(self, along: Along, width: int) -> tuple[Expr, ...]:
        """The dims that have to be multiples of `width` for accesses of so many elements."""
        counter = self.terms if along == "terms" else self.outer
        read = self.read_whole
        first = substituted(read.offset, {axis.name: ZERO for axis in counter.axes})
        needed = [name for name in self.dims if name in variables(first)]
        for name in tuple(needed):
            without = [other for other in needed if other != name]
            if is_multiple_of(first, width, self._assumed(without)):
                needed = without
        return tuple(map(Var, needed))

    def _assumed(self, dims: Iterable[str]) -> Multiples:
        return {**dict.fromkeys(map(Var, dims), WHOLE_BYTES), **self.multiples}


def operands_of(spec: Contract, of: Few) -> tuple[Operand, Operand]:
    """The short operand and the long one. The counters of rows, columns and terms are `$at_m`, `$at_n` and `$at_k`."""
    m, n, k = (Counter.over(axes, name) for axes, name in ((spec.m, "$at_m"), (spec.n, "$at_n"), (spec.k, "$at_k")))
    batch = Counter.over(spec.batch, "$batch")
    multiples = known_multiples(spec.where)
    a, b = (Operand(batch.shorter(f), c, k, spec.dims, multiples) for f, c in ((spec.a, m), (spec.b, n)))
    return (a, b) if of == "rows" else (b, a)


def blocks_of(short: Operand, long: Operand, block: int, batch: Expr) -> Expr:
    """Blocks of a launch, each of `block` columns: none where there is no row."""
    return mul(mul(parts_by(long.outer.count, block), batch), at_most(short.outer.count, 1))


@dataclass(frozen=True, slots=True)
class Facts:
    """What schedules of a product are judged by, found once: its operands, how many columns, terms and batches there are, or
    are taken to be, the most that may be few, and the elements of an access of both operands."""

    short: Operand
    long: Operand
    columns: int
    terms: int
    batch: int
    most: int | None
    short_width: int
    long_widths: Mapping[Along, int]
    acc_dtype: str
    result_bytes: int
    may_be: bool
    """Are sums not over segments, nor in a narrow type, of operands that are dense over their terms?"""

    @staticmethod
    def of(spec: Contract, of: Few) -> Facts:
        short, long = operands_of(spec, of)
        count = short.outer.count
        known = static(count)
        return Facts(
            short,
            long,
            columns=typical(long.outer.count, spec.where),
            terms=typical(size(spec.k), spec.where),
            batch=typical(size(spec.batch), spec.where),
            most=known if known is not None else known_bound(spec.where, count),
            short_width=short.width("terms"),
            long_widths={along: long.width(along) for along in get_args(Along)},
            acc_dtype=spec.acc_dtype,
            result_bytes=DTYPES[spec.args[-1].dtype].bytes,
            may_be=spec.segments is None and spec.acc_dtype not in NARROW and short.is_dense and long.is_dense,
        )

    @property
    def along(self) -> Along:
        """What lies side by side in the long operand: its columns where they do and terms do not."""
        read = self.long.read_whole
        return "outer" if self.long.outer.step(read) == ONE and self.long.terms.step(read) != ONE else "terms"
