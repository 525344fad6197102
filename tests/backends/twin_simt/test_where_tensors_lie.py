"""Tensors lie where a job says, at an address for vectors or behind it; what is 0 of a large input takes no memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_written import dense, module

import uol
from uol.backends.twin import Job, execute_many
from uol.backends.twin.job_file import LARGE
from uol.codegen.backend import Launch
from uol.ir.syntax.parser import parse

PLACE = """#include "uol_device.h"
extern "C" __global__ void place(const {c}* x, const {c}* large, int* y)
{{
  if (threadIdx.x == 0) y[0] = (int)((unsigned long long)x % 64);
  if (threadIdx.x == 1) y[1] = (int)((unsigned long long)large % 64);
  if (threadIdx.x == 2) y[2] = (int)((unsigned long long)y % 64);
  if (threadIdx.x == 3) y[3] = (int)x[6];
  if (threadIdx.x == 4) y[4] = (int)large[{last}];
}}
"""


@pytest.mark.parametrize(("dtype", "c"), [("f32", "float"), ("i8", "signed char"), ("f64", "double")])
@pytest.mark.parametrize("checked", [True, False])
def test_tensors_lie_as_far_behind_an_address_for_vectors_as_is_asked(dtype: str, c: str, checked: bool) -> None:
    storage = np.dtype({"f32": np.float32, "i8": np.int8, "f64": np.float64}[dtype])
    many = LARGE // storage.itemsize + 7
    args = (dense("x", dtype, (7,), "in"), dense("large", dtype, (many,), "in"), dense("y", "i32", (5,), "out"))
    built = module("cuda", PLACE.format(c=c, last=many - 1), args, {"place": Launch((1, 1, 1), (32, 1, 1))})
    x, large = np.arange(7, dtype=storage), np.arange(many).astype(storage)
    large[-1] = 77
    runs = execute_many([Job(built, {"x": x, "large": large}, checked=checked, shift=shift) for shift in range(4)])
    for shift, run in enumerate(runs):
        assert not run.findings
        size = shift * storage.itemsize
        assert [at % 16 for at in run.outputs["y"][:3]] == [size % 16, size % 16, 4 * shift]
        assert run.outputs["y"][3:].tolist() == [6, 77]


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize(("op", "dims"), [("relu", {"S": 8}), ("softmax", {"S": 8, "C": 256})])
def test_a_kernel_that_takes_large_accesses_for_granted_is_found_where_tensors_lie_elsewhere(
    op: str, dims: dict[str, int], target: str
) -> None:
    built = uol.compile(op, target, "f32", dims).module
    names = ", ".join(a.name for a in built.graph.args)
    asked = f"uol::is_aligned({names})"
    assert asked in built.device.text
    careless = replace(built, device=replace(built.device, text=built.device.text.replace(asked, "true")))
    buffers = {"x": np.ones([*dims.values()], np.float32)}
    jobs = [Job(each, buffers, shift=shift) for each in (built, careless) for shift in (0, 1)]
    found = [{finding.kind for finding in run.findings} for run in execute_many(jobs)]
    assert found == [set(), set(), set(), {"misaligned"}]


LARGE_TEXT = "op tail(x: T[N, M]) -> (y: T[N, 8]) for T in (f32, i8) where M >= 8 { y[n, k] = x[n, M - 8 + k] }"


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize(
    ("dtype", "rows", "columns", "index"),
    [
        ("f32", 3, 200_000_000, "int"),  # 2.4e9 bytes, more than 2^31
        ("f32", 3, 400_000_000, "int"),  # 4.8e9 bytes, more than 2^32
        ("i8", 3, 800_000_000, "long long"),  # as many elements
        ("i8", 4, 1_200_000_000, "long long"),
    ],
)
def test_buffers_beyond_two_and_four_gigabytes(dtype: str, rows: int, columns: int, index: str, target: str) -> None:
    """Whose last elements 32 bits do not address, in bytes, or not even in elements. Pages of zeros take no memory."""
    (op,) = parse(LARGE_TEXT)
    storage = np.dtype({"f32": np.float32, "i8": np.int8}[dtype])
    x = np.zeros((rows, columns), storage)
    x[:, -8:] = np.arange(rows * 8).reshape(rows, 8)
    fixed = uol.compile(op, target, dtype, {"N": rows, "M": columns})
    assert f"const {index} n = " in fixed.source
    runs = [Job(fixed.module, {"x": x}, shift=1)]
    if index == "int":
        runs.append(Job(uol.compile(op, target, dtype, {"N": None, "M": None}).module, {"x": x}, {"N": rows, "M": columns}))
    for run in execute_many(runs):
        assert not run.findings
        np.testing.assert_array_equal(run.outputs["y"], x[:, -8:])
