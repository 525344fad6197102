"""The oracle of gradients, held against PyTorch's functions on the library's operators, and against the language's rules where
PyTorch has others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from turns import by_turns

from uol.conformance.autograd.dtypes import NARROW, cast
from uol.conformance.autograd.oracle import Gradients, evaluate, gradients, gradients_of
from uol.conformance.gradients.trial import difference, drawn
from uol.conformance.library_gradients import LibraryCase, differentiable, points
from uol.ir import Library, instantiate, parse
from uol.ops.inputs import make_inputs
from uol.ops.references import differentiable_reference
from uol.ops.workloads import Workload, workloads_of


def workload_of(name: str) -> Workload:
    """The largest of at most two thousand points: no dim is 0, or 1 for want of room."""
    every = sorted((w for w in workloads_of(name) if points(w)), key=points)
    return [w for w in every if points(w) <= 2000 or w is every[0]][-1]


@pytest.mark.parametrize("name", by_turns(12, differentiable()))
def test_on_the_library_it_is_pytorch(name: str) -> None:
    case = LibraryCase(workload_of(name))
    forward = case.instance(case.op)
    inputs = make_inputs(forward, "random", 3)
    cotangents, directions = drawn(forward, case.run(forward, inputs), inputs, 5)
    found = gradients(forward, inputs, cotangents, directions, {s.name: case.attrs[s.name] for s in forward.scalars})
    formula, results = differentiable_reference(name), [t.name for t in forward.by_role("out")]

    def reference(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        given = formula(*tensors.values(), **case.workload.attrs)
        return dict(zip(results, given if isinstance(given, tuple | list) else (given,), strict=True))

    with sdpa_kernel(SDPBackend.MATH):  # attention has a second derivative here alone
        owed = gradients_of(reference, inputs, cotangents, directions)
    for actual, expected in ((found.results, owed.results), (found.first, owed.first), (found.second, owed.second)):
        assert not difference(actual, expected, 1e-8), case.workload


def of(text: str, **inputs: list[float] | np.ndarray) -> Gradients:
    """The oracle on a text with dims as its inputs have them; every cotangent and direction is 1."""
    op = parse(text)[0]
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    sizes = {d.id: n for p in op.params for d, n in zip(p.dims, arrays[p.name].shape, strict=True)}  # type: ignore[union-attr]
    program = instantiate(op, Library(), types={}, dims=sizes)
    results = evaluate(program, {name: torch.tensor(array) for name, array in arrays.items()})
    ones = {name: np.ones(y.shape) for name, y in results.items() if y.is_floating_point()}
    return gradients(program, arrays, ones, {n: np.ones(a.shape) for n, a in arrays.items() if a.dtype.kind == "f"})


@pytest.mark.parametrize(
    ("body", "x", "first"),
    [
        ("y[i] = max(x[i], 0)", [-1.0, 0.0, 2.0], [0, 0, 1]),
        ("y[i] = min(x[i], 0.5 * N)", [1.5, 0.0, 2.0], [0, 1, 0]),
        ("y[i] = max(x[i], x[0])", [1.0, 1.0, 2.0], [1.5, 0.5, 1]),
        ("y[i] = abs(x[i])", [-1.0, 0.0, 2.0], [-1, 0, 1]),
        ("y[i] = select(i == 0, max[j](x[j]), 0)", [2.0, 1.0, 2.0], [1, 0, 0]),
        ("y[i] = select(i == 0, min[j](x[j] * x[j]), 0)", [1.0, -1.0, 2.0], [2, 0, 0]),
        ("y[i] = max[j <= i](x[j])", [1.0, 1.0, 0.5], [3, 0, 0]),
        ("y[i] = max(max[j < i](x[j]), -9)", [1.0, 1.0, 0.5], [2, 0, 0]),
        ("y[i] = select(i == 0, prod[j](x[j]), 0)", [0.0, 3.0, 2.0], [6, 0, 0]),
        ("y[i] = select(i == 0, prod[j](x[j]), 0)", [0.0, 3.0, 0.0], [0, 0, 0]),
        ("y[i] = sum[j <= i](x[j] * x[j])", [1.0, 2.0, 3.0], [6, 8, 6]),
        ("y[i] = x[i - 1] else (x[i] * x[i])", [1.0, 2.0, 3.0], [3, 1, 0]),
        ("y[i] = x[N - 1 - i] * (x[i + 1] else 2)", [1.0, 2.0, 3.0], [2, 6, 4]),
        ("y[i] = sum[r < 2](x[i / 2 + r] else 0)", [1.0, 2.0, 3.0], [2, 3, 1]),
        ("p[i] = argsort[q](x[q])\n y[i] = x[p[i]] * i64_weight(i)", [2.0, 1.0, 2.0], [2, 1, 3]),
        ("s[i % 2 + 1] += x[i] * x[i]\n y[i] = s[i]", [1.0, 2.0, 3.0], [2, 4, 6]),
        ("s[i * 2 - 1] += x[i] * x[i]\n y[i] = s[i]", [1.0, 2.0, 3.0], [0, 4, 0]),
        ("y[i] = floor(x[i]) + x[i]", [0.5, 1.0, -1.5], [1, 1, 1]),
    ],
)
def test_the_rules_of_the_language(body: str, x: list[float], first: list[float]) -> None:
    body = body.replace("i64_weight(i)", "f64(i + 1)")
    found = of(f"op rule(x: f64[N]) -> (y: f64[N]) where N > 0 {{ {body} }}", x=x)
    assert found.first["x"].tolist() == first


@pytest.mark.parametrize(
    "body",
    [
        "y[i] = select(x[i] > 0, sqrt(x[i]), x[i])",
        "y[i] = select(x[i] > 0, log(x[i]) / x[i], 2 * x[i])",
        "y[i] = sqrt(x[i + 1] else x[i] * x[i] + 1) * 0 + x[i]",
        "y[i] = select(x[i] > 0, sum[j](select(x[j] > 0, rsqrt(x[j]), 0)), x[i])",
    ],
)
def test_what_is_not_chosen_is_not_there(body: str) -> None:
    assert of(f"op lazy(x: f64[N]) -> (y: f64[N]) {{ {body} }}", x=[4.0, 0.0, 1.0]).is_finite


def test_the_first_nan_is_the_extremum_and_absent_terms_are_none() -> None:
    text = "op nans(x: f64[N]) -> (y: f64[], at: i64[]) { y[] = max[i](x[i])\n at[] = argmax[i](x[i]) }"
    found = of(text, x=[1.0, np.nan, 3.0, np.nan])
    assert found.results["at"] == 1 and np.isnan(found.results["y"]) and found.first["x"].tolist() == [0, 1, 0, 0]
    kept = of("op kept(x: f64[N]) -> (y: f64[N]) { y[i] = min[j > i](x[j]) }", x=[np.nan, 2.0])
    assert kept.results["y"].tolist() == [2.0, np.inf] and kept.first["x"].tolist() == [0, 1]


def test_integers_wrap_and_floor_and_casts_round() -> None:
    text = """op integers(a: i8[N], b: i8[N], x: f64[N])
        -> (s: i8[N], q: i8[N], r: i8[N], t: i8[N], h: f64[N]) {
      s[i] = a[i] * b[i]
      q[i] = a[i] / b[i]
      r[i] = a[i] % b[i]
      t[i] = i8(x[i])
      h[i] = f64(bf16(x[i]))
    }"""
    a, b = np.array([100, -7, -7, 7]), np.array([2, 2, 0, -2])
    found = of(text, a=a, b=b, x=np.array([-1.75, 300.0, np.nan, 1.00390625]))
    assert {n: found.results[n].tolist() for n in "sqrt"} == {
        "s": [-56, -14, 0, -14],
        "q": [50, -4, 0, -4],
        "r": [0, 1, 0, -1],
        "t": [-1, 127, 0, 1],
    }
    assert found.results["h"][[0, 1, 3]].tolist() == [-1.75, 300.0, 1.0] and found.first["x"].tolist() == [1, 1, 1, 1]


def test_the_second_gradient_of_a_cube() -> None:
    found = of("op cube(x: f64[N]) -> (y: f64[N]) { y[i] = x[i] * x[i] * x[i] }", x=[1.0, -2.0])
    assert found.first["x"].tolist() == [3, 12]
    assert found.second["x"].tolist() == [6, -12] and found.second["y"].tolist() == [3, 12]


def test_a_nan_is_a_difference() -> None:
    one, nan = {"x": np.array([1.0])}, {"x": np.array([np.nan])}
    assert difference(nan, one) and difference(one, nan) and not difference(one, one)
    assert difference({"x": np.array([[1.0]])}, one)


@pytest.mark.parametrize(("dtype", "largest"), [("f16", np.inf), ("bf16", 1e6), ("f8e4m3", 448.0), ("f8e5m2", np.inf)])
def test_a_cast_of_what_is_not_finite_keeps_value_and_cotangent(dtype: str, largest: float) -> None:
    """Of infinities in types that have them; a difference of two infinities is NaN. Where a number becomes infinite by being
    rounded, its cotangent is NaN: autograd in float64 is no judge there."""
    given = torch.tensor([np.inf, -np.inf, np.nan, 1e6, 0.1], dtype=torch.float64, requires_grad=True)
    rounded = cast(given, dtype)
    ends = (448.0, -448.0) if dtype == "f8e4m3" else (np.inf, -np.inf)
    assert tuple(rounded[:2].tolist()) == ends and rounded[2].isnan()
    assert abs(rounded[3].item() / largest - 1) < 0.01 or rounded[3].item() == largest
    (cotangent,) = torch.autograd.grad(rounded.sum(), given)
    has_infinity = dtype != "f8e4m3"
    beyond = np.nan if largest == np.inf else 1.0
    np.testing.assert_array_equal(cotangent, [has_infinity, has_infinity, has_infinity, beyond, 1.0])


@pytest.mark.parametrize("dtype", NARROW)
def test_the_cotangent_of_a_cast_has_its_type_as_pytorchs_has(dtype: str) -> None:
    x, w = (torch.randn(99, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    x, w = x.float().double().requires_grad_(), w.float().double()  # PyTorch rounds a float64 twice
    (found,) = torch.autograd.grad(cast(x, dtype), x, w)
    (owed,) = torch.autograd.grad(x.to(NARROW[dtype]).double(), x, w)
    assert torch.equal(found, owed) and not torch.equal(found, w)


def test_the_cotangent_of_a_cast_is_rounded_once_for_all_uses() -> None:
    x = torch.ones(1, dtype=torch.float64, requires_grad=True)
    value = cast(x, "f8e4m3")
    (found,) = torch.autograd.grad(1.05 * value + 1.05 * value + 1.05 * value, x)
    assert found.tolist() == [3.25]  # of 3.15; each alone would be 1
