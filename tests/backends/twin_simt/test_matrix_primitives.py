"""Fragments and arithmetic of matrix units in the twin, against tables from the vendors' documents and products by numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hand_written import dense, module
from numpy.typing import NDArray

from uol.backends.twin import TwinRun, execute, execute_many
from uol.backends.twin.record import Job
from uol.codegen.backend import Launch, Module

Owner = Callable[[Any, Any], tuple[Any, Any]]
"""Row and column of the element that a lane holds under a number, the lower bits of a register first."""
Array = NDArray[Any]


def mma_d(lane: Any, i: Any) -> tuple[Any, Any]:
    """PTX ISA, accumulators of every m16n8: groupID for c0, c1, groupID + 8 for c2, c3; threadID_in_group * 2 + (i & 1)."""
    return lane // 4 + 8 * (i >= 2), lane % 4 * 2 + (i & 1)


@dataclass(frozen=True)
class Form:
    """A product m x n x k: elements of a lane in a, b and d, and who owns what."""

    name: str
    backend: str
    shape: tuple[int, int, int]
    elements: tuple[int, int, int]
    a: Owner
    b: Owner
    d: Owner

    @property
    def dtype(self) -> str:
        return self.name.rpartition("_")[2]

    @property
    def lanes(self) -> int:
        return 32 if self.backend == "cuda" else 64


def mma(dtype: str, k: int, elements: tuple[int, int, int], a: Owner, b: Owner) -> Form:
    return Form(f"mma_16x8x{k}_{dtype}", "cuda", (16, 8, k), elements, a, b, mma_d)


HALVES = (  # PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type"
    lambda lane, i: (lane // 4 + 8 * ((i & 2) != 0), lane % 4 * 2 + (i & 1) + 8 * (i >= 4)),
    lambda lane, i: (lane % 4 * 2 + (i & 1) + 8 * (i >= 2), lane // 4),
)
TF32 = (  # PTX ISA, "Matrix Fragments for mma.m16n8k8", .tf32: a0 and a2 of groupID, a1 and a3 of groupID + 8
    lambda lane, i: (lane // 4 + 8 * ((i == 1) | (i == 3)), lane % 4 + 4 * (i >= 2)),
    lambda lane, i: (lane % 4 + 4 * (i == 1), lane // 4),
)
BYTES = (  # PTX ISA, "Matrix Fragments for mma.m16n8k32", .s8
    lambda lane, i: (lane // 4 + 8 * (((i >= 4) & (i < 8)) | (i >= 12)), lane % 4 * 4 + (i & 3) + 16 * (i >= 8)),
    lambda lane, i: (lane % 4 * 4 + (i & 3) + 16 * (i >= 4), lane // 4),
)


def mfma(dtype: str, m: int, k: int, together: int) -> Form:
    """CDNA2 instruction set architecture: a[i = lane % m][k = together * (lane / m) + n], b likewise; d of 32 x 32 has row
    8 (n / 4) + 4 (lane / 32) + n % 4, d of 16 x 16 row 4 (lane / 16) + n."""
    rows = (
        (lambda lane, n: (8 * (n // 4) + 4 * (lane // 32) + n % 4, lane % 32))
        if m == 32
        else lambda lane, n: (4 * (lane // 16) + n, lane % 16)
    )
    return Form(
        f"mfma_{m}x{m}x{k}_{dtype}",
        "hip",
        (m, m, k),
        (together, together, m * m // 64),
        lambda lane, n: (lane % m, together * (lane // m) + n),
        lambda lane, n: (together * (lane // m) + n, lane % m),
        rows,
    )


FORMS = [
    mma("f16", 16, (8, 4, 4), *HALVES),
    mma("bf16", 16, (8, 4, 4), *HALVES),
    mma("tf32", 8, (4, 2, 4), *TF32),
    mma("i8", 32, (16, 8, 4), *BYTES),
    *(mfma(dtype, m, k, 4) for dtype in ("f16", "bf16") for m, k in ((32, 8), (16, 16))),
    mfma("f32", 32, 2, 1),
    mfma("f32", 16, 4, 1),
    mfma("i8", 32, 8, 4),
    mfma("i8", 16, 16, 4),
]

LITERAL = {
    # the figures of the PTX ISA: form, operand, lane, element -> row, column
    ("mma_16x8x16_f16", "a", 0): [(0, 0), (0, 1), (8, 0), (8, 1), (0, 8), (0, 9), (8, 8), (8, 9)],
    ("mma_16x8x16_f16", "a", 31): [(7, 6), (7, 7), (15, 6), (15, 7), (7, 14), (7, 15), (15, 14), (15, 15)],
    ("mma_16x8x16_f16", "b", 5): [(2, 1), (3, 1), (10, 1), (11, 1)],
    ("mma_16x8x16_f16", "d", 6): [(1, 4), (1, 5), (9, 4), (9, 5)],
    ("mma_16x8x8_tf32", "a", 5): [(1, 1), (9, 1), (1, 5), (9, 5)],
    ("mma_16x8x8_tf32", "b", 7): [(3, 1), (7, 1)],
    ("mma_16x8x32_i8", "a", 9): [
        *((2, k) for k in range(4, 8)),
        *((10, k) for k in range(4, 8)),
        *((2, k) for k in range(20, 24)),
        *((10, k) for k in range(20, 24)),
    ],
    ("mma_16x8x32_i8", "b", 31): [*((k, 7) for k in range(12, 16)), *((k, 7) for k in range(28, 32))],
    # AMD's matrix instruction calculator, and the CDNA2 ISA
    ("mfma_32x32x8_f16", "a", 33): [(1, 4), (1, 5), (1, 6), (1, 7)],
    ("mfma_32x32x8_f16", "d", 33): [*((r, 1) for r in (4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31))],
    ("mfma_16x16x16_f16", "b", 17): [(4, 1), (5, 1), (6, 1), (7, 1)],
    ("mfma_16x16x16_f16", "d", 50): [(12, 2), (13, 2), (14, 2), (15, 2)],
    ("mfma_32x32x2_f32", "a", 40): [(8, 1)],
    ("mfma_16x16x4_f32", "b", 63): [(3, 15)],
    ("mfma_16x16x16_i8", "a", 31): [(15, 4), (15, 5), (15, 6), (15, 7)],
}

TEXT = """#include "uol_device.h"
#include "uol_matrix.h"

