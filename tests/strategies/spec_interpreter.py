"""Runs kernel specs point by point on flat numpy buffers: slow, plain, and written from the docstrings of the specs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from uol.codegen.index import static
from uol.codegen.spec import Arg, Contract, Fold, Holds, KernelGraph, KernelSpec, Let, Map, Pack, Read, Reduce, Step, Store
from uol.ir.nodes import Axis, Call, Const, Expr, Var

FUNCTIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "neg": lambda a: -a,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "not": lambda a: not a,
    "exp": lambda a: math.exp(a) if a < 709 else math.inf,
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "tanh": math.tanh,
    "erf": math.erf,
    "abs": abs,
    "max": lambda a, b: math.nan if a != a or b != b else max(a, b),
    "min": lambda a, b: math.nan if a != a or b != b else min(a, b),
}
IDENTITY = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf, "any": False, "all": True}


def value_of(arg: Arg) -> tuple[int, ...]:
    return tuple(int(static(d) or 0) for d in arg.shape)


def span(arg: Arg) -> int:
    shape = value_of(arg)
    return 0 if 0 in shape else 1 + sum((d - 1) * int(static(s) or 0) for d, s in zip(shape, arg.strides, strict=True))


def flatten(array: np.ndarray, arg: Arg) -> np.ndarray:
    """The array's elements at the places that the arg's strides give them."""
    flat = np.zeros(span(arg))
    for index in np.ndindex(*array.shape):
        flat[sum(i * int(static(s) or 0) for i, s in zip(index, arg.strides, strict=True))] = array[index]
    return flat


def unflatten(flat: np.ndarray, arg: Arg) -> np.ndarray:
    strides = [int(static(s) or 0) for s in arg.strides]
    out = np.zeros(value_of(arg), flat.dtype)
    for index in np.ndindex(*out.shape):
        out[index] = flat[sum(i * s for i, s in zip(index, strides, strict=True))]
    return out


def run_graph(graph: KernelGraph, inputs: Mapping[str, np.ndarray], scalars: Mapping[str, float] | None = None) -> dict:
    """The results of all kernels in order. A double store or an access out of range is an AssertionError."""
    memory: dict[str, np.ndarray] = {}
    for arg in (*graph.args, *graph.workspaces):
        memory[arg.name] = flatten(inputs[arg.name], arg) if arg.role == "in" else np.full(span(arg), np.nan)
    for spec in graph.specs:
        _Run(spec, memory, dict(scalars or {})).run()
    return {a.name: unflatten(memory[a.name], a) for a in graph.args if a.role == "out"}


class _Run:
    def __init__(self, spec: KernelSpec, memory: dict[str, np.ndarray], scalars: dict[str, float]) -> None:
        self.spec, self.memory, self.scalars = spec, memory, scalars
        self.written: set[tuple[str, int]] = set()

    def run(self) -> None:
        match self.spec:
            case Map(index=index, steps=steps) | Pack(index=index, steps=steps):
                for env in self.points(index, self.scalars):
                    self.steps(steps, env)
            case Reduce(rows=rows, cols=cols, steps=steps):
                for env in self.points(rows, self.scalars):
                    self.row(steps, {a.name for a in rows}, cols, env)
            case Contract() as c:
                for env in self.points(c.batch + c.m + c.n, self.scalars):
                    products = [self.eval(c.a, p) * self.eval(c.b, p) for p in self.points(c.k, env)]
                    self.steps(c.epilogue, {**env, c.acc: float(sum(products))})

    def points(self, axes: tuple[Axis, ...], env: dict) -> list[dict]:
        extents = [int(static(a.extent) or 0) for a in axes]
        names = [a.name for a in axes]
        return [{**env, **dict(zip(names, p, strict=True))} for p in itertools.product(*map(range, extents))]

    def steps(self, steps: tuple[Step, ...], env: dict) -> None:
        for step in steps:
            if isinstance(step, Let):
                env[step.name] = self.eval(step.value, env)
            else:
                assert isinstance(step, Store)
                self.store(step, env)

    def row(self, steps: tuple[Step, ...], rows: set[str], cols: tuple[Axis, ...], env: dict) -> None:
        element: list[Let] = []
        for step in steps:
            if isinstance(step, Fold):
                env[step.name] = self.fold(step, element, cols, env)
            elif set(step.axes) <= rows:
                self.steps((step,), env)
            elif isinstance(step, Let):
                element.append(step)
            else:
                for point in self.points(cols, env):
                    self.steps((*element, step), point)

    def fold(self, step: Fold, element: list[Let], cols: tuple[Axis, ...], env: dict) -> float | int | bool:
        values = []
        for number, point in enumerate(self.points(cols, env)):
            self.steps(tuple(element), point)
            if all(self.eval(w, point) for w in step.where):
                values.append((self.eval(step.value, point), number))
        if step.op in ("argmax", "argmin"):
            nans = [n for v, n in values if v != v]
            best = (max if step.op == "argmax" else min)(v for v, _ in values if v == v) if not nans else None
            return nans[0] if nans else next(n for v, n in values if v == best)
        total = IDENTITY[step.op]
        for v, _ in values:
            fn = {"sum": "+", "prod": "*", "any": "or", "all": "and"}.get(step.op, step.op)
            total = FUNCTIONS[fn](total, v)
        return total

    def store(self, step: Store, env: dict) -> None:
        at = self.eval(step.offset, env)
        assert (step.tensor, at) not in self.written, f"{step.tensor}[{at}] is stored twice"
        assert 0 <= at < len(self.memory[step.tensor])
        assert at == sum(env[n] * self.eval(s, env) for n, s in step.strides if s is not None) + self.base(step, env)
        self.written.add((step.tensor, at))
        self.memory[step.tensor][at] = self.eval(step.value, env)

    def base(self, step: Store, env: dict) -> int:
        zero = {**env, **{n: 0 for n, _ in step.strides}}
        return int(self.eval(step.offset, zero))

    def eval(self, e: Expr, env: dict):  # noqa: ANN201
        match e:
            case Const(value=v):
                return v
            case Var(name=n):
                return env[n]
            case Read():
                return self.read(e, env)
            case Call(fn="select", args=(c, a, b)):
                return self.eval(a, env) if self.eval(c, env) else self.eval(b, env)
            case Call(fn="/", args=(a, b), dtype=dtype):
                x, y = self.eval(a, env), self.eval(b, env)
                if dtype.startswith(("f", "b")):
                    return x / y if y else math.copysign(math.inf, x) if x else math.nan
                return x // y if y else 0
            case Call(fn="%", args=(a, b)):
                x, y = self.eval(a, env), self.eval(b, env)
                return x % y if y else 0
            case Call(fn="cast", args=(a,), dtype=dtype):
                v = self.eval(a, env)
                return float(np.float16(v)) if dtype == "f16" else v
            case Call(fn=fn, args=args):
                return FUNCTIONS[fn](*(self.eval(a, env) for a in args))
        raise AssertionError(e)

    def read(self, r: Read, env: dict):  # noqa: ANN201
        for guard in r.guard:
            if isinstance(guard, Holds):
                ok = self.eval(guard.condition, env)
            else:
                v = self.eval(guard.value, env)
                ok = (guard.low is None or v >= self.eval(guard.low, env)) and (
                    guard.high is None or v < self.eval(guard.high, env)
                )
            if not ok:
                assert r.fill is not None
                return self.eval(r.fill, env)
        at = self.eval(r.offset, env)
        assert 0 <= at < len(self.memory[r.tensor]), f"{r.tensor}[{at}] is out of range"
        for name, stride in r.strides:
            if stride is not None and name in env:
                moved = self.eval(r.offset, {**env, name: env[name] + 1})
                assert moved - at == self.eval(stride, env), f"stride of {r.tensor} along {name}"
        value = self.memory[r.tensor][at]
        assert value == value or r.tensor in {a.name for a in self.spec.args if a.role == "in"}, "read before it was written"
        return value
