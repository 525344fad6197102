"""Products of few rows, or of few columns: right numbers in both twins beside numpy in float64, and which kernels they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from simt_cases import ACCUMULATOR, HALF_ULP, SMALLEST, stored
from turns import asked_for, by_turns

from uol.backends import registry
from uol.backends.simt.products.few_rows.schedule import FewRows, FewRowsByUnits
from uol.backends.twin.record import Job, TwinRun
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Footprint, Module
from uol.codegen.choice import compile_graph, given
from uol.codegen.lowering import lower
from uol.ir import Library, instantiate, parse

TARGETS = ("cuda", "hip")
FLOATS = "for T in (f64, f32, f16, bf16)"
TEXTS = {
    "linear": f"""op linear(x: T[M, K], w: T[N, K], b: T[N]; slope: float = 0.5) -> (y: T[M, N]) {FLOATS} {{
      a[m, n] = sum[k](acc(x[m, k]) * acc(w[n, k]))
      y[m, n] = T(max(a[m, n] + acc(b[n]), slope * (a[m, n] + acc(b[n]))))
    }}""",
    "matmul": f"""op matmul(x: T[B, M, K], w: T[B, K, N], b: T[N]) -> (y: T[B, M, N]) {FLOATS} {{
      y[s, m, n] = T(sum[k](acc(x[s, m, k]) * acc(w[s, k, n])) + acc(b[n]))
    }}""",
    "across": f"""op across(x: T[K, M], w: T[N, K], b: T[N]) -> (y: T[M, N]) {FLOATS} {{
      y[m, n] = T(sum[k](acc(x[k, m]) * acc(w[n, k])) + acc(b[n]))
    }}""",
    "integers": """op integers(x: i8[M, K], w: i8[N, K], b: i32[N]) -> (y: i32[M, N]) {
      y[m, n] = sum[k](i32(x[m, k]) * i32(w[n, k])) + b[n]
    }""",
    "scaled": """op scaled(x: T[M, K], w: i8[N, K], b: f32[N]) -> (y: T[M, N]) for T in (f32, f16) {
      y[m, n] = T(sum[k](f32(x[m, k]) * (f32(w[n, k]) * b[n])))
    }""",
    "itself": f"""op itself(x: T[M, K], b: T[M]) -> (y: T[M, M]) {FLOATS} {{
      y[m, n] = T(sum[k](acc(x[m, k]) * acc(x[n, k])) + acc(b[n]))
    }}""",
}
SHAPES = {
    "linear": ("MK", "NK", "N"),
    "matmul": ("BMK", "BKN", "N"),
    "across": ("KM", "NK", "N"),
    "integers": ("MK", "NK", "N"),
    "itself": ("MK", "MK", "M"),
    "scaled": ("MK", "NK", "N"),
}
SUMS = {
    **{"linear": "mk,nk->mn", "matmul": "bmk,bkn->bmn", "across": "km,nk->mn"},
    **{"integers": "mk,nk->mn", "scaled": "mk,nk->mn", "itself": "mk,nk->mn"},
}
"""What the products are, for numpy's einsum."""


@dataclass(frozen=True, eq=False)
class Case:
    """A product with these sizes; `is_open`: they are arguments of its kernels. `strides` of tensors that are not dense;
    `shift`: elements by which tensors lie behind an address for whole accesses; `wide`: sums that are exact in f32 alone."""

    op: str
    dims: Mapping[str, int]
    dtype: str = "f16"
    is_open: bool = False
    strides: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    shift: int = 0
    wide: bool = False

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.dims.values()))
        more = "".join(f"-{word}" for word, holds in (("open", self.is_open), ("wide", self.wide)) if holds)
        places = f"{'-pitch' if self.strides else ''}{f'-by{self.shift}' if self.shift else ''}"
        return f"{self.op}-{sizes}-{self.dtype}{more}{places}"


