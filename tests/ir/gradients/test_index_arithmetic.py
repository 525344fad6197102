"""Index arithmetic, guards, nested reductions and choices in texts: the derived gradient, and that of the gradient, along a
random direction is the limit of differences of the interpreted text."""

from __future__ import annotations

import numpy as np
import pytest
from turns import by_turns

from uol.ir import Library, Op, check, instantiate, interpret, parse, print_op
from uol.ir.checker.instantiation import dim_names
from uol.ir.gradients.derivation import derive

EMPTY = Library()
SIZES = dict(N=7, M=9, K=3)
STEPS = (1e-5, 1e-6)

REMAINDERS = (
    "x: T[N]) -> (y: T[N]", "y[i] = x[i % 4]",
    "x: T[N]) -> (y: T[N]", "y[i] = (x[(i + 2) % 4] else 0) * (x[i % 5] else 1)",
    "x: T[N, M], w: T[N, M]) -> (y: T[N, M]", "y[i, j] = (x[(j + 1), ((j + 1) + (i % 5))] else 0) * w[i, j]",
    "x: T[N]) -> (y: T[N]", "y[i] = x[i / 2 % 3] * x[(N - 1 - i) % 4]",
    "x: T[N, M]) -> (y: T[N]", "y[i] = (x[i % 3, i % 2 + i / 2] else 1) * (x[i, i % 4] else 0)",
)  # fmt: skip
EQUAL_FACTORS = (
    "v: T[N]) -> (y: T[N]", "y[i] = (v[i] else 0) * (v[i - 1] else 0) * v[i]",
    "v: T[N]) -> (y: T[N]", "y[i] = (v[i] else 0) * (v[i + 2] else 0) * v[i]",
    "v: T[N]) -> (y: T[N]", "y[i] = v[i] * v[i] * (v[N - 1 - i] else 0) * (v[i] else 0)",
)  # fmt: skip
REPEATED_TERMS = (
    "x: T[N]) -> (y: T[N]", "y[i] = sum[l < 3](x[i]) * x[i]",
    "x: T[N], w: T[K]) -> (y: T[N]", "y[i] = sum[k < K, l < 3](x[N - 1 - i]) * (w[0] else 1)",
)  # fmt: skip
NESTED = (
    "c: T[N, M], v: T[N]) -> (y: T[M]", "y[j] = min[i]((c[i, j] + v[i] + (v[i/2] else 0)) * v[i]) * c[0, j]",
    "a: T[M], v: T[N]) -> (y: T[M]", "y[j] = sum[i](min[l <= i](tanh(a[j]) * v[l]) * v[i])",
    "a: T[M], v: T[N]) -> (y: T[M]",
    "y[j] = sum[i](v[i] * max(max[l < i, k < 2](v[l] * a[j] + T(k) * v[i]), -1))",
    "x: T[N]) -> (y: T[N]", "y[i] = sin(max(max[l < i](x[l] * x[i]), -2)) + min(min[l > i](x[l / 2] * x[l]), 2) * x[i]",
    "x: T[N], b: T[M]) -> (y: T[N]", "y[i] = prod[l < 3](x[i] + (b[i / 3 + i + l] else 0.5))",
    "x: T[N]) -> (y: T[N]", "y[i] = sum[l <= i](x[(i - l) / 2 + l / 3] else 0)",
    "x: T[N], b: T[M]) -> (y: T[N]",
    "t[i] = sum[l, k < 3](x[l] * (x[i] else 0) * (b[l / 2 + k] else 1))  y[i] = sum[l <= i](t[l / 2] * x[i - l])",
    "x: T[N], w: T[N, K]) -> (y: T[N]",
    "s[i, k] = max[p > i - 2, p <= i](w[p, k] * x[i])  y[i] = prod[k](s[N - 1 - i, k])",
)  # fmt: skip
BEYOND_THE_DIM = (
    "x: T[N, K], v: T[N]) -> (y: T[N]", "y[i] = max[l >= i, l < i + 2](x[i, l] else 0) * v[i]",
    "x: T[K], v: T[N]) -> (y: T[N]", "y[i] = prod[l < max(i, 2)]((x[l] else 2) * v[i]) + sum[l < i + 2]((x[l] else 2) * v[i])",
)  # fmt: skip
AMONG_STATEMENTS = (
    "b: T[M], v: T[N]) -> (y: T[N]", "y[i] = sum[l < M]((v[N - 1 - l] else 1) + b[l])",
    "x: T[N], w: T[N]) -> (y: T[N]",
    "s[i] = sum[l < 3](x[i / 3 + l] else 1) * w[i]  y[i] = w[i] * sum[l](s[l / 2] * s[i] * s[l])",
    "a: T[N], v: T[N]) -> (y: T[N]",
    "y[i] = prod[l < i + 2, l > i - 2, k <= l](((a[l + i % 3] else 0) + (v[k - 1] else 0.5)) * a[i])",
)  # fmt: skip
NO_INVERSE = (
    "x: T[N]) -> (y: T[N]", "y[i] = x[i/3 + i] else 0",
    "x: T[N], b: T[M]) -> (y: T[N]", "y[i] = (x[3*i + i - 1] else 0.5) * (b[(i * 2 + i / 2) % 4] else 0)",
    "x: T[N, M]) -> (y: T[N, M]", "y[i, j] = (x[i, i * j] else 0) + (x[(i + j) / (j + 1), j] else 0)",
    "x: T[N], at: i32[N]) -> (y: T[N]",
    "y[i] = select(i < N - 1, x[at[i + 1]] else 0, 2) * (x[at[i] + i] else x[i])",
    "x: T[M], v: T[N], at: i32[N]) -> (y: T[N]",
    "t[at[i], j] += (x[j] else 2) * v[i]  u[k, i] = t[k, i] * v[k] * v[i]  y[i] = sum[j](u[i, j])",
    "x: T[N], at: i32[N]) -> (y: T[N]", "t[at[i] + i] += x[i] * x[i]  y[i] = t[i] * (t[i / 2] else 0) * x[at[i]] else 1",
)  # fmt: skip
CHOICES = (
    "b: T[N, M]) -> (y: T[N, M]", "y[j, k] = tanh(select(j != 3, b[j, k] - 2, select(b[j, k] > 0.1, 0.5, 2))) * b[j, k]",
    "x: T[N, M]) -> (y: T[N]", "s[i, j] = select(i == j, 2, sum[c](x[i, c] * x[j, c]))  y[i] = sum[j](s[i, j])",
    "x: T[N]) -> (y: T[N]", "y[i] = select(i + 1 > i, x[i] * x[i], select(i < i, x[i], 3)) * select(x[i] > 0, 1, 2)",
    "x: T[N]) -> (y: T[N]",
    "t[i] = select(x[i] > 0, x[i], 0.5)  y[i] = sum[l](select(l < i, t[l] * t[i], select(t[l] < 1, 1, 2)))",
)  # fmt: skip


