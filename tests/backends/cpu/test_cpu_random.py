"""Random operators in random layouts: scheduled kernels and oracle against the golden value."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import cpu_cases
import numpy as np
import pytest
from cpu_cases import BACKEND, as_numbers, graph_of, inputs_of, program_of, require_close, run_compiled
from turns import by_turns

from uol.backends.cpu.oracle import oracle
from uol.backends.cpu.schedules import contraction, elementwise, reduction
from uol.ir import interpret

TYPES = ("f32", "f32", "f64", "f16", "bf16")
MOST_POINTS = 200_000


@dataclass
class Case:
    """An operator, what binds it, the shapes of its tensors, and the terms of its sums."""

    text: str
    given: dict[str, Any]
    shapes: dict[str, list[int]]
    terms: int
    layouts: dict[str, tuple[int, ...]] = field(default_factory=dict)


def strides_in_some_order(rng: random.Random, shape: list[int], gaps: bool) -> tuple[int, ...]:
    order = rng.sample(range(len(shape)), len(shape))
    strides, step = [0] * len(shape), 1
    for dim in order:
        strides[dim] = step
        step = step * shape[dim] + (rng.randint(1, 3) if gaps and rng.random() < 0.3 else 0)
    return tuple(strides)


def sized_axes(rng: random.Random, count: int, sizes: tuple[int, ...]) -> dict[str, int]:
    while True:
        found = {f"i{n}": rng.choice(sizes) for n in range(count)}
        if prod(found.values()) <= MOST_POINTS:
            return found


def access(axes: list[str]) -> str:
    return f"[{', '.join(axes)}]"


def dims(axes: list[str]) -> str:
    return f"[{', '.join(a.upper() for a in axes)}]"


def product(rng: random.Random) -> Case:
    """A batched product of any numbers of m, n and k axes, with a residual."""
    counts = rng.randint(0, 1), rng.randint(1, 2), rng.randint(1, 2), rng.randint(1, 2)
    axes = sized_axes(rng, sum(counts), (1, 2, 3, 5, 7, 8, 13, 16, 17, 33, 40))
    names = list(axes)
    groups = []
    for count in counts:
        groups.append(names[:count])
        names = names[count:]
    batch, m, n, k = groups
    a, b, out = (rng.sample(group, len(group)) for group in (batch + m + k, batch + n + k, batch + m + n))
    text = (
        f"op f(x: T{dims(a)}, w: T{dims(b)}, z: T{dims(out)}) -> (y: T{dims(out)}) for T in (f64, f32, f16, bf16) {{"
        f" y{access(out)} = T(max(sum{access(k)}(acc(x{access(a)}) * acc(w{access(b)})) + acc(z{access(out)}), -1000)) }}"
    )
    shapes = {name: [axes[i] for i in order] for name, order in {"x": a, "w": b, "z": out, "y": out}.items()}
    return Case(text, {"dims": {i.upper(): s for i, s in axes.items()}}, shapes, prod(axes[i] for i in k))


def rows(rng: random.Random) -> Case:
    """A softmax and an argmax over some of the axes of a tensor."""
    row_count, col_count = rng.randint(0, 2), rng.randint(1, 2)
    axes = sized_axes(rng, row_count + col_count, (1, 2, 3, 7, 16, 17, 33, 64, 65, 130))
    names = list(axes)
    kept, reduced, order = names[:row_count], names[row_count:], rng.sample(names, len(names))
    x = access(order)
    text = (
        f"op f(x: T{dims(order)}) -> (y: T{dims(order)}, t: i64{dims(kept)}) for T in (f64, f32, f16, bf16) {{"
        f" h{access(kept)} = max{access(reduced)}(acc(x{x})) e{x} = exp(acc(x{x}) - h{access(kept)})"
        f" z{access(kept)} = sum{access(reduced)}(e{x}) y{x} = T(e{x} / z{access(kept)})"
        f" t{access(kept)} = argmax{access(reduced)}(x{x}) }}"
    )
    shapes = {"x": [axes[i] for i in order], "y": [axes[i] for i in order], "t": [axes[i] for i in kept]}
    return Case(text, {"dims": {i.upper(): s for i, s in axes.items()}}, shapes, 200)


def elements(rng: random.Random) -> Case:
    """An elementwise function of a tensor and one over some of its axes."""
    axes = sized_axes(rng, rng.randint(1, 4), (1, 2, 3, 7, 16, 17, 33, 40))
    names = list(axes)
    x = rng.sample(names, len(names))
    w = [i for i in rng.sample(names, len(names)) if rng.random() < 0.6]
    text = (
        f"op f(x: T{dims(x)}, w: T{dims(w)}) -> (y: T{dims(names)}) for T in (f64, f32, f16, bf16) {{"
        f" s{access(w)} = tanh(acc(w{access(w)})) y{access(names)} = T(acc(x{access(x)}) * s{access(w)} + 1) }}"
    )
    shapes = {name: [axes[i] for i in order] for name, order in {"x": x, "w": w, "y": names}.items()}
    return Case(text, {"dims": {i.upper(): s for i, s in axes.items()}}, shapes, 8)


def convolution(rng: random.Random) -> Case:
    """A convolution with a padding of its own on each side."""
    while True:
        c, o, h, w = rng.choice((1, 3, 8, 16, 20)), rng.choice((1, 5, 16, 33, 40)), rng.randint(3, 17), rng.randint(3, 17)
        r, s, down, right, tall, wide = (rng.randint(1, 3), rng.randint(1, 3), *(rng.randint(1, 2) for _ in range(4)))
        top, left, bottom, end = (rng.randint(0, 2) for _ in range(4))
        p, q = (h + top + bottom - tall * (r - 1) - 1) // down + 1, (w + left + end - wide * (s - 1) - 1) // right + 1
        if p > 0 and q > 0:
            break
    attrs = {"stride_h": down, "stride_w": right, "dilation_h": tall, "dilation_w": wide}
    attrs |= {"pad_top": top, "pad_left": left, "pad_bottom": bottom, "pad_right": end}
    given = {"dims": {"N": 2, "C": c, "H": h, "W": w, "O": o, "D": c, "R": r, "S": s}, "attrs": attrs}
    return Case("conv2d", given, {"x": [2, c, h, w], "w": [o, c, r, s], "y": [2, o, p, q]}, c * r * s)


def require_right(seed: int) -> None:
    """One random case, in the kernels that the backend chooses and in the oracle."""
    rng = random.Random(seed)
    make: Callable[[random.Random], Case] = rng.choice((product, product, rows, elements, convolution))
    case, dtype = make(rng), rng.choice(TYPES)
    for name, shape in case.shapes.items():
        if rng.random() < 0.7:
            case.layouts[name] = strides_in_some_order(rng, shape, gaps=name not in ("y", "t"))
    program = program_of(case.text, types={"T": dtype}, **case.given)
    inputs = inputs_of(program, seed)
    given = as_numbers(program, inputs)
    golden = interpret(program, given)
    graph = graph_of(program, case.layouts)
    types = {a.name: a.dtype for a in graph.args}
    magnitude = interpret(program, {n: np.abs(v) for n, v in given.items()})
    for results in (run_compiled(graph, inputs), oracle.run(graph, inputs)):
        for name, values in golden.items():
            bound = np.abs(values) + 1 if make is rows else np.abs(magnitude[name]) + 1e-3
            require_close(results[name], values, types[name], case.terms + 16, bound)


@pytest.mark.parametrize("seed", by_turns(2, range(16)))
def test_random_operators(seed: int) -> None:
    require_right(seed)


@pytest.mark.parametrize("seed", by_turns(2, range(100, 112)))
def test_random_operators_with_every_loop_parallel(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contraction, "PARALLEL_FROM_PRODUCTS", 0)
    monkeypatch.setattr(elementwise, "PARALLEL_FROM", 0)
    monkeypatch.setattr(reduction, "PARALLEL_FROM", 0)
    require_right(seed)


OTHERS = [name for name in BACKEND.devices if name != BACKEND.default_device]


@pytest.mark.skipif(not OTHERS[0].startswith("x86-64"), reason="other processors cannot be tried on this one")
@pytest.mark.parametrize(("device", "seed"), by_turns(2, [name for name in OTHERS if name != "x86-64-v4"], range(200, 206)))
def test_random_operators_for_older_processors(device: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_cases, "HOST", BACKEND.devices[device])
    require_right(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1400))
def test_many_random_operators(seed: int) -> None:
    require_right(seed)