def cases() -> Iterator[Case]:
    for m in (1, 2, 7, 16):
        yield Case("linear", {"M": m, "K": 264, "N": 37})
        yield Case("matmul", {"B": 2, "M": m, "K": 72, "N": 40})
    for dtype in ("f64", "f32", "bf16"):
        yield Case("linear", {"M": 3, "K": 520, "N": 21}, dtype)
        yield Case("matmul", {"B": 3, "M": 5, "K": 37, "N": 48}, dtype)
    yield from (Case("linear", {"M": m, "K": 136, "N": n}, "f32") for m, n in ((5, 1), (1, 1), (40, 3), (33, 16)))
    yield from (Case("matmul", {"B": 1, "M": 40, "K": 65, "N": n}) for n in (1, 4, 11))  # few columns, of which rows are long
    yield from (Case("linear", {"M": 4, "K": k, "N": 19}) for k in (2, 3, 33, 100, 4095))  # tails of k, and odd pitches
    yield from (Case("matmul", {"B": 1, "M": 4, "K": 99, "N": n}) for n in (17, 20, 22))  # tails of n
    yield from (Case("scaled", {"M": m, "K": k, "N": 21}) for m, k in ((1, 272), (6, 136), (13, 77)))  # weights of int8
    yield from cases_of_units()
    yield Case("across", {"M": 6, "K": 130, "N": 24})
    yield Case("integers", {"M": 6, "K": 131, "N": 24}, "i8")
    yield Case("integers", {"M": 16, "K": 256, "N": 24}, "i8")
    yield Case("linear", {"M": 3, "K": 64, "N": 20}, strides={"w": (72, 1), "x": (65, 1)})
    yield Case("linear", {"M": 3, "K": 64, "N": 20}, strides={"w": (1, 24)})
    yield Case("linear", {"M": 3, "K": 264, "N": 20}, shift=1)
    yield Case("matmul", {"B": 1, "M": 3, "K": 64, "N": 40}, shift=3)
    yield from (Case("linear", {"M": 2, "K": 18432, "N": 5}, dtype, wide=True) for dtype in ("f16", "bf16"))
    yield from (Case("matmul", {"B": 1, "M": 3, "K": 18432, "N": 16}, dtype, wide=True) for dtype in ("f16", "bf16"))


def cases_of_units() -> Iterator[Case]:
    """Five to sixteen rows or columns of 16-bit elements: one fragment and two, with tails of rows, columns and terms, of
    tensors at addresses for whole accesses, and beside them."""
    for dtype in ("f16", "bf16"):
        yield from (Case("linear", {"M": m, "K": 264, "N": n}, dtype) for m, n in ((5, 64), (8, 33), (13, 17)))
        yield from (Case("matmul", {"B": 2, "M": m, "K": 72, "N": n}, dtype) for m, n in ((6, 64), (8, 34), (15, 76)))
    yield from (Case("linear", {"M": 40, "K": 40, "N": n}) for n in (5, 12, 16))
    yield Case("matmul", {"B": 1, "M": 48, "K": 96, "N": 8})
    yield Case("linear", {"M": 7, "K": 104, "N": 20}, shift=1)
    yield Case("matmul", {"B": 2, "M": 9, "K": 40, "N": 24}, shift=4)
    yield Case("linear", {"M": 7, "K": 64, "N": 20}, strides={"w": (72, 1), "x": (96, 1)})
    yield Case("itself", {"M": 9, "K": 64})
    yield from (Case("linear", {"M": 9, "K": 18432, "N": 5}, dtype, wide=True) for dtype in ("f16", "bf16"))


def open_cases() -> Iterator[Case]:
    """Of one text each: of every kernel that it has for few rows or columns, with tails, whole, and of nothing."""
    few = ((1, 64, 40), (3, 37, 5), (16, 300, 33), (9, 8, 8), (40, 24, 3), (70, 20, 30))
    for m, k, n in (*few, (4, 0, 9), (0, 8, 8), (4, 8, 0)):
        yield Case("linear", {"M": m, "K": k, "N": n}, is_open=True)
        yield Case("matmul", {"B": 2, "M": m, "K": k, "N": n}, is_open=True)
    yield Case("matmul", {"B": 1, "M": 4, "K": 16, "N": 8}, is_open=True, shift=1)


FIXED, OPEN = tuple(cases()), tuple(open_cases())


@cache
def module_of(case: Case | str, target: str) -> Module:
    """Of a case; by the name of its text where sizes are arguments."""
    backend = registry.get(target)
    device = backend.devices[backend.default_device]
    op = case if isinstance(case, str) else case.op
    ops = parse(TEXTS[op])
    types = {} if op == "integers" else {"T": "f16" if isinstance(case, str) else case.dtype}
    dims = {} if isinstance(case, str) else case.dims
    program = instantiate(ops[0], Library(ops), types=types, dims=dims, attrs={})
    strides = {} if isinstance(case, str) else case.strides
    return compile_graph(lower(program, backend, strides, device=device), backend, device)


@cache
def buffers_of(case: Case) -> Mapping[str, NDArray[np.generic]]:
    rng = np.random.default_rng(len(str(case)))
    found: dict[str, NDArray[np.generic]] = {}
    for name, dims in zip("xwb", SHAPES[case.op], strict=True):
        shape = tuple(case.dims[d] for d in dims)
        if case.op == "scaled" and name != "x":
            found[name] = rng.integers(-128, 128, shape).astype(np.int8) if name == "w" else rng.random(shape, np.float32)
        elif case.op == "integers":
            found[name] = rng.integers(-128, 128, shape).astype(np.int32 if name == "b" else np.int8)
        elif case.wide:  # bits enough that no sum of 16, and no product, is exact in a narrower type
            largest = 2.0 ** (11 if case.dtype == "f16" else 8)
            values = rng.integers(-largest, largest, shape) / largest if name == "w" else rng.integers(-1, 2, shape)
            found[name] = stored(values.astype(np.float64), case.dtype)
        else:
            found[name] = stored(rng.standard_normal(shape), case.dtype)
    return {**found, "w": found["x"]} if case.op == "itself" else found


