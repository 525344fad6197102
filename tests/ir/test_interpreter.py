"""The golden value, against numpy, PyTorch in float64, and an evaluator that goes element by element."""

from pathlib import Path

import numpy as np
import pytest
import scalar_reference
from hypothesis import given, settings
from random_ops import Case, typed_ops

from uol.ir import Library, ShapeError, instantiate, interpret, parse
from uol.ir.checker.argument_binding import bind_shapes
from uol.ir.program import interpreter as interpreter_module
from uol.ir.program.rounding import round_to

torch = pytest.importorskip("torch", reason="the references are PyTorch's")
F = torch.nn.functional

CORE = Path(__file__).parent / "texts" / "core.uol"
LIBRARY = Library(parse(CORE.read_text(), CORE.name))


def golden(name: str, dtype: str, inputs: dict[str, np.ndarray], attrs: dict | None = None, scalars: dict | None = None):
    op = LIBRARY.get(name)
    dtypes = [p.type if p.type != "T" else dtype for p in op.params]
    binding = bind_shapes(op, [(t, inputs[p.name].shape) for t, p in zip(dtypes, op.params, strict=True)])
    types = {"T": dtype} if op.domain else {}
    program = instantiate(op, LIBRARY, types=types, ranks=binding.ranks, dims=binding.sizes, attrs=attrs or {})
    (result,) = interpret(program, inputs, scalars or {}).values()
    return result


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def tensor(array: np.ndarray):
    return torch.tensor(array, dtype=torch.float64)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-12) -> None:
    assert found.shape == tuple(expected.shape)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


SHAPES = [(), (0,), (1,), (7,), (3, 0, 2), (2, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_elementwise(shape: tuple[int, ...]) -> None:
    x, b = normal(*shape), normal(*shape, seed=1)
    close(golden("relu", "f64", {"x": x}), np.maximum(x, 0))
    close(golden("add", "f64", {"a": x, "b": b}), x + b)


@pytest.mark.parametrize("shape", [(1,), (7,), (0, 5), (3, 0), (2, 3, 33)])
def test_softmax(shape: tuple[int, ...]) -> None:
    x = normal(*shape) * 5
    close(golden("softmax", "f64", {"x": x}), F.softmax(tensor(x), -1).numpy())


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (0, 5)])
def test_linear(shape: tuple[int, ...]) -> None:
    x, w, b = normal(*shape), normal(4, 5, seed=1), normal(4, seed=2)
    close(golden("linear_relu", "f64", {"x": x, "w": w, "b": b}), F.relu(F.linear(tensor(x), tensor(w), tensor(b))).numpy())


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pad", [0, 1, 3])
@pytest.mark.parametrize(("dilation", "groups"), [(1, 1), (2, 1), (1, 2), (2, 4)])
def test_convolution(stride: int, pad: int, dilation: int, groups: int) -> None:
    x, w = normal(2, 8, 9, 7), normal(4, 8 // groups, 3, 2, seed=1)
    found = golden("conv2d", "f64", {"x": x, "w": w}, dict(stride=stride, pad=pad, dilation=dilation, groups=groups))
    close(found, F.conv2d(tensor(x), tensor(w), None, stride, pad, dilation, groups).numpy())


@pytest.mark.parametrize(("k", "stride", "pad"), [(1, 1, 0), (2, 2, 0), (3, 2, 1), (3, 1, 1)])
def test_max_pool(k: int, stride: int, pad: int) -> None:
    x = normal(2, 3, 9, 8)
    found = golden("max_pool2d", "f64", {"x": x}, dict(k=k, stride=stride, pad=pad))
    close(found, F.max_pool2d(tensor(x), k, stride, pad).numpy())


def test_norm_attention_and_windows() -> None:
    x, w = normal(3, 6), normal(6, seed=1)
    expected = x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.5) * w
    close(golden("rms_norm", "f64", {"x": x, "w": w}, scalars={"eps": 0.5}), expected)
    q, k, v = normal(2, 5, 4), normal(2, 3, 4, seed=1), normal(2, 3, 6, seed=2)
    expected = F.scaled_dot_product_attention(tensor(q), tensor(k), tensor(v), scale=0.25).numpy()
    close(golden("attention", "f64", {"q": q, "k": k, "v": v}, scalars={"scale": 0.25}), expected)
    line = normal(9)
    close(golden("cumsum", "f64", {"x": line}), np.cumsum(line))
    moving = [line[max(0, i - 2) : i + 1].sum() for i in range(9)]
    exact = golden("moving_sum", "f32", {"x": line.astype(np.float32)}, {"w": 3})
    np.testing.assert_allclose(exact, moving, rtol=1e-5)
    close(golden("mean", "f64", {"x": normal(3, 4)}), normal(3, 4).mean())


