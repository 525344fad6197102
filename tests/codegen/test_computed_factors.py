"""Products of factors that are computed (a weight and its scale, an activation): contractions, right on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import middle
import numpy as np
import pytest
import torch
from spec_interpreter import EVERY_KIND

import uol
from uol.backends import registry
from uol.backends.twin.record import Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Module
from uol.codegen.choice import compile_graph
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Contract, Map, Reduce
from uol.codegen.specs.rewrites import with_plain_factors
from uol.codegen.specs.traverse import is_one_read
from uol.ir import Library, instantiate, parse

SCALED = """op scaled(x: T[M, K], q: i8[N, K], scale: f32[N], zero: f32[N], b: T[N]) -> (y: T[M, N]) for T in (f32, f16) {
  y[m, n] = T(sum[k](f32(x[m, k]) * ((f32(q[n, k]) - zero[n]) * scale[n])) + f32(b[n]))
}"""
ACTIVATED = """op activated(x: T[S, M, K], gain: T[K], w: T[S, K, N]) -> (y: T[S, M, N]) for T in (f32, f16) {
  y[s, m, n] = T(sum[k](max(acc(x[s, m, k]) * acc(gain[k]), 0) * acc(w[s, k, n])))
}"""
WINDOW = """op window(x: T[N, C, P], w: i8[O, C, R], scale: f32[O]) -> (y: T[N, O, P - R + 1]) for T in (f32, f16)
    where P >= R {
  y[n, o, p] = T(sum[c, r](f32(x[n, c, p + r]) * (f32(w[o, c, r]) * scale[o])))
}"""
WEIGHTS = "op f(x: f32[M, K], w: f32[N, K], s: f32[N], at: i64[K]) -> (y: f32[M, N]) { y[m, n] = sum[k](BODY) }"
"""Of sums that are none, or may be none, of computed factors."""
SIZES: Mapping[str, dict[str, int]] = {"scaled": {"M": 37, "K": 50, "N": 70}, "activated": {"S": 2, "M": 19, "K": 33, "N": 40}}
RNG = np.random.default_rng(50)


def whole(*shape: int) -> np.ndarray:
    return RNG.integers(-3, 4, shape).astype(np.float32)


def inputs_of(name: str) -> dict[str, np.ndarray]:
    """Small whole numbers and powers of two, so that sums are exact in f32."""
    s = SIZES[name]
    if name == "activated":
        return {"x": whole(s["S"], s["M"], s["K"]), "gain": whole(s["K"]), "w": whole(s["S"], s["K"], s["N"])}
    scale = (2.0 ** RNG.integers(-2, 2, s["N"])).astype(np.float32)
    q = RNG.integers(-100, 100, (s["N"], s["K"])).astype(np.int8)
    return {"x": whole(s["M"], s["K"]), "q": q, "scale": scale, "zero": whole(s["N"]), "b": whole(s["N"])}


def expected(name: str, given: Mapping[str, np.ndarray]) -> np.ndarray:
    values = {key: value.astype(np.float64) for key, value in given.items()}
    if name == "activated":
        return np.matmul(np.maximum(values["x"] * values["gain"], 0), values["w"])
    weights = (values["q"] - values["zero"][:, None]) * values["scale"][:, None]
    return values["x"] @ weights.T + values["b"]


TEXTS = {"scaled": SCALED, "activated": ACTIVATED}


def module_of(name: str, target: str, dims: Mapping[str, int]) -> Module:
    backend, ops = registry.get(target), parse(TEXTS[name])
    program = instantiate(ops[0], Library(ops), dims=dims, types={"T": "f32"})
    return compile_graph(lower(program, backend, {}), backend, backend.devices[backend.default_device])


@pytest.mark.parametrize("text", [*TEXTS.values(), WINDOW], ids=["scaled", "activated", "window"])
@pytest.mark.parametrize("kinds", [frozenset(), EVERY_KIND], ids=["plain", "native"])
def test_specs_are_right_at_every_point(text: str, kinds: frozenset[type]) -> None:
    sizes = {"M": 3, "K": 4, "N": 2, "S": 2, "C": 2, "P": 5, "R": 2, "O": 3}
    inputs = text.partition("->")[0]
    own = {name: size for name, size in sizes.items() if f"{name}," in inputs or f"{name}]" in inputs}
    middle.run(text, dims=own, kinds=kinds)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("x[m, k] * (w[n, k] * s[n])", Contract),
        ("exp(x[m, k]) * max(w[n, k], 0)", Contract),
        ("x[m, k] * w[n, k] * s[n]", Reduce),  # a factor is over rows and columns
        ("x[m, k] * (f32(k) * s[n])", Reduce),  # a factor is around no read of all of its axes
        ("x[m, k] * (w[n, 0] * w[0, k])", Reduce),
        ("x[m, k] * ((w[n, at[k]] else 0) * s[n])", Reduce),  # what data says is no place of a factor
    ],
)
def test_what_is_a_product_of_computed_factors(body: str, kind: type) -> None:
    text = WEIGHTS.replace("BODY", body)
    (spec,) = middle.lowered(text, kinds=EVERY_KIND, types={}, dims={"M": 8, "K": 8, "N": 8}).specs
    assert type(spec) is kind


STATED = """op f(x: f16[M, K], q: i8[N, K], scale: f32[N]) -> (y: f32[M, N]) {
  w[n, k] = f32(q[n, k]) * scale[n]
  y[m, n] = sum[k](f32(x[m, k]) * w[n, k])
}"""
STEPS = STATED.replace("* scale[n]\n", "* scale[n]\n  v[n, k] = w[n, k] - 1\n").replace("* w[n, k])", "* v[n, k])")
ACTIVE = STATED.replace("w[n, k] =", "h[m, k] = max(f32(x[m, k]), 0)\n  w[n, k] =").replace("f32(x[m, k]) * w", "h[m, k] * w")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (STATED, [Contract]),
        (ACTIVE, [Contract]),
        (STEPS, [Contract]),
        (STATED.replace("scale[n]\n", "exp(scale[n])\n"), [Map, Contract]),  # a special function, again in every block
        (STATED.replace("q: i8", "q: i32"), [Map, Contract]),  # no fewer bytes than what it gives
        (STATED.replace("y[m, n] =", "y[m, n] = w[n, 0] +"), [Map, Contract]),  # read twice
        (STATED.replace("(y: f32[M, N])", "(y: f32[M, N], w: f32[N, K])"), [Map, Contract]),  # a result
    ],
    ids=["a weight", "a weight and an activation", "in two steps", "special", "wide", "read twice", "a result"],
)
def test_a_statement_is_part_of_the_product_that_reads_it(text: str, kinds: list[type]) -> None:
    specs = middle.lowered(text, kinds=EVERY_KIND, types={}, dims={"M": 8, "K": 8, "N": 8}).specs
    assert [type(spec) for spec in specs] == kinds
    middle.run(text, kinds=EVERY_KIND, types={}, dims={"M": 3, "K": 4, "N": 2})


def test_a_machine_that_computes_no_factors_has_them_in_memory() -> None:
    (spec,) = middle.lowered(TEXTS["activated"], kinds=EVERY_KIND, dims={"S": 2, "M": 4, "K": 8, "N": 4}).specs
    assert isinstance(spec, Contract)
    made, plain = with_plain_factors(spec)
    assert isinstance(made, Map) and isinstance(plain, Contract)
    assert [axis.name for axis in made.index] == ["s", "m", "k"], "as x lies in memory"
    assert is_one_read(plain.a) and is_one_read(plain.b)
    assert [arg.name for arg in made.args] == ["x", "gain", "activated_factor_a"]
    assert [arg.name for arg in plain.args] == ["w", "y", "activated_factor_a"]
    assert with_plain_factors(plain) == (plain,)


@pytest.mark.parametrize("target", ["cuda", "hip", "ascendc"])
def test_twins(target: str) -> None:
    given = {name: inputs_of(name) for name in TEXTS}
    runs = execute_many([Job(module_of(name, target, SIZES[name]), given[name]) for name in TEXTS])
    for name, run in zip(TEXTS, runs, strict=True):
        assert not run.findings
        np.testing.assert_array_equal(run.outputs["y"], expected(name, given[name]).astype(np.float32))


def test_any_size_is_one_kernel_on_threads() -> None:
    module = module_of("scaled", "cuda", {})
    assert {type(kernel.spec) for kernel in module.kernels} == {Contract}
    assert any("(float(q[" in kernel.text and "- zero[" in kernel.text for kernel in module.kernels)


def test_on_the_cpu() -> None:
    for name, text in TEXTS.items():
        given = inputs_of(name)
        found = uol.op(text)(*map(torch.from_numpy, given.values()))
        assert torch.equal(found.double(), torch.from_numpy(expected(name, given)))


def test_a_gradient_through_an_activation() -> None:
    given = [torch.from_numpy(value).requires_grad_() for value in inputs_of("activated").values()]
    wide = [each.detach().double().requires_grad_() for each in given]
    y, want = uol.op(ACTIVATED)(*given), torch.relu(wide[0] * wide[1]) @ wide[2]
    dy = torch.from_numpy(whole(*y.shape))
    found, wanted = torch.autograd.grad(y, given, dy), torch.autograd.grad(want, wide, dy.double())
    assert all(torch.equal(a.double(), b) for a, b in zip(found, wanted, strict=True))
