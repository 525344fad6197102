"""What is decided once: normalised specs, the cube's operands, plans without text, and the helpers that a text calls."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from spec_interpreter import run_graph

from uol.backends import registry
from uol.backends.ascendc import candidates, kernel_text
from uol.backends.ascendc.cube.product import CubeProduct
from uol.backends.ascendc.helpers import HELPERS
from uol.codegen.backend import Footprint, Module
from uol.codegen.choice import choose, compile_graph
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.traverse import steps_of
from uol.ir import Library, instantiate, interpret, parse
from uol.ir.program.nodes import Call, Program
from uol.ir.program.walk import walk
from uol.ir.types import INDEX

BACKEND = registry.get("ascendc")
DEVICE = BACKEND.devices[BACKEND.default_device]

PRODUCT = "op f(x: f32[M, K], w: f32[K, N]) -> (y: f32[M, N]) { y[m, n] = sum[k](x[m, k] * w[k, n]) }"
BIASED = "op f(x: f32[M, K], w: f32[K, N], b: f32[N]) -> (y: f32[M, N]) { y[m, n] = exp(sum[k](x[m, k] * w[k, n]) + b[n]) }"
WINDOWS = """op f(x: f32[C, H, W], w: f32[O, C, R, S]) -> (y: f32[O, H, W]) {
  y[o, h, v] = sum[c, r, s]((x[c, h + r - 1, v + s - 1] else 0) * w[o, c, r, s])
}"""
SHIFTED = "op f(x: f32[N, D], w: f32[D]) -> (y: f32[N, D]) { y[n, d] = (x[n, d - 2] else w[d]) * 2 }"
TOTAL = "op f(x: f32[A, B, C]) -> (y: f32[A]) { y[a] = sum[b, c](x[a, b, c]) }"
LONGS = "op f(x: i8[N, D]) -> (y: i64[N, D]) { y[n, d] = i64(x[n, d]) * 3 + d }"
SIZES = {"M": 20, "K": 24, "N": 33, "D": 6, "A": 3, "B": 4, "C": 5, "H": 6, "W": 7, "O": 4, "R": 3, "S": 3}
TEXTS = (PRODUCT, BIASED, WINDOWS, SHIFTED, TOTAL, LONGS)
NAMES = ("product", "biased", "windows", "shifted", "total", "longs")
each_text = pytest.mark.parametrize("text", TEXTS, ids=NAMES)


def program_of(text: str, **dims: int) -> Program:
    ops = parse(text)
    named = set(re.findall(r"\b[A-Z]\b", text.split("->")[0]))
    return instantiate(ops[0], Library(ops), dims={n: s for n, s in {**SIZES, **dims}.items() if n in named}, types={})


def graph_of(text: str, **dims: int) -> KernelGraph:
    return lower(program_of(text, **dims), BACKEND, {})


def module_of(text: str, **dims: int) -> Module:
    return compile_graph(graph_of(text, **dims), BACKEND, DEVICE)


@each_text
def test_legal_specs_mean_what_the_text_does(text: str) -> None:
    program, rng = program_of(text), np.random.default_rng(5)
    shapes = {t.name: [static(d) or 0 for d in t.shape] for t in program.by_role("in")}
    inputs = {name: rng.integers(-9, 10, shape) for name, shape in shapes.items()}
    golden, found = interpret(program, inputs), run_graph(lower(program, BACKEND, {}), inputs)
    assert np.allclose(found["y"], golden["y"], rtol=1e-9)


@each_text
def test_legal_specs_are_normal(text: str) -> None:
    for spec in graph_of(text).specs:
        assert BACKEND.legalise(spec, DEVICE) == (spec,)


def test_axes_are_collapsed_before_a_schedule_is_asked_for() -> None:
    (spec,) = graph_of(TOTAL).specs
    assert [a.name for a in spec.axes] == ["a", "b_c"]


def test_long_integers_that_fit_are_computed_as_words() -> None:
    (spec,) = graph_of(LONGS).specs
    calls = [n for step in steps_of(spec) for n in walk(step.value) if isinstance(n, Call) and n.fn in ("+", "*")]
    assert {n.type for n in calls} - {INDEX} == {"i32"}


def test_a_product_carries_its_operands_and_the_kernel_takes_them_from_it() -> None:
    (spec,) = graph_of(PRODUCT).specs
    assert isinstance(spec, CubeProduct)
    assert spec.dtype == "f32"
    assert [(o.read.tensor, o.form, o.pitch) for o in (spec.left, spec.right)] == [("x", "rows_k", 24), ("w", "k_rows", 33)]
    schedule = choose(spec, BACKEND, DEVICE)
    epilogue = tuple(replace(s, dtype="f16") if s is spec.store else s for s in spec.epilogue)
    other = replace(spec, left=replace(spec.left, pitch=4242), epilogue=epilogue)
    text, changed = (BACKEND.render(s, schedule, DEVICE).text for s in (spec, other))
    assert "4242" not in text
    assert "Nd2NzParams(1, m_size, k_size, 0, 4242," in changed
    assert "QuantMode_t::NoQuant" in text
    assert "QuantMode_t::F322F16" in changed


def test_windows_are_packed_and_an_epilogue_is_a_kernel_of_its_own() -> None:
    assert [type(s).__name__ for s in graph_of(WINDOWS).specs] == ["Pack", "CubeProduct"]
    assert [type(s).__name__ for s in graph_of(BIASED).specs] == ["CubeProduct", "Map"]


@each_text
def test_a_check_neither_synchronises_nor_prints(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("text is rendered")

    for spec in graph_of(text, N=77).specs:
        with monkeypatch.context() as patch:
            patch.setattr(candidates, "synchronise", never)
            patch.setattr(kernel_text, "template", never)
            schedule = choose(spec, BACKEND, DEVICE)
            with pytest.raises(AssertionError, match="text is rendered"):
                BACKEND.render(spec, schedule, DEVICE)
        kernel, footprint = BACKEND.render(spec, schedule, DEVICE), BACKEND.check(spec, schedule, DEVICE)
        assert isinstance(footprint, Footprint)
        assert kernel.footprint == footprint
        sizes = {name: int(size) for name, size in re.findall(r"pipe\.InitBuffer\((\w+), (\d+)\)", kernel.text)}
        assert sizes == dict(footprint.buffers)


def test_what_was_checked_is_not_laid_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[object] = []
    layout_of = candidates.memory_layout
    monkeypatch.setattr(candidates, "memory_layout", lambda program: laid_out.append(program) or layout_of(program))
    (spec,) = graph_of(PRODUCT, M=21, N=35).specs
    schedule = choose(spec, BACKEND, DEVICE)
    count = len(laid_out)
    assert count > 0
    BACKEND.render(spec, schedule, DEVICE)
    assert len(laid_out) == count


@pytest.mark.parametrize(
    ("text", "helpers"),
    [
        (PRODUCT, {"lesser"}),
        ("op floor_div(x: f32[N]) -> (lesser: f32[N]) { lesser[n] = x[n] * 2 }", set()),
        ("op f(x: f32[N], at: i32[N]) -> (y: f32[N]) { y[n] = x[at[n] / 2] else 0 }", {"floor_div"}),
        ("op f(x: f32[N]) -> (y: f32[N]) { y[n] = max(x[n], -inf) + (x[n - 2] else 0) }", {"INFINITE", "greater"}),
        ("op f(x: f32[N]) -> (y: f32[N]) { y[n] = sin(x[n]) }", {"two_over_pi"}),
    ],
    ids=["product", "names of helpers", "index of data", "fill", "sine"],
)
def test_a_text_has_the_helpers_that_it_calls(text: str, helpers: set[str]) -> None:
    device = module_of(text, M=200, K=70, N=130).device.text
    head, _, kernels = device.partition('extern "C"')
    assert {name for name, definition in HELPERS.items() if definition in head} == helpers
    assert {name for name in HELPERS if re.search(rf"\b{name}\b(?=\(|[,)])", kernels)} >= helpers
    assert "@" not in device


def test_helpers_are_as_wide_as_the_indices() -> None:
    wide = "op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] * 2 }"
    assert "inline int lesser(int a" in module_of(wide, N=50001).device.text
    assert "inline int64_t lesser(int64_t a" in module_of(wide, N=3_000_000_001).device.text