extern "C" __global__ void __launch_bounds__(64) product(
    const {part}* __restrict__ a, const {part}* __restrict__ b, const {sum}* __restrict__ d, {sum}* __restrict__ y)
{{
  const int t = threadIdx.x;
  {part} left[{a}];
  {part} right[{b}];
  {sum} sums[{d}];
  for (int i = 0; i < {a}; ++i) left[i] = a[t * {a} + i];
  for (int i = 0; i < {b}; ++i) right[i] = b[t * {b} + i];
  for (int i = 0; i < {d}; ++i) sums[i] = d[t * {d} + i];
  uol::{name}(sums, left, right);
  for (int i = 0; i < {d}; ++i) y[t * {d} + i] = sums[i];
}}
"""
BITS = {"f16": 16, "bf16": 16, "tf32": 32, "f32": 32, "i8": 8}


def registers(form: Form) -> tuple[int, int, int]:
    a, b, d = form.elements
    return a * BITS[form.dtype] // 32, b * BITS[form.dtype] // 32, d


def module_of(form: Form) -> Module:
    a, b, d = registers(form)
    part, total = ("float" if form.dtype == "f32" else "unsigned"), ("int" if form.dtype == "i8" else "float")
    text = TEXT.format(part=part, sum=total, a=a, b=b, d=d, name=form.name)
    kinds = ("f32" if form.dtype == "f32" else "i32", "i32" if form.dtype == "i8" else "f32")
    sizes = [("a", kinds[0], a, "in"), ("b", kinds[0], b, "in"), ("d", kinds[1], d, "in"), ("y", kinds[1], d, "out")]
    buffers = [dense(name, dtype, (form.lanes, size), role) for name, dtype, size, role in sizes]
    return module(form.backend, text, buffers, {"product": Launch((1, 1, 1), (form.lanes, 1, 1))})


def bits_of(values: Array, dtype: str) -> Array:
    """Elements as they lie in registers."""
    match dtype:
        case "f16":
            return values.astype(np.float16).view(np.uint16)
        case "bf16":
            return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        case "i8":
            return values.astype(np.int8).view(np.uint8)
    return values.astype(np.float32)


def fragment(matrix: Array, owner: Owner, lanes: int, elements: int) -> Array:
    """What each lane holds of a matrix."""
    lane, i = np.meshgrid(np.arange(lanes), np.arange(elements), indexing="ij")
    found: Array = np.ascontiguousarray(matrix[owner(lane, i)])
    return found


def job_of(form: Form, a: Array, b: Array, d: Array) -> Job:
    """A product of whole matrices, which are dealt out to lanes by the form's tables."""
    words = np.float32 if form.dtype == "f32" else np.int32
    parts = [
        fragment(bits_of(matrix, form.dtype), owner, form.lanes, elements).view(words)
        for matrix, owner, elements in ((a, form.a, form.elements[0]), (b, form.b, form.elements[1]))
    ]
    sums = fragment(d, form.d, form.lanes, form.elements[2]).astype(np.int32 if form.dtype == "i8" else np.float32)
    return Job(module_of(form), {"a": parts[0], "b": parts[1], "d": sums})


