"""When a kernel graph may write a result where an input lies."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from uol.backends.registry import get
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.in_place import writes_in_place
from uol.codegen.specs.traverse import searched
from uol.ir import Library, instantiate, parse
from uol.ops.texts import library
from uol.ops.workloads import workloads_of


def graph_of(text: str, **dims: int) -> KernelGraph:
    (op,) = parse(text)
    return lower(instantiate(op, Library(), types={}, dims=dims), get("cpu"), {})


SAFE = {
    "elementwise": "op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] * 2 }",
    "a row's value beside a reduction": "op f(x: f32[N], g: f32[N, M]) -> (y: f32[N]) { y[i] = x[i] + sum[j](g[i, j]) }",
    "read by an earlier kernel alone": "op f(x: f32[N, N], g: f32[N, N]) -> (y: f32[N, N]) {\n"
    "t[i, j] = sum[k](x[i, k] * g[k, j])\n m[i] = max[j](t[i, j])\n y[i, j] = t[i, j] / m[j] }",
}
UNSAFE = {
    "another result, whose store is not bound to wait, reads it too": "op f(x: f32[N], g: f32[N]) -> (z: f32[N], y: f32[N]) {\n"
    "z[i] = x[i] + g[i]\n y[i] = x[i] * 2 }",
    "another result reads it after the write": "op f(x: f32[N], g: f32[N]) -> (y: f32[N], z: f32[N]) {\n"
    "y[i] = g[i] * 2\n z[i] = x[i] + g[i] }",
    "a neighbour": "op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] + (x[i - 1] else 0) }",
    "a later kernel": "op f(x: f32[N], g: f32[N]) -> (y: f32[N], z: f32[N]) {\n"
    "y[i] = x[i] * 2\n m[] = sum[i](y[i] * g[i])\n z[i] = x[i] / m[] }",
    "a reduction over what it writes": "op f(x: f32[N, M]) -> (y: f32[N, M]) {\n"
    "m[i] = max[j](x[i, j])\n y[i, j] = x[i, j] - m[i] }",
    "a contraction, whose last tiles may compute an element twice": "op f(x: f32[N, N], g: f32[N, N]) -> (y: f32[N, N]) {\n"
    "y[i, j] = x[i, j] + sum[k](g[i, k] * g[k, j]) }",
    "transposed": "op f(x: f32[N, N]) -> (y: f32[N, N]) { y[i, j] = x[j, i] }",
}


@pytest.mark.parametrize("case", SAFE)
def test_safe(case: str) -> None:
    assert writes_in_place(graph_of(SAFE[case], **({"N": 8, "M": 5} if "M]" in SAFE[case] else {"N": 8})), "x", "y")


@pytest.mark.parametrize("case", UNSAFE)
def test_unsafe(case: str) -> None:
    assert not writes_in_place(graph_of(UNSAFE[case], **({"N": 8, "M": 5} if "M]" in UNSAFE[case] else {"N": 8})), "x", "y")


def test_what_others_look_among_stays() -> None:
    text = "op f(x: f32[N], g: f32[N]) -> (y: f32[N]) where sorted(x) {\n"
    text += "at[i] = sum[k](i32(x[k] <= g[i]))\n y[i] = x[i] + f32(at[i]) }"
    (op,) = parse(text)
    graph = lower(instantiate(op, Library(), types={}, dims={"N": 8}), get("cuda"), {})
    assert len(graph.specs) == 1 and any(searched(graph.specs[0]))
    assert not writes_in_place(graph, "x", "y") and writes_in_place(graph, "g", "y")


ALIASES = tomllib.loads(files("uol.ops").joinpath("aliases.toml").read_text())


@pytest.mark.parametrize("target", ["cpu", "cuda", "ascendc"])
@pytest.mark.parametrize("name", ALIASES)
def test_every_alias_of_the_library_is_written_in_place(name: str, target: str) -> None:
    op = library().get(name)
    assert op is not None
    workload = workloads_of(name)[0]
    types = {each.variable: "f32" if "f32" in each.types else each.types[0] for each in op.domain}
    program = instantiate(op, library(), types=types, ranks=workload.ranks, dims=workload.flat_dims)
    graph = lower(program, get(target), {})
    assert all(writes_in_place(graph, given, result) for given, result in ALIASES[name].items())