def test_gather_fills_what_is_outside() -> None:
    x, at = normal(4, 3), np.array([3, -1, 0, 4, 2**31 - 1])
    expected = np.stack([x[3], np.zeros(3), x[0], np.zeros(3), np.zeros(3)])
    close(golden("pick", "f64", {"x": x, "at": at}), expected)
    close(golden("pick", "f64", {"x": x[:0], "at": at}), np.zeros((5, 3)))


def test_argmax_takes_the_first_nan_else_the_first_extremum() -> None:
    nan = np.nan
    x = np.array([[1, 3, 3, 2], [nan, 5, nan, 9], [4, nan, 9, nan], [-np.inf] * 4])
    found = golden("argmax", "f64", {"x": x})
    assert found.dtype == np.int64
    assert found.tolist() == [1, 0, 1, 0]


def test_argmax_over_several_axes_and_under_a_mask() -> None:
    op = parse("""op t(x: f32[N, M]) -> (a: i64[], b: i64[N]) where N > 0, M > 0 {
      a[] = argmin[n, m](x[n, m]); b[n] = argmax[m <= n](x[n, m]) }""")[0]
    x = np.array([[5.0, 9, 9], [1, 2, 9], [-1, -1, -3]])
    program = instantiate(op, Library(), types={}, dims={"N": 3, "M": 3})
    found = interpret(program, {"x": x})
    assert found["a"] == 8
    assert found["b"].tolist() == [0, 1, 0]


def test_nan_spreads_through_max_and_min() -> None:
    x = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, np.nan], [3.0, 1.0, 2.0]])
    op = parse("op t(x: f32[N, M]) -> (a: f32[N], b: f32[N], c: f32[N, M]) "
               "{ a[n] = max[m](x[n, m]) b[n] = min[m](x[n, m]) c[n, m] = max(x[n, m], 2) }")[0]  # fmt: skip
    found = interpret(instantiate(op, Library(), types={}, dims={"N": 3, "M": 3}), {"x": x})
    np.testing.assert_array_equal(found["a"], [np.nan, np.nan, 3])
    np.testing.assert_array_equal(found["b"], [np.nan, np.nan, 1])
    np.testing.assert_array_equal(found["c"], np.maximum(x, 2))


def test_empty_reductions_give_the_identity() -> None:
    op = parse("""op t(x: f32[N], i: i32[N], b: bool[N])
        -> (s: f32[], p: f32[], hi: f32[], lo: f32[], ih: i32[], any_: bool[], all_: bool[]) {
      s[] = sum[n](x[n]); p[] = prod[n](x[n]); hi[] = max[n](x[n]); lo[] = min[n](x[n]); ih[] = max[n](i[n])
      any_[] = any[n](b[n]); all_[] = all[n](b[n]) }""")[0]
    program = instantiate(op, Library(), types={}, dims={"N": 0})
    found = interpret(program, {"x": np.zeros(0), "i": np.zeros(0, int), "b": np.zeros(0, bool)})
    assert [found[n].item() for n in ("s", "p", "hi", "lo", "ih", "any_", "all_")] == [
        0, 1, -np.inf, np.inf, -(2**31), False, True,
    ]  # fmt: skip


def test_casts_round_where_they_stand_but_not_the_last_one() -> None:
    op = parse("""op t(x: f32[N]) -> (h: f16[N], y: f32[N], q: i8[N]) {
      h[i] = f16(x[i]); y[i] = f32(f16(x[i])) + f32(h[i]); q[i] = i8(x[i] * 100) }""")[0]
    x = np.array([0.1, 1.0, 2.7, -3.3, 1e9, np.nan]).astype(np.float32).astype(np.float64)
    found = interpret(instantiate(op, Library(), types={}, dims={"N": 6}), {"x": x})
    half = round_to(x, "f16")
    np.testing.assert_array_equal(found["h"], x)  # the last cast of a result is not applied
    np.testing.assert_array_equal(found["y"], half + half)  # a later reader sees it
    assert found["q"].tolist() == [10, 100, 127, -128, 127, 0]


def test_integers_are_exact_and_wrap() -> None:
    op = parse("""op t(a: i32[N], b: i32[N], c: i8[N]) -> (s: i32[N], d: i32[N], m: i32[N], w: i8[N], total: i32[]) {
      s[i] = a[i] * b[i]; d[i] = a[i] / b[i]; m[i] = a[i] % b[i]; w[i] = c[i] + c[i]; total[] = sum[i](acc(c[i])) }""")[0]
    a, b, c = np.array([7, -7, 2**30, 5]), np.array([2, 2, 4, 0]), np.array([100, -100, 127, 1])
    found = interpret(instantiate(op, Library(), types={}, dims={"N": 4}), {"a": a, "b": b, "c": c})
    assert found["s"].tolist() == [14, -14, 0, 0]
    assert found["d"].tolist() == [3, -4, 2**28, 0]  # floored; a division by zero gives 0
    assert found["m"].tolist() == [1, 1, 0, 0]
    assert found["w"].tolist() == [-56, 56, -2, 2]
    assert found["total"].item() == 128