def result_of(form: Form, run: TwinRun) -> Array:
    """The sums as a matrix."""
    assert not run.findings, [str(f) for f in run.findings]
    m, n, _ = form.shape
    found = np.full((m, n), np.nan)
    lane, i = np.meshgrid(np.arange(form.lanes), np.arange(form.elements[2]), indexing="ij")
    found[form.d(lane, i)] = run.outputs["y"]
    return found


def whole_numbers(form: Form) -> tuple[Array, Array, Array]:
    """Whose products and sums are exact in every type."""
    random = np.random.default_rng(len(form.name))
    m, n, k = form.shape
    return tuple(random.integers(-9, 10, shape).astype(np.float64) for shape in ((m, k), (k, n), (m, n)))  # type: ignore[return-value]  # three


@pytest.fixture(scope="module")
def exact_runs() -> dict[str, TwinRun]:
    runs = execute_many([job_of(form, *whole_numbers(form)) for form in FORMS])
    return {form.name: run for form, run in zip(FORMS, runs, strict=True)}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_product_is_numpy_s(exact_runs: dict[str, TwinRun], form: Form) -> None:
    a, b, d = whole_numbers(form)
    np.testing.assert_array_equal(result_of(form, exact_runs[form.name]), a @ b + d)
    m, n, k = form.shape
    assert exact_runs[form.name].counts[f"matrix operations {form.dtype}"] == 2 * m * n * k


