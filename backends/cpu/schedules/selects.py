"""Select: a row's keys as integers that compare as the keys do, then an order of those.

    insertion   the first places are kept in order; an element that stands before the last of them is inserted
    digits      counting sort by each byte of the key, from the lowest up (LSD radix sort): stable, and free of branches
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.builder import PARALLEL, SERIAL, VECTORIZED, Builder, Extent, index
from uol.backends.cpu.expressions.casts import cast
from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.vectorising import vectorises
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.scratch import COPIES, key_bits, scratch_name, takes_digits
from uol.backends.cpu.schedules.cost import PARALLEL_FROM, parallel_prefix, size
from uol.backends.cpu.schedules.kinds import Order
from uol.backends.cpu.schedules.nest import enter_nest, product, split, unflatten
from uol.backends.cpu.statements import run_steps
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Select
from uol.ir.types import INDEX, is_float

TASKS_PER_CORE = 8
COST = 8
"""Units of work for an element."""
BLOCK = 256
"""Keys that are made at a time for insertion."""
DIGIT_BITS = 8
DIGITS = 1 << DIGIT_BITS
ZERO = index(0)


def candidates(spec: Select, host: Host) -> tuple[Order, ...]:
    """One schedule."""
    rows, length = size(spec.rows), static(spec.col.extent)
    large = rows is None or (rows > 1 and (length is None or rows * length * COST >= PARALLEL_FROM))
    parallel = host.cores > 1 and large
    parts = next((static(a.shape[0]) or 0 for a in spec.args if a.name == scratch_name(spec)), 0)
    fused = parallel_prefix(spec.rows, TASKS_PER_CORE * host.cores) if parallel and not parts else 0
    return (Order(takes_digits(spec), host.lanes, fused, parts),)


def scheduled(spec: Select, schedule: Order) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    row = _Row(frame, spec, schedule)
    if schedule.slots:
        _in_slots(frame, spec, schedule, row)
        return frame.close()
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, spec.rows, schedule.parallel, frame.scope)
        if not schedule.digits:
            row.insert(scope)
        elif length := static(spec.col.extent):
            row.sort(scope, frame.code.local("scratch", COPIES * length, row.held), ZERO)
    return frame.close()


def _in_slots(frame: Frame, spec: Select, schedule: Order, row: _Row) -> None:
    """Every part of the workspace has rows that follow each other."""
    code = frame.code
    named = [(a.name, frame.extent(a.extent)) for a in spec.rows]
    count = product([e for _, e in named])
    turns, _ = split(count + (schedule.slots - 1), schedule.slots)
    with code.loop("slot", schedule.slots, PARALLEL) as slot, code.loop("turn", turns) as turn, ExitStack() as guard:
        number = code.bind("number", slot * index(turns) + turn)
        if not isinstance(count, int) or count % schedule.slots:
            guard.enter_context(code.when(number < index(count)))
        scope = frame.scope.with_values(unflatten(frame, number, named))
        row.sort(scope, scope.buffers[scratch_name(spec)], slot * index(row.length * COPIES))


@dataclass(frozen=True, slots=True)
class _Row:
    """The work for one row."""

    frame: Frame
    spec: Select
    schedule: Order

    @property
    def length(self) -> Extent:
        return self.frame.extent(self.spec.col.extent)

    @property
    def wanted(self) -> Extent:
        return self.frame.extent(self.spec.place.extent)

    @property
    def held(self) -> str:
        """The type of keys and places while they are ordered."""
        return f"int{key_bits(self.spec)}"

    def insert(self, scope: Scope) -> None:
        """The first places, in order at all times."""
        code, wanted = self.frame.code, self.wanted
        assert isinstance(wanted, int)
        if not wanted:
            return
        keys, places = code.local("keys", wanted, self.held), code.local("places", wanted, self.held)
        block = code.local("block", BLOCK, self.held)
        self._fill(scope, block, ZERO, ZERO, wanted)
        with code.loop("element", wanted) as element:
            self._insert(keys, places, tirx.BufferLoad(block, [element]), element, element)
        blocks, left = split(self.length - wanted, BLOCK)
        with code.loop("number", blocks) as number:
            self._take(scope, (keys, places), block, index(wanted) + number * index(BLOCK), BLOCK)
        self._take(scope, (keys, places), block, index(self.length - left), left)
        self._finish(scope, places, ZERO)

    def _take(self, scope: Scope, held: tuple[Term, Term], block: Term, start: Term, count: Extent) -> None:
        """So many more elements: few of them stand before the last that is held."""
        if isinstance(count, int) and not count:
            return
        (keys, places), code, last = held, self.frame.code, index(self.wanted - 1)
        self._fill(scope, block, ZERO, start, count)
        with code.loop("element", count) as element:
            key = tirx.BufferLoad(block, [element])
            with code.when(tirx.LT(key, tirx.BufferLoad(keys, [last]))):
                self._insert(keys, places, key, start + element, last)

    def _insert(self, keys: Term, places: Term, key: Term, place: Term, free: Term) -> None:
        """Puts an element behind those that are not greater; what stands after it, up to the place `free`, moves by one."""
        code = self.frame.code
        key, place = code.hold("key", key), code.hold("place", tirx.Cast(self.held, place))
        with code.loop("step", free) as step:
            at = code.bind("at", free - step)
            before = code.hold("before", tirx.BufferLoad(keys, [at - index(1)]))
            moves = code.hold("moves", tirx.LT(key, before))
            was = code.hold("was", tirx.BufferLoad(places, [at - index(1)]))
            stands = code.hold("stands", tirx.LT(key, tirx.BufferLoad(keys, [at])))
            open_ = code.hold("open", tirx.Or(stands, tirx.EQ(at, free)))
            self._put(keys, at, tirx.Select(open_, tirx.Select(moves, before, key), tirx.BufferLoad(keys, [at])))
            self._put(places, at, tirx.Select(open_, tirx.Select(moves, was, place), tirx.BufferLoad(places, [at])))
        first = code.hold("first", tirx.Or(tirx.LT(key, tirx.BufferLoad(keys, [ZERO])), tirx.EQ(free, ZERO)))
        with code.when(first):
            self._put(keys, ZERO, key)
            self._put(places, ZERO, place)

    def _put(self, array: Term, at: Term, value: Term) -> None:
        self.frame.code.add(tirx.BufferStore(array, value, [at]))

    def sort(self, scope: Scope, scratch: Term, base: Term) -> None:
        """All places. Keys lie at `base`, twice; places behind them, twice; `from_` says which copy is the present one."""
        code, length = self.frame.code, self.length
        digits = key_bits(self.spec) // DIGIT_BITS
        counts = code.local("counts", digits * DIGITS, "int64")
        from_ = code.local("from", 1, "int64")
        self._put(from_, ZERO, ZERO)
        with code.loop("vector", digits * DIGITS // 8) as vector, code.loop("lane", 8, VECTORIZED) as lane:
            self._put(counts, vector * index(8) + lane, ZERO)
        self._fill(scope, scratch, base, ZERO, length)
        places = code.bind("places", base + index(length * 2))
        with code.loop("element", length) as element:
            self._put(scratch, places + element, tirx.Cast(self.held, element))
            key = code.hold("key", tirx.BufferLoad(scratch, [base + element]))
            for number in range(digits):
                at = index(number * DIGITS) + _digit(key, number, digits, self.held)
                at = code.hold("at", at)
                self._put(counts, at, tirx.BufferLoad(counts, [at]) + index(1))
        for number in range(digits):
            self._by_digit(scratch, (base, places), (counts, from_), (number, digits))
        present = code.hold("present", tirx.BufferLoad(from_, [ZERO]))
        self._finish(scope, scratch, places + present)

    def _by_digit(self, scratch: Term, bases: tuple[Term, Term], state: tuple[Term, Term], digit: tuple[int, int]) -> None:
        """One pass, where not all keys have the same digit."""
        code, length = self.frame.code, self.length
        (base, places), (counts, from_), (number, digits) = bases, state, digit
        present = code.hold("present", tirx.BufferLoad(from_, [ZERO]))
        first = code.hold("first", tirx.BufferLoad(scratch, [base + present]))
        same = index(number * DIGITS) + _digit(first, number, digits, self.held)
        with code.when(tirx.LT(tirx.BufferLoad(counts, [same]), index(length))):
            total = code.local("total", 1, "int64")
            self._put(total, ZERO, index(length) - present)
            with code.loop("value", DIGITS, start=number * DIGITS) as value:
                count = code.hold("count", tirx.BufferLoad(counts, [value]))
                before = code.hold("before", tirx.BufferLoad(total, [ZERO]))
                self._put(counts, value, before)
                self._put(total, ZERO, before + count)
            with code.loop("element", length) as element:
                at = code.bind("at", present + element)
                key = code.hold("key", tirx.BufferLoad(scratch, [base + at]))
                slot = code.hold("slot", index(number * DIGITS) + _digit(key, number, digits, self.held))
                to = code.hold("to", tirx.BufferLoad(counts, [slot]))
                self._put(scratch, base + to, key)
                self._put(scratch, places + to, tirx.BufferLoad(scratch, [places + at]))
                self._put(counts, slot, to + index(1))
            self._put(from_, ZERO, index(length) - present)

    def _fill(self, scope: Scope, array: Term, base: Term, start: Term, count: Extent) -> None:
        """`count` keys from `start` on, as integers, into the array."""
        code, lanes, col = self.frame.code, self.schedule.lanes, self.spec.col.name
        vector = vectorises(self.spec.key, {col}, scope)
        whole, rest = split(count, lanes)
        for first, vectors, wide in ((0, whole, lanes), (count - rest, 1, rest)):
            if 0 in [n for n in (vectors, wide) if isinstance(n, int)]:
                continue
            kind = VECTORIZED if vector and isinstance(wide, int) else SERIAL
            with code.loop("vector", vectors) as number, code.loop("lane", wide, kind) as lane:
                at = index(first) + number * index(lanes) + lane
                key = evaluate(self.spec.key, scope.with_values({col: start + at}))
                self._put(array, base + at, _as_integer(code, key, self.spec, self.held))

    def _finish(self, scope: Scope, places: Term, base: Term) -> None:
        """The steps at every place."""
        code = self.frame.code
        with code.loop(self.spec.place.name, self.wanted) as place:
            found = tirx.Cast("int64", tirx.BufferLoad(places, [base + place]))
            at = code.hold(self.spec.at, cast(code.share, found, INDEX, self.spec.at_dtype))
            run_steps(code, self.spec.steps, scope.with_values({self.spec.place.name: place, self.spec.at: at}))


def _as_integer(code: Builder, key: Term, spec: Select, held: str) -> Term:
    """An integer that stands where the key does: the bits of a float, those of a negative one turned round; both zeros are
    0, NaN is the greatest. A descending order is the ascending one of the complement."""
    share: Share = code.share
    if is_float(spec.key.type):
        zero = tirx.const(0.0, representation(spec.key.type).compute)
        greatest = tirx.const(2 ** (key_bits(spec) - 1) - 1, held)
        key = share(key)
        bits = share(tirx.reinterpret(held, tirx.Select(tirx.EQ(key, zero), zero, key)))
        turned = bits ^ ((bits >> tirx.const(key_bits(spec) - 1, held)) & greatest)
        value = tirx.Select(tirx.EQ(key, key), turned, greatest)
    else:
        value = tirx.Cast(held, key)
    return value ^ tirx.const(-1, held) if spec.descending else value


def _digit(key: Term, number: int, digits: int, held: str) -> Term:
    """A byte of the key, such that bytes compare as unsigned ones: the highest holds the sign, which is turned."""
    byte = (key >> tirx.const(number * DIGIT_BITS, held)) & tirx.const(DIGITS - 1, held)
    if number == digits - 1:
        byte = byte ^ tirx.const(DIGITS >> 1, held)
    return tirx.Cast("int64", byte)
