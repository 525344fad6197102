"""The values that a contract admits: a program evaluated in float64 with the interval that rounding may reach.

    enclose(program, inputs, scalars, contract("cuda"))["y"]  ->  Enclosure(value, low, high)

`value` is the golden value: floats in float64, integers exact, the last cast of a result left out. The
interval is what arithmetic under the contract may give before that cast, for any order of a sum: a running error analysis
of the text itself, so that operators that users register are held to a bound as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from uol.conformance.accuracy import interval
from uol.conformance.accuracy.contraction import (
    Made,
    as_factor,
    contract_factors,
    matrix_type,
    product_type,
    split_product,
    sum_of,
)
from uol.conformance.accuracy.contracts import NARROW, Contract
from uol.conformance.accuracy.exact_values import LOGIC, on_integers, on_truths
from uol.conformance.accuracy.functions import on_intervals
from uol.conformance.accuracy.index_space import Frame, extent_of
from uol.conformance.accuracy.interval import Array, Enclosure, point, rounded
from uol.conformance.accuracy.moved_squares import is_about_one_value
from uol.conformance.accuracy.recurrences import Fading, split_fading
from uol.conformance.accuracy.reductions import argument_of_extremum, flattened, fold, scatter
from uol.conformance.accuracy.relative_weights import Values, is_relative, rounded_relatively
from uol.conformance.accuracy.running import WHOLE, Over, split_running
from uol.conformance.accuracy.shared_quotients import is_shared, with_reciprocals
from uol.conformance.accuracy.sorts_under_rounding import Ordered
from uol.ir.errors import UolError
from uol.ir.program.nodes import Call, Const, Expr, Load, Order, Program, Reduce, Scatter, Stage, Var
from uol.ir.program.rounding import round_to
from uol.ir.program.threefry import random_bits
from uol.ir.program.walk import substitute
from uol.ir.types import DTYPES, INDEX, is_float

_PIECE = 1 << 21
"""Elements of a reduction's body that are evaluated at a time."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The admitted values of every result; for a result that is the place of an extremum, also the scores it was picked
    from, with the candidates of each element in the last dimension; for one that holds the places of a sort, what was
    sorted."""

    results: dict[str, Enclosure]
    scores: dict[str, Enclosure]
    orders: dict[str, Ordered] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Enclosure:
        return self.results[name]


def enclose(program: Program, inputs: Mapping[str, Array], scalars: Mapping[str, float | int], owed: Contract) -> Enclosed:
    """The admitted values of a program's results. Inputs are float64 or int64 arrays, rounded to their tensors' types."""
    return _Evaluation(program, owed, scalars).run(inputs)


@dataclass(slots=True)
class _Evaluation:
    program: Program
    owed: Contract
    scalars: Mapping[str, float | int]
    arrays: dict[str, Enclosure] = field(default_factory=dict)
    scores: dict[str, Enclosure] = field(default_factory=dict)
    orders: dict[str, tuple[Order, Ordered]] = field(default_factory=dict)
    made: Made = field(default_factory=dict)
    values: Values = field(default_factory=dict)

    def run(self, inputs: Mapping[str, Array]) -> Enclosed:
        results: dict[str, Enclosure] = {}
        made = {tensor.name for tensor in self.program.by_role("local")}
        self.made = {stage.name: stage.value for stage in self.program.stages if type(stage) is Stage and stage.name in made}
        self.values = {stage.name: stage.value for stage in self.program.stages if type(stage) is Stage}
        for tensor in self.program.by_role("in"):
            self.arrays[tensor.name] = self._as_read(point(inputs[tensor.name]), tensor.dtype)
        for stage in self.program.stages:
            frame = Frame.of(stage.axes)
            if isinstance(stage, Scatter):
                self.arrays[stage.name] = results[stage.name] = self._scatter(stage, frame)
                continue
            if isinstance(stage.value, Order):
                self.orders[stage.name] = stage.value, self._ordered(stage.value, frame)
            if self.program.tensors[stage.name].role != "out":
                self.arrays[stage.name] = _whole(self.value(stage.value, frame), frame)
                continue
            exact = _without_last_cast(stage)
            results[stage.name] = _whole(self.value(exact, frame), frame)
            self.arrays[stage.name] = results[stage.name]
            if exact is not stage.value:
                self.arrays[stage.name] = self._cast(results[stage.name], exact.type, stage.dtype)
            if isinstance(stage.value, Reduce) and stage.value.op in ("argmax", "argmin"):
                self.scores[stage.name] = self._scores(stage.value, frame)
        return Enclosed(results, self.scores, {name: ordered for name, (_, ordered) in self.orders.items()})

    def value(self, expr: Expr, frame: Frame) -> Enclosure:
        """An expression over a frame. Over nothing there is nothing to evaluate: what is in it is proven of no element."""
        if 0 in frame.shape:
            return point(np.zeros(frame.shape, np.float64 if is_float(expr.type) else np.int64))
        match expr:
            case Const(value=number, dtype=dtype):
                return self._constant(number, dtype, frame)
            case Var(name=name):
                return self._variable(name, frame)
            case Load():
                return self._load(expr, frame)
            case Reduce():
                return self._reduce(expr, frame)
            case Order():
                return self._order(expr, frame)
            case Call():
                return self._call(expr, frame)
        raise UolError(f"no golden value for {type(expr).__name__}")

    def _constant(self, number: float | int | bool, dtype: str, frame: Frame) -> Enclosure:
        if not is_float(dtype):
            return point(np.full((1,) * len(frame.ranges), number))
        exact = point(np.full((1,) * len(frame.ranges), float(number)))
        if dtype == "f64":
            return exact
        return rounded(rounded(exact, DTYPES[dtype].accumulator, 0.5), dtype, 0.5)

    def _variable(self, name: str, frame: Frame) -> Enclosure:
        indices = frame.indices(name)
        if indices is not None:
            return point(indices)
        scalar = next((s for s in self.program.scalars if s.name == name), None)
        if scalar is None:
            raise UolError(f"{name!r} has no value", hint="give every dim and attribute")
        return self._constant(self.scalars[name], scalar.dtype, frame)

    def _load(self, load: Load, frame: Frame) -> Enclosure:
        ordered = self._from_order(load, frame)
        if ordered is not None:
            return ordered
        array = self.arrays[load.tensor]
        shape = array.value.shape
        index = [self._index(i, frame) for i in load.index]
        inside = self._all(load.guard, frame)
        if array.value.size == 0:
            assert load.fill is not None or 0 in frame.shape, "a load from an empty tensor"
            if load.fill is None:
                return point(np.zeros(frame.shape, dtype=array.value.dtype))
            return self.value(load.fill, frame)
        if not shape:
            picked = array.map(lambda a: a.reshape((1,) * len(frame.ranges)))
        else:
            flat = np.zeros((1,) * len(frame.ranges), dtype=np.int64)
            for place, extent in zip(index, shape, strict=True):
                flat = flat * extent + (np.clip(place, 0, extent - 1) if inside is not None else place)
            picked = array.map(lambda a: a.reshape(-1)[flat])
        if inside is None:
            return picked
        assert load.fill is not None
        return interval.choose(point(inside), picked, self.value(load.fill, frame))

    def _index(self, expr: Expr, frame: Frame) -> Array:
        place = self.value(expr, frame)
        if not place.exact:
            raise UolError("an index depends on rounding", hint="no kernel can be judged on it")
        return place.value

    def _all(self, conditions: tuple[Expr, ...], frame: Frame) -> Array | None:
        """The conjunction of exact conditions; None where there are none."""
        result: Array | None = None
        for condition in conditions:
            holds = self.value(condition, frame)
            if not holds.exact:
                raise UolError("a guard depends on rounding", hint="no kernel can be judged on it")
            result = holds.value if result is None else result & holds.value
        return result

    def _call(self, call: Call, frame: Frame) -> Enclosure:
        args = tuple(self.value(a, frame) for a in call.args)
        if call.fn == "cast":
            if call.dtype in NARROW and is_relative(call.args[0], self.values):
                return rounded_relatively(args[0], call.dtype)
            return self._cast(args[0], call.args[0].type, call.dtype)
        if call.fn == "random_bits":
            return point(random_bits(args[0].value, args[1].value))
        if call.fn in LOGIC:
            return on_truths(call.fn, args)
        if call.fn == "select":
            return interval.choose(*args)
        if call.fn in ("max", "min"):
            return (interval.maximum if call.fn == "max" else interval.minimum)(*args)
        if not is_float(call.dtype):
            return point(on_integers(call.fn, tuple(a.value for a in args), call.dtype))
        if call.fn == "*" and call.args[0] == call.args[1]:
            return self._of_type(self._float("square", args[:1], DTYPES[call.dtype].accumulator), call.dtype)
        found = self._float(call.fn, args, DTYPES[call.dtype].accumulator)
        if call.fn == "/" and is_shared(*call.args):
            found = with_reciprocals(args, found, DTYPES[call.dtype].accumulator, self.owed)
        return self._of_type(found, call.dtype)

    def _of_type(self, x: Enclosure, dtype: str) -> Enclosure:
        """A value of a narrow type that no cast has rounded: a kernel may keep it in the accumulator's type or round it."""
        return x if DTYPES[dtype].accumulator == dtype else rounded(x, dtype, 0.5)

    def _float(self, fn: str, args: tuple[Enclosure, ...], dtype: str) -> Enclosure:
        owed = self.owed
        match fn:
            case "+":
                exact, ulps = interval.add(*args), owed.arithmetic
            case "-":
                exact, ulps = interval.add(args[0], interval.negate(args[1])), owed.arithmetic
            case "neg":
                return interval.negate(args[0])
            case "*":
                exact, ulps = interval.multiply(*args), owed.arithmetic
            case "square":
                exact, ulps = interval.square(args[0]), owed.arithmetic
            case "/":
                exact, ulps = interval.divide(*args), owed.division
            case _ if owed.ulps(fn, dtype) == 0:
                return on_intervals(fn, args)
            case _:
                return rounded(on_intervals(fn, args), dtype, owed.ulps(fn, dtype), flush=owed.flushed_functions)
        return rounded(exact, dtype, ulps, flush=owed.flushed_arithmetic)

    def _cast(self, x: Enclosure, source: str, target: str) -> Enclosure:
        if target == INDEX:
            return x.map(lambda a: a.astype(np.int64))
        if not is_float(target):
            return x.map(lambda a: np.asarray(round_to(a, target)))
        if not is_float(source):
            exact = x.map(lambda a: a.astype(np.float64))
            return rounded(exact, target, 0.5) if target in ("f64", "f32") else exact.map(lambda a: interval.nearest(a, target))
        if DTYPES[target].bits >= DTYPES[source].bits and DTYPES[source].bits >= 32:
            return x
        if target in ("f64", "f32"):
            return rounded(x, target, 0.5, flush=self.owed.flushed_arithmetic)
        return x.map(lambda a: interval.nearest(a.astype(np.float64), target))

    def _as_read(self, x: Enclosure, dtype: str) -> Enclosure:
        """An operand, which a machine that flushes subnormals reads as zero."""
        if not (self.owed.flushed_arithmetic and is_float(dtype)):
            return x
        return rounded(x, DTYPES[dtype].accumulator, 0.0, flush=True)

    def _reduce(self, expr: Reduce, frame: Frame) -> Enclosure:
        inner = Frame.of(expr.axes)
        fading = split_fading(expr, frame, self.arrays)
        if fading is not None:
            return self._recurrence(fading, expr.dtype, frame)
        product = split_product(expr, frame)
        if product is not None:
            kind = matrix_type(expr, self.owed, self.made)
            values = [self.value(f, product.frame(n)) for n, f in enumerate(product.factors)]
            factors = [as_factor(each, kind, self.owed) for each in values] if kind else values
            growth = self.owed.error_of(sum_of(kind), expr.dtype)
            done = contract_factors(product, factors, expr.dtype, growth, flushed=kind in self.owed.flushed_products)
            if done is not None:
                return rounded(done, expr.dtype, self.owed.arithmetic, flush=self.owed.flushed_arithmetic)
        running = split_running(expr, frame)
        if running is not None:
            rows, place = frame.without(running.along), [r.name for r in frame.ranges].index(running.along)
            return self._fold(running.of, rows, inner, running.prefixes).map(lambda a: np.moveaxis(a, -1, place))
        limit = max(1, _PIECE // max(1, inner.size))
        parts = [(place, self._fold(expr, piece, inner)) for place, piece in frame.pieces(limit)]
        place, first = parts[0]
        if len(parts) == 1:
            return first
        return Enclosure(
            *(np.concatenate([getattr(p, side) for _, p in parts], axis=place) for side in ("value", "low", "high"))
        )

    def _terms(self, body: Expr, frame: Frame, kind: str) -> Enclosure:
        """What is summed; of a product, of factors as a matrix unit may take them."""
        if not kind or not isinstance(body, Call):
            return self.value(body, frame)
        a, b = (as_factor(self.value(each, frame), kind, self.owed) for each in body.args)
        return self._float("*", (a, b), DTYPES[body.dtype].accumulator)

    def _recurrence(self, fading: Fading, dtype: str, frame: Frame) -> Enclosure:
        """A sum of terms that fade, place by place."""
        place = [r.name for r in frame.ranges].index(fading.along)
        term, factor = (_whole(self.value(each, frame), frame) for each in (fading.term, fading.factor))
        last = [each.map(lambda a: np.moveaxis(a, place, -1)) for each in (term, factor)]
        growth = (self.owed.error_of("sum", dtype).most, self.owed.error_of("prod", dtype).most)
        done = fading.run(last[0], last[1], growth, dtype).map(lambda a: np.moveaxis(a, -1, place))
        return rounded(done, DTYPES[dtype].accumulator, self.owed.arithmetic, flush=self.owed.flushed_arithmetic)

    def _fold(self, expr: Reduce, frame: Frame, inner: Frame, over: Over = WHOLE) -> Enclosure:
        whole = frame + inner
        kind = matrix_type(expr, self.owed, self.made)
        body = _whole(self._terms(expr.body, whole, kind), whole)
        keep = self._all(expr.where, whole)
        if expr.op in ("argmax", "argmin"):
            return argument_of_extremum(expr.op, body, keep, len(frame.ranges))
        growth = self.owed.error_of(sum_of(kind) if kind else expr.op, expr.dtype)
        is_moved = self.owed.moves_squares and expr.op == "sum" and is_about_one_value(expr.body, expr.axes, self.values)
        result = fold(expr.op, body, keep, len(frame.ranges), expr.dtype, growth, over, may_be_exact=not is_moved)
        if kind in self.owed.flushed_products:
            result = interval.flushed_sums(result, expr.dtype, inner.size)
        if is_float(expr.dtype) and expr.op in ("sum", "prod"):
            return rounded(result, DTYPES[expr.dtype].accumulator, self.owed.arithmetic, flush=self.owed.flushed_arithmetic)
        return result

    def _ordered(self, order: Order, frame: Frame) -> Ordered:
        rows = frame.without(order.place.name)
        inner = rows + Frame.of((order.axis,))
        place = [r.name for r in frame.ranges].index(order.place.name)
        return Ordered(_whole(self.value(order.body, inner), inner), order.descending, place)

    def _order(self, order: Order, frame: Frame) -> Enclosure:
        ordered = self._ordered(order, frame)
        return point(ordered.places(frame.shape[ordered.place]))

    def _from_order(self, load: Load, frame: Frame) -> Enclosure | None:
        """The values of a sort, read from where its places say: what may stand there, whatever the places are."""
        for place in load.index:
            match place:
                case Call(fn="cast", args=(Load(tensor=name, index=at),)) if name in self.orders:
                    order, ordered = self.orders[name]
                    axes = [r.name for r in frame.ranges]
                    same = substitute(order.body, {order.axis.name: place}) == load
                    if same and [getattr(i, "name", None) for i in at] == axes:
                        return ordered.values(frame.shape[ordered.place])
        return None

    def _scatter(self, stage: Scatter, frame: Frame) -> Enclosure:
        """Sums by place, of products perhaps, which matrix units may add. The error of a sum grows with the number of terms
        that its element gets."""
        shape = tuple(extent_of(d) for d in self.program.tensors[stage.name].shape)
        if 0 in frame.shape:
            return point(np.zeros(shape, np.float64 if is_float(stage.dtype) else np.int64))
        inside = np.ones(frame.shape, bool)
        guard = self._all(stage.guard, frame)
        if guard is not None:
            inside = inside & guard
        at = tuple(np.broadcast_to(self._index(t, frame), frame.shape)[inside] for t in stage.target)
        kind = product_type(stage.value, self.owed, self.made)
        terms = _whole(self._terms(stage.value, frame, kind), frame).map(lambda a: a[inside])
        result = scatter(terms, at, shape, stage.dtype, self.owed.error_of(sum_of(kind), stage.dtype))
        if kind in self.owed.flushed_products:
            result = interval.flushed_sums(result, stage.dtype, frame.size)
        if is_float(stage.dtype):
            return rounded(result, DTYPES[stage.dtype].accumulator, self.owed.arithmetic, flush=self.owed.flushed_arithmetic)
        return result

    def _scores(self, expr: Reduce, frame: Frame) -> Enclosure:
        inner = Frame.of(expr.axes)
        body = _whole(self.value(expr.body, frame + inner), frame + inner)
        keep = self._all(expr.where, frame + inner)
        worst = -np.inf if expr.op == "argmax" else np.inf
        if keep is not None:
            body = body.map(lambda a: np.where(keep, a, worst))
        body = body.map(lambda a: flattened(a, len(frame.ranges)))
        return body if expr.op == "argmax" else interval.negate(body)


def _without_last_cast(stage: Stage) -> Expr:
    """The value of a result before the cast to its type; a cast to an integer decides the value and stays."""
    match stage.value:
        case Call(fn="cast", args=(inner,), dtype=dtype) if is_float(dtype) and is_float(inner.type):
            return inner
    return stage.value


def _whole(x: Enclosure, frame: Frame) -> Enclosure:
    return x.map(lambda a: np.broadcast_to(a, frame.shape))
