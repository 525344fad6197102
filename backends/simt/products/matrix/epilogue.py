"""The end of a product on matrix units: what is done with the sums, and how they get to memory.

Fragments give a thread scattered elements. So the sums pass through shared memory, in as many parts as it takes; then each
thread has some neighbours of one row, with which it carries out the steps, and which it stores in accesses of 16 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Element, Local, Offset, Pointer, Primitive, Scalar
from uol.backends.simt.elements.pieces import ELEMENT
from uol.backends.simt.elements.spans import Group
from uol.backends.simt.elements.vectors import Vectors, width_along
from uol.backends.simt.kernel.layouts import CHUNK_BYTES
from uol.backends.simt.kernel.nodes import Barrier, Declare, Do, If, Loop, Statement
from uol.backends.simt.kernel.scope import Scope, all_of
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.place import GROUP, M0, MI, N0, NI, SHARED, THREAD, WARP_M, Owned, nest
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Contract, Map, Read, Step, Store
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import INDEX

SUMS = "sums"
PART, TURN, ROW = map(Local, ("part", "turn", "row"))
SUM_BYTES = 4


@dataclass(frozen=True, slots=True)
class Sums:
    """A part of the tile in shared memory, `rows` of `cols` sums of 4 bytes. Rows that a warp writes at once, eight where a
    lane has a chunk of each (`width` 4), and four where it has half of one, and pieces that it reads at once, lie in
    different banks."""

    rows: int
    cols: int
    width: int

    @property
    def bytes(self) -> int:
        return self.rows * self.cols * SUM_BYTES

    def chunk(self, row: Expr, chunk: Expr) -> Expr:
        """The byte of four sums: neighbouring rows have their chunks, or pairs of them, in another order, and so have both
        halves of 16 chunks."""
        chunks = 4 // self.width
        half = remainder(row, 2) if self.cols == 32 and chunks > 1 else remainder(quotient(chunk, 8), 2)
        moved = flipped(chunk, half, scaled(remainder(row, 8 // chunks), chunks))
        return total(scaled(row, self.cols * SUM_BYTES), scaled(moved, CHUNK_BYTES))


def parts_of_sums(tile: MatrixTile, rows: int, room: int) -> int:
    """In how many parts the sums of a tile pass through so many bytes; each warp gives some of its fragments, `rows` high."""
    parts, most = 1, tile.warp_m // rows
    while tile.m * tile.n * SUM_BYTES // parts > room and parts < most:
        parts *= 2
    return parts


CORE_REGISTERS = 65536
"""Of a core with asynchronous copies: CUDA C++ Programming Guide, technical specifications, 8.0 and later."""


def room_of_sums(tile: MatrixTile, unit: MatrixUnit, staged: int, most: int) -> int:
    """Bytes of shared memory that sums may take: those of the stages; or `most`, all that a block may have, where sums alone
    are half of a core's registers, so that a block has the core for itself anyway. They are there in one part then, whose code
    stands once."""
    is_alone = not Owned.of(unit).exchanged and 2 * tile.m * tile.n >= CORE_REGISTERS
    return max(staged, most) if is_alone else staged


def staged_bytes(tile: MatrixTile, rows: int, room: int) -> int:
    """Shared memory of a part of the sums."""
    return tile.m * tile.n * SUM_BYTES // parts_of_sums(tile, rows, room)


class Result(Protocol):
    """The sums of a block, and where they are: what a `Place` knows of them. `first_col`: of a warp; `ends`: up to where rows
    and columns go, None where every tile is full."""

    @property
    def spec(self) -> Contract: ...
    @property
    def tile(self) -> MatrixTile: ...
    @property
    def owned(self) -> Owned: ...
    @property
    def printer(self) -> Printer: ...
    @property
    def m(self) -> Counter: ...
    @property
    def n(self) -> Counter: ...
    @property
    def threads(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...
    @property
    def ni(self) -> Local: ...
    @property
    def first_col(self) -> Expr: ...
    @property
    def ends(self) -> tuple[Expr | None, Expr | None]: ...
    def fragment(self, i: Expr, j: Expr) -> Expr: ...


@dataclass(frozen=True, slots=True)
class Epilogue:
    """`room`: the bytes of shared memory that there are."""

    place: Result
    room: int

    @property
    def spec(self) -> Contract:
        return self.place.spec

    @property
    def tile(self) -> MatrixTile:
        return self.place.tile

    @property
    def fragments(self) -> int:
        """Rows of fragments of a warp."""
        return self.place.rows

    @property
    def parts(self) -> int:
        return parts_of_sums(self.tile, self.place.owned.rows, self.room)

    @property
    def staged(self) -> Sums:
        return Sums(self.tile.m // self.parts, self.tile.n, self.place.owned.width)

    @property
    def bytes(self) -> int:
        return self.staged.bytes

    @property
    def as_map(self) -> Map:
        """The steps as those of a kernel of their own."""
        spec = self.spec
        common = (spec.name, spec.args, spec.scalars, spec.dims, spec.facts, spec.source)
        return Map(*common, (*spec.batch, *spec.m, *spec.n), spec.epilogue, where=spec.where)

    @property
    def width(self) -> int:
        """Neighbours along n that a thread has."""
        width, threads = width_along(self.as_map, self.spec.n[-1]), self.place.threads
        while (across := self.tile.n // width) <= threads and (threads % across or self.staged.rows % (threads // across)):
            width //= 2
        return width

    def statements(self) -> Iterable[Statement]:
        """All of it."""
        body = (*self.keep(), Barrier(), self.finish())
        if self.parts == 1:
            return body
        return (Loop(PART.name, ZERO, Const(self.parts), (*body, Barrier()), unrolled=True, few=True),)

    def keep(self) -> Iterable[Statement]:
        """The sums of a part go to shared memory."""
        place, owned, each = self.place, self.place.owned, self.fragments // self.parts
        group = replace(GROUP, limit=owned.groups)
        number = total(scaled(PART, each), MI) if self.parts > 1 else MI
        row = total(scaled(WARP_M, each * owned.rows), scaled(MI, owned.rows), owned.row(group))
        col = total(place.first_col, scaled(place.ni, owned.cols), owned.col(group))
        at = total(self.staged.chunk(row, quotient(col, 4)), scaled(remainder(col, 4), SUM_BYTES))
        registers = Offset(place.fragment(number, NI), scaled(GROUP, owned.width))
        store = Do(Primitive("store_words", (owned.width * SUM_BYTES,), (Pointer(SHARED, at), registers)))
        yield from nest((("mi", each), ("group", owned.groups), ("ni", place.cols)), (store,))

    def finish(self) -> Statement:
        """Rows of the part, some at a time; one in several turns, where it is of more pieces than there are threads."""
        width, rows = self.width, self.staged.rows
        across = self.tile.n // width
        m, n = (self.place.printer.names.variable(each.name) for each in (self.place.m, self.place.n))
        each = self.fragments // self.parts * self.place.owned.rows
        """Rows of a warp in a part."""
        row = total(scaled(TURN, self.place.threads // across), quotient(THREAD, across))
        if across > self.place.threads:
            row = quotient(TURN, across // self.place.threads)
        place: list[Statement] = [Declare(ROW.name, Scalar(INDEX), row)]
        at: Expr = ROW
        if self.parts > 1:
            at = total(scaled(quotient(ROW, each), self.tile.warp_m), scaled(PART, each), remainder(ROW, each))
        place += [
            Declare(m, Scalar(INDEX), total(M0, at)),
            Declare(n, Scalar(INDEX), total(N0, scaled(self.piece(across), width))),
        ]
        guards = [
            Call("<", (Local(name), count), "bool")
            for name, count in zip((m, n), self.place.ends, strict=True)
            if count is not None
        ]
        body = tuple(self.steps(width, across))
        inner = (If(all_of(guards), body),) if guards else body
        turns = Const(rows * across // self.place.threads)
        return Loop(TURN.name, ZERO, turns, (*place, *inner), times=1, few=True)

    def piece(self, across: int) -> Expr:
        """Which of so many pieces of a row is a thread's in this turn."""
        threads = self.place.threads
        if across <= threads:
            return remainder(THREAD, across)
        return total(scaled(remainder(TURN, across // threads), threads), THREAD)

    def sums_at(self, width: int, across: int) -> Iterable[Statement]:
        """`float sums[8]`, from shared memory."""
        kind, first = Scalar(self.spec.acc_dtype), scaled(self.piece(across), width)
        array = Local(SUMS, kind)
        yield Declare(SUMS, kind, extent=width)
        for number in range(max(1, width // 4)):
            at = self.staged.chunk(ROW, flipped(quotient(first, 4), number))
            at = total(at, scaled(remainder(first, 4), SUM_BYTES))
            into = array if number == 0 else Offset(array, Const(4 * number))
            yield Do(Primitive("load_words", (min(width, 4) * SUM_BYTES,), (into, Pointer(SHARED, at))))

    def steps(self, width: int, across: int) -> Iterable[Statement]:
        """The steps of a thread's neighbours: loads, a loop over the elements, stores."""
        spec, axis = self.spec, self.spec.n[-1]
        vectors = Vectors(axis, width, known_multiples(spec.where), group=Group.of(self.as_map, axis, width))
        steps = [
            vectors.at_element(self.place.n.shortened(self.place.m.shortened(vectors.taken(s))), self.place.n.name)
            for s in spec.epilogue
        ]
        scope = Scope(vectors.known(self.place.printer))
        scope.put(*self.sums_at(width, across))
        loads = {name: replace(read, offset=self.offset(read)) for name, read in vectors.loads.items()}
        stores = {name: self.offset(store) for name, store in vectors.stores.items()}
        before = (*loads.values(), *(s.vector for s in vectors.spans.values()), *stores.values())
        needed = vectors.needed(used_variables(steps).union(*map(variables, before)))
        scope.axes(self.place.m, needed)
        scope.axes(self.place.n, needed)
        scope.put(vectors.aligned(scope.printer, frozenset(a.name for a in spec.args if a.role == "workspace")))
        for name, read in loads.items():
            vectors.load(name, read, scope)
        for name in vectors.spans:
            vectors.load_span(name, scope)
        for name in stores:
            scope.put(vectors.declaration(name, scope.printer))
        vectors.read_once([self.with_sum(s) for s in steps], scope)
        inner = scope.inner()
        inner.write([self.with_sum(step) for step in steps])
        vectors.loop(inner, scope)
        for name, offset in stores.items():
            vectors.store(name, offset, scope)
        return scope.body

    def offset(self, access: Read | Store) -> Expr:
        """The offset of an access by the counters."""
        by_row: Read | Store = replace(access, offset=self.place.m.offset(access))
        return self.place.n.offset(by_row)

    def with_sum(self, step: Step) -> Step:
        """A step with the element's sum in place of the accumulator's name."""
        kind = Scalar(self.spec.acc_dtype)
        element = Element(Local(SUMS, kind), Var(ELEMENT), kind)

        def rule(node: Expr) -> Expr | None:
            return element if isinstance(node, Var) and node.name == self.spec.acc else None

        return replace(step, value=rewrite(step.value, rule))
