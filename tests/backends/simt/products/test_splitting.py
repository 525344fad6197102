"""Split-K: products of few tiles as sums over parts of their terms, where these take less time by the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from turns import by_turns

import uol
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.splitting import uneven_products
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Job
from uol.backends.twin.run import execute_many
from uol.binding.named_binding import bind_open_names
from uol.codegen.choice import choose, compile_graph
from uol.codegen.cost import modelled
from uol.codegen.extensions import AlternativesBackend
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Contract, KernelSpec, Reduce
from uol.codegen.specs.traverse import reads
from uol.compilation.pipeline import program_of
from uol.compilation.request import Request, Target, resolve_target
from uol.ir import Library, instantiate, parse
from uol.operators.registry import find_operator

TARGETS = ("cuda:a100", "hip:mi250x")
DEEP = {"S": 1, "M": 40, "K": 8192, "N": 48}


def specs(op: str, target: str, dims: Mapping[str, int], attrs: Mapping[str, int] | None = None) -> tuple[KernelSpec, ...]:
    return uol.compile(op, target, "f32", dims, attrs=attrs).module.graph.specs


@pytest.mark.parametrize("target", TARGETS)
def test_a_product_of_few_tiles_and_many_terms_is_in_parts(target: str) -> None:
    product, total = specs("matmul", target, DEEP)
    assert isinstance(product, Contract)
    assert isinstance(total, Reduce)
    assert product.batch[0] == total.cols[0]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("sizes", [(4096, 4096, 4096), (40, 256, 48), (40, 8191, 48)])
def test_one_of_many_tiles_or_of_few_terms_is_not(target: str, sizes: tuple[int, int, int]) -> None:
    assert len(specs("matmul", target, dict(zip("SMKN", (1, *sizes), strict=True)))) == 1


@pytest.mark.parametrize(("terms", "name"), by_turns(2, [512, 1024, 4096, 16384], TARGETS))
def test_the_fastest_way_is_taken(name: str, terms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    target = resolve_target(name)
    dims = {"S": 1, "M": 128, "K": terms, "N": 128}
    whole = contract(target, dims, monkeypatch)
    backend, device = target.backend, target.device
    assert isinstance(backend, AlternativesBackend)
    ways = [(whole,), *backend.alternatives(whole, device)]
    assert len(ways) > 1
    times = [sum(backend.estimate(spec, device) for spec in way) for way in ways]
    assert specs("matmul", name, dims) == ways[times.index(min(times))]
    if terms >= 4096:  # by the counts of their texts, too
        read = [sum(modelled(spec, choose(spec, backend, device), backend, device).seconds for spec in way) for way in ways]
        assert read[times.index(min(times))] <= 1.1 * min(read)


def contract(target: Target, dims: Mapping[str, int], monkeypatch: pytest.MonkeyPatch) -> Contract:
    """A product as it is where there are no alternatives."""
    with monkeypatch.context() as patched:
        patched.setattr(SimtBackend, "alternatives", lambda self, spec, device: ())
        request = Request(bind_open_names(find_operator("matmul"), "f32", dims, {}), target)
        (spec,) = lower(program_of(request), target.backend, device=target.device).specs
    assert isinstance(spec, Contract)
    return spec


GRADIENT = """op weights_grad(x: f32[N, C, H, W], dy: f32[N, O, H, W]) -> (dw: f32[O, C, 3, 3]) {
  dw[o, c, r, s] = sum[n, p, q]((x[n, c, p + r - 1, q + s - 1] else 0) * dy[n, o, p, q])
}"""


@pytest.mark.parametrize("target", TARGETS)
def test_sums_of_parts_are_right(target: str) -> None:
    """Of a product; and of a filter's gradient, whose guards ask about rows and columns of an image, and not which image."""
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 40, 8192), (1, 8192, 48)))
    x, dy = (rng.standard_normal(shape).astype(np.float32) for shape in ((64, 5, 6, 7), (64, 9, 6, 7)))
    product = uol.compile("matmul", target, "f32", DEEP).module
    ops = parse(GRADIENT)
    found = resolve_target(target)
    program = instantiate(ops[0], Library(ops), types={}, dims={"N": 64, "C": 5, "H": 6, "W": 7, "O": 9}, attrs={})
    gradient = compile_graph(lower(program, found.backend, device=found.device), found.backend, found.device)
    assert [len(module.kernels) for module in (product, gradient)] == [2, 2]
    runs = execute_many([Job(product, {"a": a, "b": b}), Job(gradient, {"x": x, "dy": dy})])
    assert not any(run.findings for run in runs), [run.findings for run in runs]
    np.testing.assert_allclose(runs[0].outputs["y"], a.astype(np.float64) @ b, rtol=0, atol=1e-3)
    expected = torch.nn.grad.conv2d_weight(torch.from_numpy(x).double(), (9, 5, 3, 3), torch.from_numpy(dy).double(), padding=1)
    np.testing.assert_allclose(runs[1].outputs["dw"], expected.numpy(), rtol=0, atol=1e-3)


UNEVEN = {
    "rows of terms": ("a: f16[K, M], b: f16[K, N]", "sum[k](acc(a[k, m]) * acc(b[k, n]))", {"K": 2001}),
    "terms in rows": ("a: f16[M, K], b: f16[N, K]", "sum[k](acc(a[m, k]) * acc(b[n, k]))", {"K": 1992}),
    "terms in pieces": ("a: f16[B, M, K], b: f16[B, K, N]", "sum[i, k](acc(a[i, m, k]) * acc(b[i, k, n]))", {"B": 53, "K": 20}),
}


@pytest.mark.parametrize("name", TARGETS)
def test_parts_of_which_the_last_is_shorter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On matrix units; exact integers against numpy."""
    target = resolve_target(name)
    monkeypatch.setattr(SimtBackend, "alternatives", lambda self, spec, device: uneven_products(spec, device))
    monkeypatch.setattr(SimtBackend, "estimate", lambda self, spec, device: 3 * (isinstance(spec, Contract) and not spec.batch))
    rng, jobs, expected = np.random.default_rng(3), [], []
    for tensors, value, dims in UNEVEN.values():
        dims = {"M": 40, "N": 24} | dims
        ops = parse(f"op f({tensors}) -> (y: f32[M, N]) {{ y[m, n] = {value} }}")
        graph = lower(instantiate(ops[0], Library(ops), types={}, dims=dims), target.backend, device=target.device)
        product, total = graph.specs
        assert isinstance(product, Contract)
        assert any(read.guard for read in reads(product.a)), "the last part is as long as the others"
        tiles = (s for s in target.backend.schedules(product, target.device) if isinstance(s, MatrixTile))
        chosen = (next(tiles), choose(total, target.backend, target.device))
        kernels = [target.backend.render(*each, target.device) for each in zip(graph.specs, chosen, strict=True)]
        shapes = {arg.name: [static(extent) for extent in arg.shape] for arg in graph.args}
        inputs = {tensor: rng.integers(-4, 5, shapes[tensor]).astype(np.float16) for tensor in ("a", "b")}
        jobs.append(Job(target.backend.assemble(graph, kernels, target.device), inputs))
        a, b = (inputs[tensor].astype(np.float64) for tensor in ("a", "b"))
        equation = "imk,ikn->mn" if "B" in dims else {"K, M": "km,kn->mn", "M, K": "mk,nk->mn"}[tensors[7:11]]
        expected.append(np.einsum(equation, a, b))
    for run, right in zip(execute_many(jobs), expected, strict=True):
        assert not run.findings
        assert np.array_equal(run.outputs["y"], right)
