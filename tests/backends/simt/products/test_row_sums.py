"""Sums of a factor's rows beside a product on matrix units: exact integers against numpy, in the twin of both targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from simt_cases import widened
from turns import by_turns

from uol.backends import registry
from uol.backends.cpu.oracle import oracle
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.splitting import uneven_products
from uol.backends.simt.rows.schedule import BlockPerRow, RowSchedule, ThreadPerRow
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Footprint, Module
from uol.codegen.choice import choose, compile_graph
from uol.codegen.contractions.row_sums import with_row_sums
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Contract, KernelSpec, Reduce
from uol.compilation.request import resolve_target
from uol.ir import Library, instantiate, parse
from uol.ir.program.dtype_encoding import encode

TILES = 2
"""Of those that a spec may have, the first; and the largest."""
LAYER = """op layer_grad(x: T[B, P, K], w: T[N, K], dy: T[B, P, N]) -> (dx: T[B, P, K], dw: T[N, K], db: T[N])
    for T in (f16, bf16) {
  dx[i, p, k] = T(sum[n](acc(dy[i, p, n]) * acc(w[n, k])))
  dw[n, k] = T(sum[i, p](acc(dy[i, p, n]) * acc(x[i, p, k])))
  db[n] = T(sum[i, p](acc(dy[i, p, n])))
}"""
"""The gradient of a linear layer as the library derives it."""
SIZES = {"B": 12, "P": 52, "K": 64, "N": 72}


@dataclass(frozen=True)
class Form:
    """`lies`: the axes of both factors."""

    name: str
    dtype: str
    lies: tuple[str, str]
    dims: dict[str, int]
    shift: int = 0

    @property
    def text(self) -> str:
        left, right = self.lies
        over = ", ".join(axis for axis in left if axis != "m")
        of = [f"{self.dtype}[{', '.join(axes.upper())}]" for axes in self.lies]
        a, b = (f"acc({name}[{', '.join(axes)}])" for name, axes in zip("ab", self.lies, strict=True))
        return (
            f"op f(a: {of[0]}, b: {of[1]}) -> (y: f32[M, N], s: f32[M]) {{\n"
            f"  y[m, n] = sum[{over}]({a} * {b})\n"
            f"  s[m] = 3 * sum[{over}]({a})\n}}"
        )

    def inputs(self) -> dict[str, Array]:
        rng = np.random.default_rng(len(self.name))
        shapes = ([self.dims[axis.upper()] for axis in axes] for axes in self.lies)
        values = (rng.integers(-4, 5, shape).astype(np.float64) for shape in shapes)
        return {name: encode(value, self.dtype) for name, value in zip("ab", values, strict=True)}

    def expected(self, inputs: dict[str, Array]) -> tuple[np.ndarray, np.ndarray]:
        left, right = self.lies
        a, b = (widened(inputs[name], self.dtype) for name in "ab")
        return np.einsum(f"{left},{right}->mn", a, b), 3 * np.einsum(f"{left}->m", a)


FORMS = (
    Form("from row to row", "f16", ("km", "kn"), {"M": 72, "N": 136, "K": 200}),
    Form("along k", "f16", ("mk", "nk"), {"M": 40, "N": 24, "K": 104}),
    Form("of bf16", "bf16", ("mk", "kn"), {"M": 40, "N": 24, "K": 112}),
    Form("of one tile", "f16", ("km", "nk"), {"M": 8, "N": 8, "K": 16}),
    Form("in pieces", "f16", ("ipm", "inp"), {"M": 72, "N": 40, "I": 5, "P": 28}),
    Form("unaligned", "f16", ("km", "kn"), {"M": 40, "N": 24, "K": 72}, shift=1),
)
TARGETS = ("cuda", "hip")


def graph_of(form: Form, target: str, monkeypatch: pytest.MonkeyPatch) -> KernelGraph:
    """With the sums beside the product, in as many parts as `alternatives` says."""

    def estimate(self: SimtBackend, spec: KernelSpec, device: object) -> float:
        return 1 if isinstance(spec, Contract) and spec.sums else 9

    monkeypatch.setattr(SimtBackend, "estimate", estimate)
    ops = parse(form.text)
    backend = registry.get(target)
    return lower(instantiate(ops[0], Library(ops), dims=form.dims, types={}), backend, {})


def jobs_of(form: Form, target: str, graph: KernelGraph) -> list[Job]:
    """The product with each of some tiles."""
    backend = registry.get(target)
    assert isinstance(backend, SimtBackend)
    device = backend.devices[backend.default_device]
    product, *others = graph.specs
    tiles = [tile for tile in backend.schedules(product, device) if isinstance(tile, MatrixTile)]
    assert tiles
    rest = [backend.render(spec, choose(spec, backend, device), device) for spec in others]
    some = dict.fromkeys((*tiles[:TILES], max(tiles, key=lambda tile: tile.warp_m * tile.warp_n)))
    kernels = ([backend.render(product, tile, device), *rest] for tile in some)
    return [Job(backend.assemble(graph, tuple(each), device), form.inputs(), {}, shift=form.shift) for each in kernels]


@pytest.mark.parametrize("target", TARGETS)
def test_sums_of_rows_beside_a_product(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimtBackend, "alternatives", lambda self, spec, device: ())
    jobs, forms = [], []
    for form in FORMS:
        graph = graph_of(form, target, monkeypatch)
        assert [type(spec) for spec in graph.specs] == [Contract]
        found = jobs_of(form, target, graph)
        jobs += found
        forms += [form] * len(found)
    check(forms, jobs)


@pytest.mark.parametrize("target", TARGETS)
def test_sums_of_rows_beside_parts_of_a_product(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one length, but for the last; one kernel adds up the parts of both."""

    def ways(self: SimtBackend, spec: KernelSpec, device: object) -> list[tuple[KernelSpec, ...]]:
        return list(uneven_products(spec, device)) if isinstance(spec, Contract) and spec.sums else []

    monkeypatch.setattr(SimtBackend, "alternatives", ways)
    form = Form("in parts", "f16", ("km", "kn"), {"M": 40, "N": 24, "K": 1001})
    ops = parse(form.text)
    backend = registry.get(target)
    monkeypatch.setattr(
        SimtBackend, "estimate", lambda self, spec, device: 9 * (isinstance(spec, Contract) and not spec.batch) + 1
    )
    graph = lower(instantiate(ops[0], Library(ops), dims=form.dims, types={}), backend, {})
    assert [type(spec) for spec in graph.specs] == [Contract, Reduce]
    jobs = jobs_of(form, target, graph)
    check([form] * len(jobs), jobs)
    others = [with_rows_by(schedule, job.module, target) for job in jobs[:1] for schedule in SHARED[target]]
    check([form] * len(others), [Job(module, form.inputs(), {}, shift=form.shift) for module in others])