@pytest.mark.parametrize(("name", "operand", "lane"), LITERAL)
def test_owners_are_those_of_the_documents(name: str, operand: str, lane: int) -> None:
    form = next(form for form in FORMS if form.name == name)
    owner: Owner = getattr(form, operand)
    expected = LITERAL[name, operand, lane]
    assert [owner(lane, i) for i in range(len(expected))] == expected
    assert len(expected) == form.elements["abd".index(operand)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_element_has_one_owner(form: Form) -> None:
    m, n, k = form.shape
    shapes = {"a": (m, k), "b": (k, n), "d": (m, n)}
    for (operand, shape), elements in zip(shapes.items(), form.elements, strict=True):
        owner: Owner = getattr(form, operand)
        places = {owner(lane, i) for lane in range(form.lanes) for i in range(elements)}
        assert places == {(row, col) for row in range(shape[0]) for col in range(shape[1])}
        assert form.lanes * elements == shape[0] * shape[1]


def one_sum(name: str, a: list[float], b: list[float], d: float) -> float:
    """The upper left sum of a product whose first row and first column are given."""
    form = next(form for form in FORMS if form.name == name)
    m, n, k = form.shape
    left, right, sums = np.zeros((m, k)), np.zeros((k, n)), np.zeros((m, n))
    left[0, : len(a)], right[: len(b), 0], sums[0, 0] = a, b, d
    job = job_of(form, left, right, sums)
    return float(result_of(form, execute(job.module, job.buffers))[0, 0])


TINY = 2.0**-13
"""Its square lies below the last of 24 bits behind a leading one."""

SUMS = {
    "what lies below 24 bits is dropped, however much it is": ("mma_16x8x16_f16", [TINY] * 8, [TINY / 2] * 8, 1.0, 1.0),
    "in bf16, too": ("mma_16x8x16_bf16", [TINY] * 8, [TINY / 2] * 8, 1.0, 1.0),
    "towards zero, of both signs": ("mma_16x8x16_f16", [TINY] * 8, [-TINY / 2] * 8, -1.0, -1.0),
    "a group of eight is added first": ("mma_16x8x16_f16", [TINY] * 8 + [1.0], [TINY] * 8 + [1.0], 0.0, 1 + 2.0**-23),
    "in one group it is dropped": ("mma_16x8x16_f16", [1.0] + [TINY] * 7, [1.0] + [TINY / 2] * 7, 0.0, 1.0),
    "of tf32 it is four": ("mma_16x8x8_tf32", [TINY] * 4 + [1.0], [2 * TINY] * 4 + [1.0], 0.0, 1 + 2.0**-23),
    "tf32 has ten bits behind the first": ("mma_16x8x8_tf32", [1 + 2.0**-11], [1.0], 0.0, 1.0),
    "and no fewer": ("mma_16x8x8_tf32", [1 + 2.0**-10], [1.0], 0.0, 1 + 2.0**-10),
    "subnormal f16 are numbers": ("mma_16x8x16_f16", [2.0**-24], [2.0**-24], 0.0, 2.0**-48),
    "infinity stays": ("mma_16x8x16_f16", [np.inf], [1.0], -1.0, np.inf),
    "greater than f32": ("mma_16x8x16_bf16", [2.0**127, 2.0**127], [1.0, 1.0], 0.0, np.inf),
    "integers wrap": ("mma_16x8x32_i8", [127.0], [127.0], 2.0**31 - 1, -(2.0**31) + 127 * 127 - 1),
    "gfx90a takes subnormal f16 for zero": ("mfma_32x32x8_f16", [2.0**-15, 1.0], [1.0, 1.0], 0.0, 1.0),
    "16 x 16, too": ("mfma_16x16x16_f16", [2.0**-15, 1.0], [1.0, 1.0], 0.0, 1.0),
    "not normal ones": ("mfma_32x32x8_f16", [2.0**-14, 1.0], [1.0, 1.0], 0.0, 1 + 2.0**-14),
    "bf16, too": ("mfma_32x32x8_bf16", [2.0**-127], [2.0**100], 0.0, 0.0),
    "and subnormal sums": ("mfma_32x32x8_bf16", [2.0**-100], [2.0**-30], 0.0, 0.0),
    "and sums before": ("mfma_16x16x16_bf16", [0.0], [0.0], 2.0**-130, 0.0),
    "f32 keeps them": ("mfma_32x32x2_f32", [2.0**-130], [1.0], 2.0**-131, 2.0**-130 + 2.0**-131),
    "gfx90a rounds to nearest": ("mfma_32x32x2_f32", [1.0, 2.0**-24], [1.0, 1.5], 0.0, 1 + 2.0**-23),
}


@pytest.mark.parametrize("case", SUMS)
def test_sums_are_rounded_as_the_machine_rounds_them(case: str) -> None:
    name, a, b, d, expected = SUMS[case]
    assert one_sum(name, a, b, d) == expected
