"""What lies near together is picked from whole vectors: where that may be, and kernels that do so, beside PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from turns import by_turns

import uol
from uol.backends import registry
from uol.backends.simt.elements.spans import Group, one_place, span_of
from uol.backends.twin import Job, execute_many
from uol.codegen.indexing.arithmetic import ONE, value_at
from uol.codegen.specs.nodes import Read, Within
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.syntax.parser import parse

F = torch.nn.functional
TARGETS = ("cuda", "hip")
STEP, COLUMN, N = Var("i"), Var("r"), Const(64)


def read(offset: Expr, low: Expr | None = None, high: Expr | None = None) -> Read:
    """Of x, guarded where a side is given."""
    guard = (Within(offset, low, high),) if low is not None or high is not None else ()
    return Read("x", offset, (), guard, Const(0.0, "f32") if guard else None, "f32")


def group(width: int = 4, window: int = 0, elements: int = 64) -> Group:
    """Steps of i, and for each of them a window over r."""
    unrolled = (Axis("r", Const(window)),) if window else ()
    return Group(Axis("i", N), width, unrolled, {STEP: width}, {"x": Const(elements)})


SPANS = {
    "side by side": (STEP, group(), 1),
    "a vector on": (idx("+", STEP, Const(4)), group(), 1),
    "one element on": (idx("+", STEP, Const(1)), group(), 2),
    "backwards": (idx("-", Const(63), STEP), group(), 1),
    "every second": (idx("*", STEP, Const(2)), group(), 2),
    "each twice, of more": (idx("/", STEP, Const(2)), group(8), 1),
    "from the beginning again": (idx("%", idx("+", STEP, Const(48)), N), group(), 1),
    "windows that overlap": (idx("-", idx("+", idx("*", STEP, Const(2)), COLUMN), Const(1)), group(window=3), 3),
    "two lines by turns": (idx("+", idx("*", idx("%", STEP, Const(2)), Const(32)), idx("/", STEP, Const(2))), group(8), 2),
}


@pytest.mark.parametrize("name", SPANS)
def test_elements_are_those_of_vectors_at_multiples_of_themselves(name: str) -> None:
    """At every step: the vector that it is in, and the element of that, make up the index."""
    index, steps, vectors = SPANS[name]
    found = span_of(read(index), steps)
    assert found is not None
    span, place = found
    assert (span.count, span.width) == (vectors, 4)
    for first in range(8, 24, steps.width):
        for v in range(steps.width):
            for r in range(3 if steps.unrolled else 1):
                at = value_at(place, {"$v": v, "r": r})
                begin = value_at(span.vector.offset, {"i": first, "$part": at // 4})
                assert begin % 4 == 0
                assert begin + at % 4 == value_at(index, {"i": first + v, "r": r})


def test_a_guard_holds_for_a_vector_or_for_nothing_of_it() -> None:
    shifted = idx("-", STEP, Const(1))
    found = span_of(read(shifted, Const(0)), group())
    assert found is not None
    (condition,) = found[0].vector.guard
    assert [value_at(c, {"i": 0, "$part": part}) for c in condition.conditions for part in (0, 1)] == [0, 1]
    assert span_of(read(idx("+", STEP, Const(1)), None, Const(60)), group()) is not None
    assert span_of(read(idx("+", STEP, Const(1)), None, Const(61)), group()) is None, "a part of the last vector"
    assert span_of(read(shifted, Const(1)), group()) is None


def test_no_vector_lies_beyond_the_tensor() -> None:
    shifted = idx("+", STEP, Const(1))
    assert span_of(read(shifted), group(elements=68)) is not None
    assert span_of(read(shifted), group(elements=67)) is None
    assert span_of(read(idx("-", Const(63), STEP)), group(elements=65)) is not None, "all of each vector is read"


def test_what_would_take_as_many_vectors_as_elements_is_read_one_by_one() -> None:
    assert span_of(read(idx("*", STEP, Const(4))), group()) is None
    assert span_of(read(idx("*", STEP, STEP)), group()) is None
    assert span_of(read(idx("%", idx("+", STEP, Const(2)), N)), group()) is None, "a group that goes over the end"
    assert span_of(read(idx("/", STEP, Const(3))), group()) is None
    empty = replace(group(window=3), unrolled=(Axis("r", Const(0)),))
    assert span_of(read(idx("%", idx("+", STEP, COLUMN), N)), empty) is None, "nothing of a window without columns"


def test_one_element_for_all_steps_is_read_once() -> None:
    quotient = one_place(read(idx("/", STEP, Const(8))), group())
    assert quotient is not None
    assert value_at(quotient, {"$first": 20}) == 2
    assert one_place(read(idx("/", STEP, Const(2))), group()) is None
    assert one_place(read(ONE), group()) is None, "nothing of the steps"


Reference = Callable[[torch.Tensor], torch.Tensor]

POOL, TWICE = {"kernel": 3, "stride": 2, "pad": 1}, {"out_h": 8, "out_w": 32}
PICKED: Mapping[str, tuple[str, dict[str, Any], dict[str, Any], Reference]] = {
    "flip": ("flip", {"S": (2048,), "N": 32}, {}, lambda x: x.flip(-1)),
    "roll": ("roll", {"S": (2048,), "N": 32}, {"shift": 8}, lambda x: x.roll(8, -1)),
    "repeat": ("repeat", {"S": (2048,), "N": 16}, {"times": 3}, lambda x: x.repeat(1, 3)),
    "interleave": ("repeat_interleave", {"S": (2048,), "N": 8}, {"times": 8}, lambda x: x.repeat_interleave(8, -1)),
    "heads": ("merge_heads", {"B": 2, "H": 3, "L": 1024, "D": 16}, {}, lambda x: x.transpose(1, 2).flatten(2)),
    "nearest": ("upsample_nearest1d", {"N": 32, "C": 64, "W": 16}, {"out_w": 32}, lambda x: F.interpolate(x, scale_factor=2)),
    "shuffled": ("pixel_shuffle", {"N": 32, "C": 8, "H": 32, "W": 8}, {"factor": 2}, lambda x: F.pixel_shuffle(x, 2)),
    "max": ("max_pool2d", {"N": 64, "C": 8, "H": 17, "W": 32}, POOL, lambda x: F.max_pool2d(x, 3, 2, 1)),
    "max of two": ("max_pool1d", {"N": 64, "C": 64, "W": 32}, {"kernel": 2}, lambda x: F.max_pool1d(x, 2)),
    "mean": (
        "avg_pool2d_counted",
        {"N": 64, "C": 8, "H": 17, "W": 32},
        POOL,
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    ),
    "place": (
        "max_pool2d_grad",
        {"N": 64, "C": 8, "H": 16, "W": 32},
        POOL,
        lambda x: _grad_of(lambda t: F.max_pool2d(t, 3, 2, 1), x),
    ),
    "nearest of more": (
        "upsample_nearest2d_grad",
        {"N": 64, "C": 16, "H": 4, "W": 16},
        TWICE,
        lambda x: _grad_of(lambda t: F.interpolate(t, scale_factor=2), x),
    ),
}


BY_SIZES = ("nearest", "shuffled", "nearest of more")
"""What needs to know sizes for it: elsewhere it goes one by one."""


def _grad_of(forward: Reference, x: torch.Tensor) -> torch.Tensor:
    """Autograd's, of 1, 2, 3, ... at the results."""
    leaf = x.clone().requires_grad_()
    y = forward(leaf)
    y.backward(_counted(y.shape))
    assert leaf.grad is not None
    return leaf.grad