SHARED: dict[str, tuple[RowSchedule, ...]] = {
    "cuda": (ThreadPerRow(96), ThreadPerRow(96, 2), BlockPerRow(32), BlockPerRow(64, 16)),
    "hip": (ThreadPerRow(192), ThreadPerRow(192, 2), BlockPerRow(64), BlockPerRow(128, 16)),
}
"""A row a thread, two neighbours, a block a row, several rows of a block."""


def with_rows_by(schedule: RowSchedule, module: Module, target: str) -> Module:
    """The module with another schedule for the kernel that adds up parts. Did all rows of one m store its sum, the twin would
    see them race."""
    backend = registry.get(target)
    assert isinstance(backend, SimtBackend)
    device = backend.devices[backend.default_device]
    product, total = module.kernels
    assert isinstance(backend.check(total.spec, schedule, device), Footprint)
    return backend.assemble(module.graph, (product, backend.render(total.spec, schedule, device)), device)


def check(forms: list[Form], jobs: list[Job]) -> None:
    for form, job, run in zip(forms, jobs, execute_many(jobs), strict=True):
        assert not run.findings, f"{form.name}: {run.findings}\n{job.module.device.text}"
        for name, right in zip("ys", form.expected(form.inputs()), strict=True):
            assert np.array_equal(widened(run.outputs[name], "f64"), right), f"{form.name}, {name}\n{job.module.device.text}"


