"""Specs rewritten for machines that cannot do a fused form compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from middle import lowered
from spec_interpreter import run_graph

from uol.codegen.contractions.pack_places import pack_places
from uol.codegen.contractions.split_terms import split_terms
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.head import SpecHead
from uol.codegen.specs.nodes import Arg, Contract, KernelSpec, Map, Pack, Reduce, Store
from uol.codegen.specs.rewrites import as_reduce, pack_operand, split_epilogue, without_terms
from uol.codegen.specs.traverse import main_read, reads
from uol.ir.program.nodes import Axis, Call, Const

LINEAR = """op linear(x: T[M, K], w: T[N, K], b: T[N]; slope: float = 0.5) -> (y: T[M, N]) for T in (f32, f16) {
  a[m, n] = sum[k](acc(x[m, k]) * acc(w[n, k]))
  y[m, n] = T(a[m, n] * slope + acc(b[n]))
}"""
CONV = """op conv(x: T[N, C, H, W], w: T[O, C, R, S]) -> (y: T[N, O, H, W]) for T in (f32, f16) where R == 3, S == 3 {
  y[n, o, p, q] = T(sum[c, r, s](acc(x[n, c, p + r - 1, q + s - 1] else 0) * acc(w[o, c, r, s])))
}"""
STRIDED = """op strided(x: f32[N, C, H, W], w: f32[O, C, R, S], b: f32[O]; slope: float = 0.5)
    -> (y: f32[N, O, 2, 3]) where R == 3, S == 3 {
  y[n, o, p, q] = sum[c, r, s]((x[n, c, 2*p + r - 1, 3 - 2*q + s] else 0) * w[o, c, r, s]) * slope + b[o]
}"""
OF_FILTERS = """op gradient(x: f32[N, C, H, W], dy: f32[N, O, H, W]) -> (dw: f32[O, C, 3, 3]) {
  dw[o, c, r, s] = sum[n, p, q](dy[n, o, p, q] * (x[n, c, p + r - 1, q + s - 1] else 0))
}"""
SIZES = dict(N=2, C=3, H=4, W=5, O=4, R=3, S=3)
LAST = {"x": (60, 1, 15, 3), "y": (80, 1, 20, 4)}

GRAPHS: dict[str, Callable[[], KernelGraph]] = {
    "linear": lambda: lowered(LINEAR, dims=dict(M=3, N=4, K=5)),
    "turned": lambda: lowered(LINEAR, layouts={"x": (1, 3), "y": (1, 3)}, dims=dict(M=3, N=4, K=5)),
    "conv": lambda: lowered(CONV, dims=SIZES),
    "last": lambda: lowered(CONV, layouts=LAST, dims=SIZES),
}
WINDOWED: dict[str, Callable[[], KernelGraph]] = {
    **{name: GRAPHS[name] for name in ("conv", "last")},
    "strided": lambda: lowered(STRIDED, layouts={"y": (24, 1, 12, 4)}, types={}, dims={**SIZES, "H": 5}),
    "filters": lambda: lowered(OF_FILTERS, layouts={"x": LAST["x"]}, types={}, dims={n: SIZES[n] for n in "NCHWO"}),
}


def contract_of(graph: KernelGraph) -> Contract:
    (spec,) = graph.specs
    assert isinstance(spec, Contract)
    return spec


def inputs_of(graph: KernelGraph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = {a.name: [static(d) or 0 for d in a.shape] for a in graph.args if a.role == "in"}
    return {name: rng.integers(-4, 5, shape).astype(float) for name, shape in shapes.items()}


def with_specs(graph: KernelGraph, *specs: KernelSpec) -> KernelGraph:
    workspaces: dict[str, Arg] = {a.name: a for s in specs for a in s.args if a.role == "workspace"}
    return replace(graph, specs=specs, workspaces=tuple(workspaces.values()))


def same(graph: KernelGraph, *specs: KernelSpec) -> None:
    scalars = {"slope": 0.5}
    expected = run_graph(graph, inputs_of(graph), scalars)
    found = run_graph(with_specs(graph, *specs), inputs_of(graph), scalars)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert np.array_equal(found[name], value)
        assert np.abs(value).max() > 0


@pytest.mark.parametrize("name", GRAPHS)
def test_split_epilogue(name: str) -> None:
    graph = GRAPHS[name]()
    product, rest = split_epilogue(contract_of(graph))
    assert isinstance(rest, Map)
    assert [type(s) for s in product.epilogue] == [Store]
    assert not {a.name for a in product.args} & {"b", "y"}
    assert not product.scalars
    assert not {a.name for a in rest.args} & {"x", "w"}
    same(graph, product, rest)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("k_last", [True, False])
def test_pack_operand(name: str, side: str, k_last: bool) -> None:
    graph = GRAPHS[name]()
    pack, rest = pack_operand(contract_of(graph), side, k_last=k_last, dtype="f32")  # type: ignore[arg-type]
    assert isinstance(pack, Pack)
    (store,) = pack.steps
    assert isinstance(store, Store)
    assert [n for n, _ in store.strides] == [a.name for a in pack.index]
    assert dict(store.strides)[pack.index[-1].name] == Const(1)
    assert (pack.index[-1] in rest.k) is k_last
    same(graph, pack, rest)


@pytest.mark.parametrize("name", GRAPHS)
def test_both_operands_and_the_epilogue(name: str) -> None:
    graph = GRAPHS[name]()
    pack_a, rest = pack_operand(contract_of(graph), "a", k_last=True, dtype="f32")
    pack_b, rest = pack_operand(rest, "b", k_last=False, dtype="f32")
    same(graph, pack_a, pack_b, *split_epilogue(rest))


@pytest.mark.parametrize("dtype", ["f32", "f16"])
@pytest.mark.parametrize("parts", [1, 2, 6])
def test_split_terms(parts: int, dtype: str) -> None:
    graph = lowered(LINEAR, types={"T": dtype}, dims={"M": 3, "N": 4, "K": 6})
    contract = contract_of(graph)
    products, total = split_terms(contract, [(contract.k[0], parts)])
    assert not {a.name for a in products.args} & {"b", "y"}
    assert [s.name for s in total.scalars] == ["slope"]
    same(graph, products, total)


@pytest.mark.parametrize("divisions", [(2, 3), (4, 2), (4, 6)])
def test_split_terms_of_two_axes(divisions: tuple[int, int]) -> None:
    """Some of each, all of the outer one, all of both."""
    text = "op two(x: f32[M, J, K], w: f32[N, J, K]) -> (y: f32[M, N]) { y[m, n] = sum[j, k](x[m, j, k] * w[n, j, k]) }"
    graph = lowered(text, types={}, dims={"M": 3, "N": 4, "J": 4, "K": 6})
    contract = contract_of(graph)
    products, total = split_terms(contract, list(zip(contract.k, divisions, strict=True)))
    assert [static(a.extent) for a in products.batch] == list(divisions)
    assert [static(a.extent) for a in products.k] == [4 // divisions[0], 6 // divisions[1]]
    assert total.cols == products.batch
    same(graph, products, total)


@pytest.mark.parametrize("parts", [1, 3])
def test_split_terms_with_columns_in_another_order(parts: int) -> None:
    text = "op f(x: f32[K, M], z: f32[K, J, N]) -> (y: f32[M, N, J]) { y[m, n, j] = sum[k](x[k, m] * z[k, j, n]) }"
    graph = lowered(text, types={}, dims={"M": 3, "N": 4, "J": 5, "K": 6})
    contract = contract_of(graph)
    columns = contract.n[::-1]
    products, total = split_terms(contract, [(contract.k[0], parts)], columns=columns)
    assert products.n == columns != contract.n
    assert dict(products.epilogue[0].strides)[columns[-1].name] == Const(1)
    assert total.rows == (*contract.m, *contract.n)
    same(graph, products, total)


@pytest.mark.parametrize("name", ["conv", "last", "strided"])
@pytest.mark.parametrize("wide", [3, 4, 8])
def test_pack_places(name: str, wide: int) -> None:
    graph = WINDOWED[name]()
    contract = contract_of(graph)
    found = pack_places(contract, "a" if main_read(contract.a).tensor == "x" else "b", "c", wide)
    assert found is not None
    pack, rest = found
    assert isinstance(pack, Pack)
    assert dict(pack.steps[0].strides)["c"] == Const(1)
    assert [static(axis.extent) for axis in rest.k if axis.name == "c"] == [wide]
    assert not [read for factor in (rest.a, rest.b) for read in reads(factor) if read.tensor != "w" and read.guard]
    same(graph, pack, rest)


def test_pack_places_beside_columns_that_are_wider() -> None:
    """The gradient of filters: three channels of four are those of the result."""
    graph = WINDOWED["filters"]()
    found = pack_places(contract_of(graph), "b", "c", 4)
    assert found is not None
    pack, rest = found
    columns = (*(axis for axis in rest.n if axis.name != "c"), Axis("c", Const(4)))
    same(graph, pack, *split_terms(rest, [(rest.k[0], 2)], columns=columns))


def test_places_are_not_packed_of_factors_that_would_be_more_than_zeros() -> None:
    ones = contract_of(lowered(CONV.replace("] else 0)", "] else 1)"), dims=SIZES))
    plain = contract_of(GRAPHS["conv"]())
    computed = [replace(plain, **{side: Call("exp", (getattr(plain, side),), "f32")}) for side in "ab"]
    for contract in (ones, *computed):
        assert pack_places(contract, "a" if main_read(contract.a).tensor == "x" else "b", "c", 4) is None


@pytest.mark.parametrize("at", ["p + r - 1, p + s - 1", "(p + r) / 2, s"])
def test_places_of_windows_that_share_axes_are_not_packed(at: str) -> None:
    text = "op f(x: f32[N, C, H, W], w: f32[O, C, R, S]) -> (y: f32[N, O, 4]) { y[n, o, p] = sum[c, r, s]((x[n, c, "
    graph = lowered(text + f"{at}] else 0) * w[o, c, r, s]) }}", types={}, dims=SIZES)
    contract = contract_of(graph)
    assert pack_places(contract, "a" if main_read(contract.a).tensor == "x" else "b", "c", 4) is None


@pytest.mark.parametrize("name", GRAPHS)
def test_as_reduce(name: str) -> None:
    graph = GRAPHS[name]()
    reduce_ = as_reduce(contract_of(graph))
    assert isinstance(reduce_, Reduce)
    same(graph, reduce_)


def test_a_contraction_over_nothing_is_its_epilogue_at_zero() -> None:
    graph = lowered(LINEAR, dims=dict(M=3, N=4, K=0))
    rest = without_terms(contract_of(graph))
    assert {a.name for a in rest.args} == {"b", "y"}
    same(graph, rest)


def test_a_map_runs_in_the_physical_order_of_its_result() -> None:
    _, rest = split_epilogue(contract_of(GRAPHS["last"]()))
    assert [a.name for a in rest.index] == ["n", "p", "q", "o"]


def test_the_head_of_a_spec_is_every_field_that_specs_have_in_common() -> None:
    assert set(SpecHead.__annotations__) == {f.name for f in fields(KernelSpec)}
