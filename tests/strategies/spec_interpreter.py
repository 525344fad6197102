"""Runs kernel specs over all points of their axes on flat numpy buffers: plain, and written from the docstrings of the specs.

What a spec promises by its form the verifier checks first. What it promises of the points is checked here: every access is
in range wherever it may be evaluated (both arms of a `select`, terms that a mask drops), strides are those of the offset,
no element is read before it is stored, and every element is stored once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from uol.codegen.backend import Capability, Device
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import (
    Arg,
    Attention,
    Contract,
    Fold,
    Guard,
    Holds,
    KernelSpec,
    Let,
    Read,
    Scan,
    Scatter,
    Select,
    Step,
    Store,
)
from uol.codegen.specs.search import Search
from uol.codegen.specs.steps import RECURRENCE
from uol.codegen.specs.traverse import steps_of
from uol.codegen.specs.verify import verify_graph
from uol.ir.functions import FUNCTIONS
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.rounding import round_to, wrap
from uol.ir.program.threefry import random_bits
from uol.ir.types import DTYPES, INDEX, integer_range, is_float

Array = np.ndarray
EVERY_KIND: frozenset[type[KernelSpec]] = frozenset({Attention, Scan, Scatter, Select})
"""What a machine that takes everything has beside what every machine has."""


ANY_DEVICE = Device("any", "none", 1, 0)
"""One whose size no kernel follows from."""


def capability_of(kinds: frozenset[type[KernelSpec]]) -> Capability:
    """Of a machine of which lowering asks nothing but which kinds of kernels it takes."""
    types = frozenset(DTYPES)
    return Capability(1, {}, (1, 1, 1), 1, types, kinds=kinds - {Scatter}, scatters=types if Scatter in kinds else frozenset())


OPERATORS: dict[str, Callable] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "neg": np.negative,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}
FOLDS: dict[str, Callable] = {
    "sum": np.sum,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "any": np.any,
    "all": np.all,
}


def identity(op: str, dtype: str) -> float | int | bool:
    """What an empty reduction gives."""
    if op in ("max", "min"):
        if is_float(dtype):
            return -np.inf if op == "max" else np.inf
        return integer_range(dtype)[0 if op == "max" else 1]
    return {"sum": 0, "prod": 1, "any": False, "all": True}[op]


def apply(fn: str, args: Sequence[Array], dtype: str) -> Array:
    """A function or operator: floats in float64, integers wrapped to their type."""
    if fn in ("/", "%") and not is_float(dtype):
        by = np.where(args[1] == 0, 1, args[1])
        result = np.where(args[1] == 0, 0, args[0] // by if fn == "/" else args[0] % by)
    elif fn == "/":
        result = np.divide(*args)
    elif fn in OPERATORS:
        result = np.asarray(OPERATORS[fn](*args))
    else:
        result = np.asarray(FUNCTIONS[fn].reference(*args))
    return result if dtype in ("bool", INDEX) or is_float(dtype) else wrap(result.astype(np.int64), dtype)


def cast(value: Array, dtype: str) -> Array:
    """A cast; f32 and f64 values do not round."""
    if dtype == INDEX:
        return value.astype(np.int64)
    return value.astype(np.float64) if dtype in ("f32", "f64") else np.asarray(round_to(value, dtype))


def storage(dtype: str) -> type:
    return np.float64 if is_float(dtype) else np.bool_ if dtype == "bool" else np.int64


def sizes(exprs: Sequence[Expr]) -> tuple[int, ...]:
    return tuple(int(static(d) or 0) for d in exprs)


def span(arg: Arg) -> int:
    shape = sizes(arg.shape)
    return 0 if 0 in shape else 1 + sum((d - 1) * s for d, s in zip(shape, sizes(arg.strides), strict=True))


def places(arg: Arg) -> Array:
    """The offset of every element."""
    shape = sizes(arg.shape)
    grids = np.indices(shape)
    return sum((g * s for g, s in zip(grids, sizes(arg.strides), strict=True)), np.zeros(shape, np.int64))


def run_graph(graph: KernelGraph, inputs: Mapping[str, Array], scalars: Mapping[str, float] | None = None) -> dict[str, Array]:
    """The results of all kernels in order. A double store, an access out of range, a read of what no kernel has stored and
    a result that is not stored as a whole are AssertionErrors."""
    verify_graph(graph)
    memory: dict[str, Array] = {}
    known: dict[str, Array] = {}
    for arg in (*graph.args, *graph.workspaces):
        memory[arg.name] = np.zeros(span(arg), storage(arg.dtype))
        known[arg.name] = np.full(span(arg), arg.role == "in")
        if arg.role == "in":
            memory[arg.name][places(arg)] = inputs[arg.name]
    with np.errstate(all="ignore"):
        for spec in graph.specs:
            _Run(spec, memory, known, scalars or {}).run()
    for arg in graph.args:
        assert known[arg.name][places(arg)].all(), f"{arg.name} is not stored as a whole"
    return {a.name: memory[a.name][places(a)] for a in graph.args if a.role == "out"}


class _Run:
    """One spec. Every value is an array that broadcasts over the spec's axes."""

    def __init__(
        self, spec: KernelSpec, memory: dict[str, Array], known: dict[str, Array], scalars: Mapping[str, float]
    ) -> None:
        self.spec, self.memory, self.known = spec, memory, known
        self.axes: tuple[Axis, ...] = spec.axes
        self.shape = sizes([a.extent for a in self.axes])
        self.extents = self.shape
        """How often the expression at hand is evaluated: its step's axes. Where one is empty, nothing is read."""
        self.written: set[tuple[str, int]] = set()
        self.env: dict[str, Array] = {s.name: np.asarray(scalars[s.name], storage(s.dtype)) for s in spec.scalars}
        for dim, axis in enumerate(self.axes):
            self.env[axis.name] = np.arange(self.shape[dim]).reshape([-1 if d == dim else 1 for d in range(len(self.axes))])
        self.steps: tuple[Step, ...] = spec.steps if isinstance(spec, Scatter) else steps_of(spec)
        if isinstance(spec, Attention):
            self.steps = spec.epilogue

    def run(self) -> None:
        if isinstance(self.spec, Contract):
            c = self.spec
            own: tuple[Array, ...] = ()
            if c.segments is not None and c.segments.over == "rows":
                self.env[c.segments.of] = self.eval(c.segments.key)
            elif c.segments is not None:
                own = (self.eval(c.segments.key) == self.env[c.segments.of],)
            product = apply("*", (self.eval(c.a), self.eval(c.b)), c.acc_dtype)
            self.env[c.acc] = self.folded("sum", product, own, c.k, c.acc_dtype)
        if isinstance(self.spec, Attention):
            self.attend(self.spec)
        if isinstance(self.spec, Select):
            self.env[self.spec.at] = self.chosen(self.spec)
        for step in self.steps:
            own = self.spec.axes if isinstance(step, Fold) else [a for a in self.axes if a.name in step.axes]
            self.extents = sizes([a.extent for a in own])
            match step:
                case Let(name=name, value=value, axes=axes):
                    self.env[name] = self.over(self.eval(value), axes)
                case Fold(name=name) if isinstance(self.spec, Scan):
                    self.env[name] = self.running(self.spec, step)
                case Fold(name=name, op=op, value=value, where=where, dtype=dtype):
                    cols = self.spec.cols  # type: ignore[attr-defined]
                    self.env[name] = self.folded(op, self.eval(value), tuple(self.eval(w) for w in where), cols, dtype)
                case Store():
                    self.store(step)
        if isinstance(self.spec, Scatter):
            self.extents = self.shape
            self.scatter(self.spec)

    def attend(self, spec: Attention) -> None:
        """Dots, what becomes of them for every row and col, and the sums over the cols."""
        row, pair = (*spec.batch, *spec.rows), (*spec.batch, *spec.rows, *spec.cols)
        for dot in spec.dots:
            product = apply("*", (self.eval(dot.a), self.eval(dot.b)), dot.dtype)
            self.env[dot.name] = self.within(self.folded("sum", product, (), dot.depth, dot.dtype), pair)
        for step in spec.steps:
            if isinstance(step, Let):
                self.env[step.name] = self.over(self.eval(step.value), step.axes)
                continue
            assert isinstance(step, Fold)
            self.env[step.name] = self.within(self.folded(step.op, self.eval(step.value), (), spec.cols, step.dtype), row)
        for total in spec.sums:
            product = apply("*", (self.env[total.weight], self.eval(total.value)), total.dtype)
            self.env[total.name] = self.within(self.folded("sum", product, (), spec.cols, total.dtype), (*row, *total.width))

    def within(self, value: Array, axes: Sequence[Axis]) -> Array:
        """The value, which is the same along all other axes, with one element along each of them."""
        return value[tuple(slice(None) if a in axes else slice(0, 1) for a in self.axes)]

    def running(self, spec: Scan, fold: Fold) -> Array:
        """At every position, the fold over those on its side."""
        count = self.shape[-1]
        last = 0 if spec.reverse else count - 1
        used = [i for i in range(count) if not (spec.exclusive and i == last)]
        terms: dict[int, Array] = {}
        whole, (before, extents) = self.env[spec.along.name], (self.shape, self.extents)
        for i in used:
            self.env[spec.along.name] = np.full([1] * len(self.axes), i)
            self.shape = self.extents = (*before[:-1], 1)
            lets = {s.name: self.env[s.name] for s in self.steps if not isinstance(s, Store) and s.name in self.env}
            self.env |= {name: value[..., i : i + 1] if value.shape[-1] > 1 else value for name, value in lets.items()}
            terms[i] = self.maps(fold) if fold.op == RECURRENCE else np.broadcast_to(self.eval(fold.value), self.shape)[..., 0]
            self.env |= lets
        self.env[spec.along.name], self.shape, self.extents = whole, before, extents
        out = np.zeros(self.shape, storage(fold.dtype))
        for i in range(count):
            side = [j for j in used if (j > i if spec.reverse else j < i) or (j == i and not spec.exclusive)]
            out[..., i] = self.combined(fold, [(j, terms[j]) for j in side])
        return out

    def behind(self, spec: Scan) -> dict[str, Array]:
        """The values behind the last position of a row."""
        last = slice(0, 1) if spec.reverse else slice(self.shape[-1] - 1, self.shape[-1])
        folds = {s.name for s in self.steps if isinstance(s, Fold)}
        return {n: v[..., last] if n in folds else v for n, v in self.env.items()}

    def maps(self, fold: Fold) -> Array:
        """What multiplies the value before a position, and what is added."""
        assert isinstance(fold.value, Call)
        return np.stack([np.broadcast_to(self.eval(part), self.shape)[..., 0] for part in fold.value.args])

    def combined(self, fold: Fold, terms: list[tuple[int, Array]]) -> Array:
        if fold.op == RECURRENCE:
            state = np.zeros(self.shape[:-1])
            for _, (by, plus) in reversed(terms) if isinstance(self.spec, Scan) and self.spec.reverse else terms:
                state = by * state + plus
            return state
        if not terms:
            return np.full(self.shape[:-1], 0 if fold.op in ("argmax", "argmin") else identity(fold.op, fold.dtype))
        stacked = np.stack([value for _, value in terms], -1)
        if fold.op in ("argmax", "argmin"):
            out = np.zeros(stacked.shape[:-1], np.int64)
            for row in np.ndindex(*out.shape):
                found = [(v != v, v if fold.op == "argmax" else -v, -j) for (j, _), v in zip(terms, stacked[row], strict=True)]
                nans = [f for f in found if f[0]]
                out[row] = -(nans[0][2] if nans else max(found, key=lambda f: (f[1], f[2]))[2])
            return out
        result = FOLDS[fold.op](stacked, axis=-1)
        return result if is_float(fold.dtype) or fold.dtype == "bool" else wrap(np.asarray(result, np.int64), fold.dtype)

    def chosen(self, spec: Select) -> Array:
        """By counting, for each element, how many stand before it."""
        rows, count, wanted = self.shape[:-2], self.shape[-2], self.shape[-1]
        self.extents = self.shape[:-1]
        key = np.broadcast_to(self.eval(spec.key), (*rows, count, 1))[..., 0]
        out = np.full((*rows, 1, wanted), -1)
        for row in np.ndindex(*rows):
            values = [float("inf") if v != v else v for v in key[row].tolist()]
            ranked = [((1 if v != v else 0), w) for v, w in zip(key[row].tolist(), values, strict=True)]
            for e, mine in enumerate(ranked):
                other = [(r > mine if spec.descending else r < mine) or (r == mine and j < e) for j, r in enumerate(ranked)]
                if sum(other) < wanted:
                    out[(*row, 0, sum(other))] = e
        return out

    def scatter(self, spec: Scatter) -> None:
        """Zeros, and one addition after another."""
        arg = spec.arg(spec.add.tensor)
        inside = np.broadcast_to(np.asarray(True), self.shape)
        for guard in spec.guard:
            inside = inside & self.holds(guard)
        place = [np.broadcast_to(self.eval(p), self.shape) for p in spec.place]
        offset, value = (np.broadcast_to(self.eval(e), self.shape) for e in (spec.add.offset, spec.add.value))
        self.memory[arg.name][places(arg)] = 0
        self.known[arg.name][places(arg)] = True
        for point in np.ndindex(*self.shape):
            if not inside[point]:
                continue
            at = [int(p[point]) for p in place]
            assert all(0 <= i < n for i, n in zip(at, sizes(arg.shape), strict=True)), f"{arg.name} is added to out of range"
            assert offset[point] == sum(i * s for i, s in zip(at, sizes(arg.strides), strict=True)), "offset and place differ"
            total = self.memory[arg.name][offset[point]] + value[point]
            self.memory[arg.name][offset[point]] = total if is_float(arg.dtype) else wrap(np.asarray(total), arg.dtype)

    def over(self, value: Array, axes: Sequence[str]) -> Array:
        """The value, which varies over these axes alone, with their extents."""
        shape = [n if a.name in axes else 1 for a, n in zip(self.axes, self.shape, strict=True)]
        return np.broadcast_to(value, shape)

    def folded(self, op: str, value: Array, where: tuple[Array, ...], cols: Sequence[Axis], dtype: str) -> Array:
        """op over the cols: an array with one element along each of them."""
        keep = np.broadcast_to(np.asarray(True), self.shape)
        for condition in where:
            keep = keep & condition
        value = np.broadcast_to(value, self.shape)
        over = tuple(d for d, a in enumerate(self.axes) if a in cols)
        if op in ("argmax", "argmin"):
            return self.place(value if op == "argmax" else -value, keep, over)
        none = identity(op, dtype)
        kept = np.where(keep, value, none)
        result = FOLDS[op](kept, axis=over, keepdims=True, **({"initial": none} if op in ("max", "min") else {}))
        return result if is_float(dtype) or dtype == "bool" else wrap(np.asarray(result, np.int64), dtype)

    def place(self, value: Array, keep: Array, over: tuple[int, ...]) -> Array:
        """The linear index of the first NaN, else of the first greatest value."""
        rows = [d for d in range(len(self.axes)) if d not in over]
        out = np.zeros([self.shape[d] for d in rows], np.int64)
        count = int(np.prod([self.shape[d] for d in over]))
        flat = [np.transpose(a, (*rows, *over)).reshape(*out.shape, count) for a in (value, keep)]
        for row in np.ndindex(*out.shape):
            found = [(v != v, v, -n) for n, v in enumerate(flat[0][row]) if flat[1][row][n]]
            nans = [f for f in found if f[0]]
            out[row] = -(nans[0][2] if nans else max(found, key=lambda f: (f[1], f[2]))[2])
        return out.reshape([1 if d in over else self.shape[d] for d in range(len(self.axes))])

    def store(self, step: Store) -> None:
        offset, known = self.over(self.eval(step.offset), step.axes), self.env
        if isinstance(self.spec, Scan) and self.spec.along.name not in step.axes:
            self.env = self.behind(self.spec)
        value = self.over(self.eval(step.value), step.axes)
        self.env = known
        self.check_strides(step.offset, step.strides, step.tensor)
        flat = offset.reshape(-1)
        assert ((flat >= 0) & (flat < len(self.memory[step.tensor]))).all(), f"{step.tensor} is stored out of range"
        assert len(np.unique(flat)) == len(flat) and not {(step.tensor, i) for i in flat} & self.written, (
            f"an element of {step.tensor} is stored twice"
        )
        self.written |= {(step.tensor, i) for i in flat}
        self.memory[step.tensor][flat] = value.reshape(-1)
        self.known[step.tensor][flat] = True

    def eval(self, e: Expr) -> Array:
        match e:
            case Const(value=v, dtype=dtype):
                return np.asarray(v, storage(dtype) if dtype != INDEX else np.int64)
            case Var(name=n):
                return self.env[n]
            case Read():
                return self.read(e)
            case Search():
                return self.search(e)
            case Call(fn="select", args=(c, a, b)):
                return np.where(self.eval(c), self.eval(a), self.eval(b))
            case Call(fn="cast", args=(a,), dtype=dtype):
                return cast(self.eval(a), dtype)
            case Call(fn="random_bits", args=(seed, counter)):
                return random_bits(self.eval(seed), self.eval(counter))
            case Call(fn=fn, args=args, dtype=dtype):
                return apply(fn, [self.eval(a) for a in args], dtype)
        raise AssertionError(e)

    def read(self, r: Read) -> Array:
        inside = np.asarray(True)
        for guard in r.guard:
            inside = inside & self.holds(guard)
        at, data = self.eval(r.offset), self.memory[r.tensor]
        if 0 in self.extents or not inside.any():
            return np.asarray(0.0 if r.fill is None else self.eval(r.fill))
        self.check_strides(r.offset, r.strides, r.tensor)
        ok = ((at >= 0) & (at < len(data))) | ~inside
        assert ok.all(), f"{r.tensor} is read out of range"
        at = np.where(inside, at, 0)
        assert (self.known[r.tensor][at] | ~inside).all(), f"{r.tensor} is read before it is stored"
        return data[at] if r.fill is None else np.where(inside, data[at], self.eval(r.fill))

    def search(self, s: Search) -> Array:
        """Every key is asked. They ascend, NaN behind all others."""
        value, at = self.eval(s.value), np.arange(self.eval(s.count)) * self.eval(s.stride)
        assert self.known[s.tensor][at].all(), f"{s.tensor} is searched before it is stored"
        keys = self.memory[s.tensor][at]
        assert np.array_equal(np.sort(keys), keys, equal_nan=keys.dtype.kind == "f"), f"{s.tensor} does not ascend"
        count = sum((k <= value if s.equal else k < value for k in keys), np.zeros(np.shape(value), np.int64))
        return np.asarray(wrap(np.asarray(count, np.int64), s.dtype))

    def holds(self, guard: Guard) -> Array:
        if isinstance(guard, Holds):
            return self.eval(guard.condition)
        value, result = self.eval(guard.value), np.asarray(True)
        if guard.low is not None:
            result = result & (value >= self.eval(guard.low))
        return result if guard.high is None else result & (value < self.eval(guard.high))

    def check_strides(self, offset: Expr, strides: Sequence[tuple[str, Expr | None]], tensor: str) -> None:
        at = self.eval(offset)
        for name, stride in strides:
            if stride is not None:
                with self.moved(name):
                    step = self.eval(offset) - at
                assert (step == self.eval(stride)).all(), f"the stride of {tensor} along {name}"

    @contextmanager
    def moved(self, name: str) -> Iterator[None]:
        before = self.env[name]
        self.env[name] = before + 1
        yield
        self.env[name] = before
