"""An index that is computed from data does not wrap, on any target: past the last i32 it lies outside."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import uol
from uol.backends.twin import execute
from uol.compiler import compile as compile_for
from uol.ir import Library, instantiate, interpret, parse
from uol.ir.gradients import gradient

READ = """op read_far(x: f32[N], at: i32[M]) -> (y: f32[M], z: f32[M]) {
  y[m] = x[at[m] * 65536] else -1
  z[m] = x[at[m] + 2147483647] else -1
}"""
ADD = "op add_far(x: f32[N], at: i32[N]) -> (y: f32[N]) { y[at[n] * 65536] += x[n] }"
X = np.arange(1, 6, dtype=np.float32)
AT = np.array([0, 65536, -65536, -2147483647, 2], np.int32)
OWED = {"y": [1, -1, -1, -1, -1], "z": [-1, -1, -1, 1, -1]}
"""65536 * 65536 and 2 + 2147483647 would be 0 and a small number in 32 bits."""


def program(text: str) -> object:
    return instantiate(parse(text)[0], Library(), types={}, dims={d: len(X) for d in "NM" if f"[{d}]" in text})


def test_the_interpreter() -> None:
    found = interpret(program(READ), {"x": X, "at": AT})
    assert {n: v.tolist() for n, v in found.items()} == OWED
    assert interpret(program(ADD), {"x": X, "at": AT})["y"].tolist() == [1, 0, 0, 0, 0]


def test_the_processor() -> None:
    x, at = torch.from_numpy(X).requires_grad_(), torch.from_numpy(AT)
    y, z = uol.op(READ)(x, at)
    assert {"y": y.tolist(), "z": z.tolist()} == OWED
    (dx,) = torch.autograd.grad(y.sum() + 2 * z.sum(), x)
    assert dx.tolist() == [3, 0, 0, 0, 0]
    assert uol.op(ADD)(x, at).tolist() == [1, 0, 0, 0, 0]


BESIDE = """op add_beside(x: f64[N, D], at: i64[N], like: f64[S]) -> (y: f64[S, D], z: f64[S]) {
  a[at[n] + 1, d] += x[n, d]
  size[at[n] + 1] += f64(1)
  y[s, d] = select(size[s] > 0, a[s, d] / size[s], 0)
  z[s] = size[s] + 0 * like[s]
}"""


@pytest.mark.parametrize("dims", [{}, {"N": 4, "D": 3, "S": 3}], ids=["any size", "of its size"])
def test_an_index_past_64_bits_lies_outside(dims: dict[str, int]) -> None:
    """Not where it would be if it wrapped, nor where LLVM puts a sum that cannot overflow."""
    kernel = compile_for(parse(BESIDE)[0], "cpu", None, dims)
    at = np.array([-(2**63), -1, 0, 2**63 - 1])
    y, z = kernel(np.outer([1.0, 2, 4, 8], np.ones(3)), at, np.ones(3))
    assert z.tolist() == [1, 1, 0] and y[:, 0].tolist() == [2, 4, 0]


@pytest.mark.parametrize("target", ["cuda", "hip", "ascendc"])
def test_the_twins(target: str) -> None:
    for text, owed in ((READ, OWED), (ADD, {"y": [1, 0, 0, 0, 0]})):
        (op,) = parse(text)
        dims = {d: len(X) for d in "NM" if f"[{d}]" in text}
        found = execute(compile_for(op, target, "f32", dims).module, {"x": X, "at": AT})
        assert not found.findings
        assert {n: v.tolist() for n, v in found.outputs.items()} == owed


def test_the_gradient_of_a_guarded_read() -> None:
    """What lies outside is known by the index as it is, and not by a sum that wraps."""
    (op,) = parse("op f(x: f64[N], w: f64[M], at: i32[M]) -> (y: f64[M]) { y[m] = x[at[m] + 2147483647] else w[m] }")
    derived = instantiate(gradient(op, Library()), Library(), types={}, dims={"N": 5, "M": 5})
    found = interpret(derived, {t.name: {"at": AT}.get(t.name, X) for t in derived.by_role("in")})
    assert found["dw"].tolist() == [1, 2, 3, 0, 5]