def _counted(shape: torch.Size) -> torch.Tensor:
    return (torch.arange(shape.numel(), dtype=torch.float64) % 31 - 15).reshape(shape)


@pytest.mark.parametrize(("name", "on"), by_turns(2, list(PICKED), [("cuda", "f32"), ("hip", "f16")]))
def test_kernels_pick_from_vectors_and_give_what_pytorch_gives(name: str, on: tuple[str, str]) -> None:
    """Of sizes that are numbers, and of any: wherever tensors begin."""
    target, dtype = on
    op, dims, attrs, reference = PICKED[name]
    shape = [n for size in dims.values() for n in (size if isinstance(size, tuple) else (size,))]
    x = torch.from_numpy(np.random.default_rng(5).integers(-40, 40, shape) / 8.0)
    storage = np.float32 if dtype == "f32" else np.float16
    for opened in ({}, *([{key: (None,) if key == "S" else None for key in dims}] if name not in BY_SIZES else [])):
        kernel = uol.compile(op, target, dtype, {**dims, **opened}, attrs)
        texts = [each.text for each in kernel.module.kernels]
        assert any("_span" in text or "_window" in text or "_here" in text for text in texts)
        buffers = {"x": x.numpy().astype(storage)}
        buffers |= {each.name: _upstream(op, x).numpy().astype(storage) for each in kernel.inputs if each.name == "dy"}
        sizes = {name: value for name, value in zip(kernel.module.graph.dims, shape, strict=False)} if opened else {}
        capability = registry.get(target).capability
        for run in execute_many([Job(kernel.module, buffers, sizes, capability=capability, shift=shift) for shift in (0, 1)]):
            assert not run.findings, run.findings
            (found,) = run.outputs.values()
            rounded = dtype == "f16" and name in ("mean", "place", "nearest of more")
            expected = reference(x).numpy()
            np.testing.assert_allclose(found.astype(np.float64), expected, rtol=2e-3 if rounded else 1e-6, atol=1e-6)


