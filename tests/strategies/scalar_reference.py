"""An operator evaluated one element at a time, straight from the surface tree, for tests: slow, plain, and independent
of the checker and the interpreter. It knows floats and the few integer forms that `random_ops` makes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from uol.ir.program.rounding import round_to
from uol.ir.syntax import surface as s

ROUNDING = ("f16", "bf16")


def run(op: s.Op, dtype: str, dims: Mapping[str, int], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor of the operator by name; results without their last cast."""
    tensors = {n: np.asarray(v) for n, v in inputs.items()}
    exact = {}
    for statement in op.body:
        (target,) = statement.targets
        names = [item.id for item in target.index if isinstance(item, s.Name)]
        sizes = [dims[n.upper()] for n in names]
        out = np.zeros(sizes)
        value = statement.value
        last_cast = isinstance(value, s.Apply) and value.fn == "T"
        body = value.args[0] if last_cast else value
        for point in itertools.product(*map(range, sizes)):
            out[point] = _Element(tensors, dims, dtype, dict(zip(names, point, strict=True))).value(body)
        exact[target.tensor] = out
        tensors[target.tensor] = round_to(out, dtype) if last_cast else out
    return exact


class _Element:
    def __init__(self, tensors: Mapping[str, np.ndarray], dims: Mapping[str, int], dtype: str, index: dict[str, int]) -> None:
        self.tensors, self.dims, self.dtype, self.index = tensors, dims, dtype, index

    def value(self, node: s.Node) -> float:
        match node:
            case s.Number(value=value):
                return value
            case s.Name(id=name):
                return self.index[name] if name in self.index else self.dims[name]
            case s.Unary(op="neg", arg=arg):
                return -self.value(arg)
            case s.Unary(op="not", arg=arg):
                return not self.value(arg)
            case s.Binary(op=op, left=left, right=right):
                return _binary(op, self.value(left), self.value(right))
            case s.Access():
                return self.access(node)
            case s.Reduction():
                return self.reduction(node)
            case s.Apply(fn="select", args=(c, a, b)):
                return self.value(a) if self.value(c) else self.value(b)
            case s.Apply(fn="T", args=(a,)):
                return float(round_to(self.value(a), self.dtype))
            case s.Apply(fn="acc", args=(a,)):
                return self.value(a)
            case s.Apply(fn=fn, args=args):
                return _call(fn, [self.value(a) for a in args])
        raise AssertionError(node)

    def access(self, node: s.Access) -> float:
        assert isinstance(node.tensor, s.Name)
        data = self.tensors[node.tensor.id]
        at = tuple(int(self.value(i)) for i in node.index)
        if all(0 <= i < n for i, n in zip(at, data.shape, strict=True)):
            return data[at].item()
        assert node.fill is not None, f"{node.tensor.id} is read at {at}, its shape is {data.shape}"
        return self.value(node.fill)

    def reduction(self, node: s.Reduction) -> float:
        names = list(dict.fromkeys(b.name for b in node.binders))
        spans = [range(self.extent(node, n)) for n in names]
        terms = []
        for point in itertools.product(*spans):
            inner = _Element(self.tensors, self.dims, self.dtype, {**self.index, **dict(zip(names, point, strict=True))})
            if all(b.bound is None or _binary(b.relation, inner.index[b.name], inner.value(b.bound)) for b in node.binders):
                terms.append(inner.value(node.args[0]))
        match node.op:
            case "sum":
                return math.fsum(terms)
            case "max":
                return max(terms, default=-math.inf)
            case "min":
                return min(terms, default=math.inf)
        raise AssertionError(node.op)

    def extent(self, node: s.Reduction, name: str) -> int:
        for access in s.below(node.args[0]):
            if isinstance(access, s.Access) and s.Name(name) in access.index:
                return self.tensors[access.tensor.id].shape[access.index.index(s.Name(name))]
        return max(int(b.bound.value) for b in node.binders if b.name == name)


def _binary(op: str, a: float, b: float) -> float:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a / b
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
    raise AssertionError(op)


def _call(fn: str, args: list[float]) -> float:
    return {"max": max, "min": min, "exp": math.exp, "tanh": math.tanh, "abs": abs, "sqrt": math.sqrt}[fn](*args)