def texts(pairs: tuple[str, ...]) -> list[str]:
    where = "for T in (f64, f32) where N >= 7"
    return [f"op f({head}) {where} {{ {body} }}" for head, body in zip(pairs[::2], pairs[1::2], strict=True)]


def run(op: Op, inputs: dict[str, np.ndarray], **attrs: int) -> dict[str, np.ndarray]:
    dims = {d: SIZES[d] for d in dim_names(op)}
    program = instantiate(op, EMPTY, types={t.variable: "f64" for t in op.domain}, dims=dims, attrs=attrs)
    return interpret(program, {t.name: inputs[t.name] for t in program.by_role("in")})


def compare(op: Op, inputs: dict[str, np.ndarray], **attrs: int) -> tuple[Op, dict[str, np.ndarray]]:
    """The derived text, and what it takes; its results are the slopes of the forward."""
    derived = derive(op, EMPTY)
    assert parse(print_op(derived.op))[0] == derived.op
    rng = np.random.default_rng(5)
    forward = run(op, inputs, **attrs)
    seeds = {c: rng.standard_normal(forward[y].shape) for y, c in derived.roles.cotangents.items()}
    known = {**inputs, **forward, **seeds}
    found = run(derived.op, known, **attrs)
    along = {n: rng.standard_normal(inputs[n].shape) for n in derived.roles.gradients}
    got = sum(float((found[d] * along[n]).sum()) for n, d in derived.roles.gradients.items())
    slopes = []
    for step in STEPS:
        ends = [run(op, {**inputs, **{n: inputs[n] + s * step * d for n, d in along.items()}}, **attrs) for s in (1, -1)]
        plus, minus = (sum(float((e[y] * seeds[c]).sum()) for y, c in derived.roles.cotangents.items()) for e in ends)
        slopes.append((plus - minus) / (2 * step))
    assert min(abs(s - got) for s in slopes) <= 1e-6 * (1 + abs(got)), (print_op(derived.op), got, slopes)
    return derived.op, known


def compare_twice(op: Op, **attrs: int) -> None:
    rng = np.random.default_rng(3)
    shapes = {p.name: (p.type, tuple(SIZES[d.id] for d in p.dims)) for p in op.params}
    inputs = {n: rng.integers(-1, 8, s) if t == "i32" else rng.uniform(-1.5, 1.5, s) for n, (t, s) in shapes.items()}
    compare(*compare(op, inputs, **attrs), **attrs)


ALL = (*REMAINDERS, *EQUAL_FACTORS, *REPEATED_TERMS, *NESTED, *BEYOND_THE_DIM, *AMONG_STATEMENTS, *NO_INVERSE, *CHOICES)


@pytest.mark.parametrize("text", by_turns(2, texts(ALL)), ids=lambda t: t.split("{")[1])
def test_slopes(text: str) -> None:
    compare_twice(parse(text)[0])


@pytest.mark.parametrize("text", [texts(p)[0] for p in (REMAINDERS, EQUAL_FACTORS, NESTED, NO_INVERSE, CHOICES)])
def test_these_texts_pass_the_checker_at_any_size(text: str) -> None:
    (op,) = parse(text)
    for _ in range(2):
        op = derive(op, EMPTY).op
        check(op, EMPTY)


@pytest.mark.parametrize(("where", "k"), [("k < 0", -2), ("k > 0", 2), ("k >= 0", 0), ("N > 0", -1)])
def test_a_stride_of_any_sign(where: str, k: int) -> None:
    (op,) = parse(f"op f(x: T[N]; k: int) -> (y: T[N]) for T in (f64, f32) where {where} {{ y[i] = x[N - 1 + k*i] else 0 }}")
    check(derive(op, EMPTY).op, EMPTY)
    compare_twice(op, k=k)


def test_a_stride_within_a_stride() -> None:
    (op,) = parse(
        "op f(x: T[N], v: T[N]; s: int) -> (y: T[N]) for T in (f64, f32) where s > 0 { y[i] = v[i / s] * (x[i * s] else 0) }"
    )
    compare_twice(op, s=2)