def _upstream(op: str, x: torch.Tensor) -> torch.Tensor:
    """What a gradient is given of the result."""
    return _counted((F.max_pool2d(x, 3, 2, 1) if op.startswith("max_pool") else F.interpolate(x, scale_factor=2)).shape)


@pytest.mark.parametrize("target", TARGETS)
def test_what_rows_have_of_their_own_is_loaded_wherever_it_is_used(target: str) -> None:
    """In front of the columns, and behind them."""
    text = """op weighted(x: f32[A, B], g: f32[B]) -> (y: f32[B]) {
      h[b] = g[b] * 2 + 1
      y[b] = sum[a](x[a, b] * h[b]) + h[b]
    }"""
    x, g = (np.random.default_rng(3).integers(-4, 4, size).astype(np.float32) for size in ((3, 57600), 57600))
    kernel = uol.compile(parse(text)[0], target, None, {"A": 3, "B": 57600})
    assert "4 rows a thread" in kernel.module.device.text
    (run,) = execute_many([Job(kernel.module, {"x": x, "g": g}, capability=registry.get(target).capability)])
    assert not run.findings
    np.testing.assert_array_equal(run.outputs["y"], (x * (2 * g + 1)).sum(0) + 2 * g + 1)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_read_at_each_step_is_read_in_the_loop_over_them(target: str) -> None:
    """A reduction over two rows, of which each has a number of its own: both numbers are one vector, and the rows are not."""
    text = """op scaled(x: f32[A, B], g: f32[A]) -> (y: f32[B]) {
      h[a] = sqrt(g[a])
      y[b] = sum[a](x[a, b] / h[a])
    }"""
    x, g = np.random.default_rng(4).integers(-4, 4, (2, 18432)).astype(np.float32), np.array([4.0, 16.0], np.float32)
    kernel = uol.compile(parse(text)[0], target, None, {"A": 2, "B": 18432})
    (run,) = execute_many([Job(kernel.module, {"x": x, "g": g}, capability=registry.get(target).capability)])
    assert not run.findings
    np.testing.assert_array_equal(run.outputs["y"], x[0] / 2 + x[1] / 4)