def test_select_is_lazy() -> None:
    op = parse("op t(x: f32[N]) -> (y: f32[N]) { y[i] = select(i > 0, x[i - 1], 1 / x[i]) }")[0]
    program = instantiate(op, Library(), types={}, dims={"N": 3})
    found = interpret(program, {"x": np.array([2.0, 0.0, 4.0])})
    assert found["y"].tolist() == [0.5, 2.0, 0.0]


def test_inputs_are_rounded_to_their_type() -> None:
    found = golden("relu", "f16", {"x": np.array([0.1, 70000.0])})
    np.testing.assert_array_equal(found, [np.float64(np.float16(0.1)), np.inf])


def test_dims_may_stay_symbolic() -> None:
    op = LIBRARY.get("softmax")
    program = instantiate(op, LIBRARY, types={"T": "f64"}, ranks={"S": 1})
    assert program.dims == ("S", "C")
    x = normal(3, 5)
    close(interpret(program, {"x": x}, dims={"S": 3, "C": 5})["y"], F.softmax(tensor(x), -1).numpy())


def test_what_a_run_needs_is_asked_for() -> None:
    op = LIBRARY.get("rms_norm")
    program = instantiate(op, LIBRARY, types={"T": "f32"}, ranks={"S": 1}, dims={"C": 4})
    x, w = normal(2, 4), normal(4)
    with pytest.raises(ShapeError, match="no value for `S`"):
        interpret(program, {"x": x, "w": w}, {"eps": 0.0})
    with pytest.raises(ShapeError, match="no value for `eps`"):
        interpret(program, {"x": x, "w": w}, dims={"S": 2})
    with pytest.raises(ShapeError, match="the input `w` of `rms_norm` is missing"):
        interpret(program, {"x": x}, {"eps": 0.0}, {"S": 2})
    with pytest.raises(ShapeError, match=r"`x` of `rms_norm` has the shape \(3, 4\), not \(2, 4\)"):
        interpret(program, {"x": x, "w": w}, {"eps": 0.0}, {"S": 3})


def test_facts_and_checks_are_checked() -> None:
    op = parse("op t(x: f32[N]; k: int) -> (y: f32[N - k]) { y[i] = x[i + k] else x[0] }")[0]
    program = instantiate(op, Library(), types={}, attrs={"k": 2})
    with pytest.raises(ShapeError, match="`t` needs `N - 2 >= 0`"):
        interpret(program, {"x": normal(1)}, dims={"N": 1})
    found = interpret(program, {"x": np.arange(4.0)}, dims={"N": 4})["y"]
    assert found.tolist() == [2, 3]


def test_large_spaces_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = normal(2, 4, 9, 7), normal(6, 4, 3, 2, seed=1)
    whole = golden("conv2d", "f64", {"x": x, "w": w}, dict(stride=2, pad=1))
    pooled = golden("max_pool2d", "f64", {"x": x}, dict(k=3, stride=2, pad=1))
    monkeypatch.setattr(interpreter_module, "MAX_ELEMENTS", 40)
    close(golden("conv2d", "f64", {"x": x, "w": w}, dict(stride=2, pad=1)), whole)
    close(golden("max_pool2d", "f64", {"x": x}, dict(k=3, stride=2, pad=1)), pooled)
    close(golden("cumsum", "f64", {"x": normal(50)}), np.cumsum(normal(50)))


@settings(max_examples=120, deadline=None)
@given(typed_ops(smallest=0, largest=5))
def test_random_operators_against_the_scalar_reference(case: Case) -> None:
    op = parse(case.text)[0]
    program = instantiate(op, Library(), types={"T": case.dtype}, dims=case.dims)
    found = interpret(program, case.inputs)["y"]
    expected = scalar_reference.run(op, case.dtype, case.dims, case.inputs)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_sums_of_infinite_products_are_those_of_their_terms() -> None:
    """inf * 3 - inf is NaN, though inf * (3 - 1) is inf: a factor is not taken out of a sum."""
    op = parse("op f(x: f64[N], w: f64[M]) -> (y: f64[M]) { y[m] = sum[n](x[n] * w[m]) }")[0]
    program = instantiate(op, Library(), types={}, dims={"N": 2, "M": 3})
    found = interpret(program, {"x": np.array([3.0, -1.0]), "w": np.array([1.0, np.inf, 0.0])})["y"]
    np.testing.assert_array_equal(found, [2.0, np.nan, 0.0])