def job_of(case: Case, target: str) -> Job:
    module = module_of(case.op if case.is_open else case, target)
    sizes = dict(case.dims) if case.is_open else {}
    names = {arg.name for arg in module.graph.args}
    buffers = {name: values for name, values in buffers_of(case).items() if name in names}
    return Job(module, buffers, {**sizes, **({"slope": 0.5} if case.op == "linear" else {})}, shift=case.shift)


Runs = Mapping[tuple[str, Case], TwinRun]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Runs:
    """The cases of both targets that are asked for, in one twin each."""
    every = asked_for(request, "test_sums_are_right_and_nothing_is_found", "target", "case")
    found: dict[tuple[str, Case], TwinRun] = {}
    for target in TARGETS:
        own = [each for each in every if each[0] == target]
        found |= dict(zip(own, execute_many([job_of(case, target) for _, case in own]), strict=True))
    return found


def as_floats(values: NDArray[np.generic]) -> NDArray[np.float64]:
    if values.dtype == np.uint16:
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return values.astype(np.float64)


@pytest.mark.parametrize(("target", "case"), by_turns(2, TARGETS, [*FIXED, *OPEN]), ids=str)
def test_sums_are_right_and_nothing_is_found(runs: Runs, target: str, case: Case) -> None:
    run = runs[target, case]
    assert not run.findings, f"{run.findings}\n{run.log}"
    require_right(case, run)


def require_right(case: Case, run: TwinRun) -> None:
    """Sums within what their roundings may make of them."""
    x, w, b = (as_floats(buffers_of(case)[name]) for name in "xwb")
    if case.op == "scaled":
        w, b = w * b[:, None], 0 * b
    exact = np.einsum(SUMS[case.op], x, w) + b
    terms = np.einsum(SUMS[case.op], np.abs(x), np.abs(w)) + np.abs(b)
    expected = np.maximum(exact, 0.5 * exact) if case.op == "linear" else exact
    if case.op == "integers":
        assert np.array_equal(run.outputs["y"], exact)
        return
    sums = 0.0 if case.wide else case.dims["K"] * ACCUMULATOR[case.dtype] * terms
    bound = HALF_ULP[case.dtype] * np.abs(expected) * 1.001 + SMALLEST[case.dtype]
    bound += 2 * sums + 4 * ACCUMULATOR[case.dtype] * terms
    found = as_floats(run.outputs["y"])
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= bound).all(), np.abs(found - expected).max(initial=0)


EVERY = (
    Case("linear", {"M": 13, "K": 72, "N": 37}),
    Case("matmul", {"B": 2, "M": 11, "K": 40, "N": 24}),
    Case("linear", {"M": 40, "K": 24, "N": 8}, shift=1),
)


@pytest.mark.parametrize("target", TARGETS)
def test_every_schedule_gives_right_sums(target: str) -> None:
    """The cases on matrix units, all of them, and every sixth of the others."""
    backend = registry.get(target)
    device = backend.devices[backend.default_device]
    jobs: list[tuple[Case, Job]] = []
    for case in EVERY:
        (spec,) = module_of(case, target).graph.specs
        fitting = [s for s in backend.schedules(spec, device) if isinstance(backend.check(spec, s, device), Footprint)]
        found = [s for s in fitting if isinstance(s, FewRows | FewRowsByUnits)]
        units = [s for s in found if isinstance(s, FewRowsByUnits)]
        assert len(units) >= 6
        for schedule in (*units, *[s for s in found if isinstance(s, FewRows)][::6]):
            module = compile_graph(module_of(case, target).graph, backend, device, given(schedule))
            jobs.append((case, replace(job_of(case, target), module=module)))
    for (case, job), run in zip(jobs, execute_many([job for _, job in jobs]), strict=True):
        schedule = job.module.kernels[0].schedule
        assert not run.findings, f"{schedule}: {run.findings}\n{run.log}"
        require_right(case, run)


@pytest.mark.parametrize("target", TARGETS)
def test_few_rows_or_columns_have_kernels_of_their_own(target: str) -> None:
    for case in FIXED:
        kernel, *_ = module_of(case, target).kernels  # perhaps of parts of the terms, and then their sums
        assert isinstance(kernel.schedule, FewRows | FewRowsByUnits), case
    by_units = {c.dims["M"] for c in FIXED if isinstance(module_of(c, target).kernels[0].schedule, FewRowsByUnits)}
    assert by_units >= {8, 9, 15, 16, 40}
    for op in ("linear", "matmul"):
        module = module_of(op, target)
        assert len(module.kernels) <= 6
        assert sum(isinstance(kernel.schedule, FewRows) for kernel in module.kernels) >= 3