@pytest.mark.parametrize("target", TARGETS)
def test_subnormal_terms_are_summed(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a matrix unit takes them for."""
    monkeypatch.setattr(SimtBackend, "alternatives", lambda self, spec, device: ())
    form = Form("subnormal", "f16", ("km", "kn"), {"M": 8, "N": 8, "K": 24})
    job, *_ = jobs_of(form, target, graph_of(form, target, monkeypatch))
    given = form.inputs()
    a = widened(given["a"], "f64") * 2.0**-24
    (run,) = execute_many([Job(job.module, {**given, "a": encode(a, "f16")})])
    assert not run.findings, run.findings
    assert np.array_equal(run.outputs["s"], 3 * a.sum(0))


def test_the_oracle_knows_sums_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimtBackend, "alternatives", lambda self, spec, device: ())
    for form in FORMS[:3]:
        graph, inputs = graph_of(form, "cuda", monkeypatch), form.inputs()
        assert any(isinstance(spec, Contract) and spec.sums for spec in graph.specs)
        found = oracle.run(graph, inputs)
        for name, right in zip("ys", form.expected(inputs), strict=True):
            assert np.array_equal(widened(found[name], "f64"), right), f"{form.name}, {name}"


@pytest.mark.parametrize(
    ("on", "across"),
    by_turns(2, [("cuda:a100", "f16"), ("hip:mi250x", "bf16"), ("hip:mi250x", "f16")], [False, True]),
)
def test_a_layer_s_gradient_is_that_of_autograd(on: tuple[str, str], across: bool) -> None:
    """With the kernels that a call gets; tokens [n, p] of pictures [n, c, p] lie along no one step."""
    (target, dtype), (b, p, k, n) = on, SIZES.values()
    found = resolve_target(target)
    layouts = {"x": (p * k, 1, p)} if across else {}
    ops = parse(LAYER)
    program = instantiate(ops[0], Library(ops), dims=SIZES, types={"T": dtype})
    graph = lower(program, found.backend, layouts, device=found.device)
    assert any(isinstance(spec, Contract) and spec.sums for spec in graph.specs)
    module = compile_graph(graph, found.backend, found.device)
    assert {type(kernel.schedule) for kernel in module.kernels if isinstance(kernel.spec, Contract)} == {MatrixTile}
    rng = np.random.default_rng(7)
    shapes = {"x": (b, p, k), "w": (n, k), "dy": (b, p, n)}
    values = {name: rng.integers(-2, 3, shape).astype(np.float64) for name, shape in shapes.items()}
    (run,) = execute_many([Job(module, {name: encode(value, dtype) for name, value in values.items()})])
    assert not run.findings, run.findings
    x, w, dy = (torch.from_numpy(values[name]) for name in shapes)
    leaves = [leaf.requires_grad_() for leaf in (x, w, torch.zeros(n, dtype=torch.float64))]
    torch.nn.functional.linear(*leaves).backward(dy)
    for name, leaf in zip(("dx", "dw", "db"), leaves, strict=True):
        assert leaf.grad is not None
        assert np.array_equal(run.outputs[name], encode(leaf.grad.numpy(), dtype)), name


APART = {
    "of the other factor": "y[m, n] = sum[k](acc(a[k, m]) * acc(b[k, n]))\n  s[n] = sum[k](acc(b[k, n]))",
    "of squares": "y[m, n] = sum[k](acc(a[k, m]) * acc(b[k, n]))\n  s[m] = sum[k](acc(a[k, m]) * acc(a[k, m]))",
    "of fewer terms": "y[m, n] = sum[k](acc(a[k, m]) * acc(b[k, n]))\n  s[m] = sum[k < 40](acc(a[k, m]))",
    "the greatest": "y[m, n] = sum[k](acc(a[k, m]) * acc(b[k, n]))\n  s[m] = max[k](acc(a[k, m]))",
}


@pytest.mark.parametrize("name", APART)
def test_what_does_not_go_along(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    length = "N" if "s[n]" in APART[name] else "M"
    ops = parse(f"op f(a: f16[K, M], b: f16[K, N]) -> (y: f32[M, N], s: f32[{length}]) {{\n  {APART[name]}\n}}")
    program = instantiate(ops[0], Library(ops), dims={"M": 64, "N": 64, "K": 64}, types={})
    specs = lower(program, registry.get("cuda"), {}).specs
    assert not any(isinstance(spec, Contract) and spec.sums for spec in specs)
    assert not any(with_row_sums(one, other) for one in specs for other in specs)
