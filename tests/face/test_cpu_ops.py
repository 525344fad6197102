"""`uol.ops` and `uol.compile` on the CPU target, against PyTorch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import uol

F = torch.nn.functional
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}


def seeded(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)), dtype=torch.float64).to(dtype)


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.stride() == theirs.stride()
    bound = TOLERANCE[ours.dtype]
    torch.testing.assert_close(ours.double(), theirs.double(), rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_every_float_type(dtype: torch.dtype) -> None:
    x = seeded(6, 33, dtype=dtype)
    assert_close(uol.ops.text.softmax(x), x.softmax(-1))
    assert_close(uol.ops.add(x, x[:1]), x + x[:1])


def test_a_convolution_keeps_channels_last() -> None:
    x, w = seeded(2, 3, 9, 8), seeded(5, 3, 3, 3)
    assert_close(uol.ops.text.conv2d(x, w, stride=2, pad=1), F.conv2d(x, w, stride=2, padding=1))
    last = x.to(memory_format=torch.channels_last)
    assert_close(uol.ops.text.conv2d(last, w, stride=2, pad=1), F.conv2d(last, w, stride=2, padding=1))


def test_inputs_with_gaps_and_broadcasts() -> None:
    x = seeded(8, 20)[::2, 3:]
    assert_close(uol.ops.text.gelu(x).contiguous(), F.gelu(x).contiguous())
    assert_close(uol.ops.mul(x, seeded(4, 1)), (x * seeded(4, 1)).contiguous())


def test_integers_come_out() -> None:
    x = seeded(7, 11)
    assert torch.equal(uol.ops.text.argmax(x), x.argmax(-1))


def test_a_text_becomes_an_operator() -> None:
    swish = uol.op(
        "op face_swish(x: T[*S]) -> (y: T[*S]) for T in (f64, f32, f16) { y[*s] = T(acc(x[*s]) / (1 + exp(-acc(x[*s])))) }",
        reference=F.silu,
    )
    x = seeded(3, 5)
    assert_close(swish(x), F.silu(x))
    assert_close(torch.ops.uol.face_swish(x), F.silu(x))
    assert_close(uol.ops.face_swish(x), F.silu(x))
    compiled = uol.compile("face_swish", "cpu", "f64", {"S": (3, 5)})
    assert np.allclose(compiled(x.double().numpy()), F.silu(x.double()).numpy(), rtol=1e-14)


def test_an_operator_that_calls_one_of_the_same_text() -> None:
    head = uol.op(
        """
        op face_shift(x: T[N, C]) -> (y: T[N, C]) for T in (f64, f32) { y[n, c] = x[n, c] + 1 }
        op face_head(x: T[N, C]) -> (y: T[N, C]) for T in (f64, f32) { y[n, c] = softmax(face_shift(x))[n, c] }
        """
    )
    x = seeded(4, 6)
    assert_close(head(x), (x + 1).softmax(-1))


def test_a_text_with_an_error_registers_nothing() -> None:
    text = """
        op face_good(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }
        op face_bad(x: f32[N]) -> (y: f32[N]) { y[i] = x[i + 1] }
    """
    with pytest.raises(uol.BoundsError) as caught:
        uol.op(text)
    assert caught.value.span is not None
    assert caught.value.span.line == 3
    assert not hasattr(uol.ops, "face_good")


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(uol.ParseError):
        uol.op("# nothing here\n")


def test_arrays_of_numpy() -> None:
    kernel = uol.compile("linear", "cpu", "f32", {"S": 3, "K": 8, "N": 5})
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in ((3, 8), (5, 8), (5,)))
    assert np.allclose(kernel(x, w, b), x @ w.T + b, atol=1e-5)
    assert np.array_equal(kernel.run({"b": b, "w": w, "x": x})["y"], kernel(x, w, b))


BAD_ARRAYS = {
    "linear takes 3 arrays, not 4": lambda k, x, w, b: k(x, w, b, b),
    "linear needs b": lambda k, x, w, b: k(x, w),
    "linear has no input 'v'": lambda k, x, w, b: k.run({"x": x, "w": w, "v": b}),
    "linear: x is float64, the kernel takes float32": lambda k, x, w, b: k(x.astype(np.float64), w, b),
    "linear: x has the shape (2, 8), the kernel takes (3, 8)": lambda k, x, w, b: k(x[:2], w, b),
    "linear: w has the strides (1, 5), the kernel takes (8, 1)": lambda k, x, w, b: k(x, np.asfortranarray(w), b),
    "linear: x is a list, not a numpy array": lambda k, x, w, b: k([1.0], w, b),
    "linear has no attribute 'eps'": lambda k, x, w, b: k(x, w, b, eps=1.0),
}


@pytest.mark.parametrize("message", BAD_ARRAYS)
def test_arrays_that_do_not_fit_are_refused(message: str) -> None:
    kernel = uol.compile("linear", "cpu", "f32", {"S": 3, "K": 8, "N": 5})
    x, w, b = (np.zeros(s, np.float32) for s in ((3, 8), (5, 8), (5,)))
    with pytest.raises(uol.ShapeError) as caught:
        BAD_ARRAYS[message](kernel, x, w, b)
    assert caught.value.message == message


def test_results_may_lie_channels_last() -> None:
    strides = {"x": (48, 1, 12, 3), "y": (48, 1, 12, 3)}
    kernel = uol.compile("relu", "cpu", "f32", {"S": (2, 3, 4, 4)}, strides=strides)
    x = np.ascontiguousarray(np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)).transpose(0, 3, 1, 2)
    y = kernel(x)
    assert np.array_equal(y, np.maximum(x, 0))
    assert y.strides == x.strides


@pytest.mark.parametrize(
    ("strides", "message"),
    [
        ({"v": (8, 1)}, "relu has no tensor 'v'"),
        ({"x": (1,)}, "relu: x has 2 dims, its layout 1 strides"),
        ({"y": (16, 1)}, "relu: the result y must be dense, its strides (16, 1) leave gaps"),
        ({"x": (-8, 1)}, "relu: the strides (-8, 1) of x are not whole numbers of 0 or more"),
    ],
)
def test_strides_that_do_not_fit_are_refused(strides: dict, message: str) -> None:
    with pytest.raises(uol.ShapeError) as caught:
        uol.compile("relu", "cpu", "f32", {"S": (4, 8)}, strides=strides)
    assert caught.value.message == message


def test_threads_may_call_at_once() -> None:
    x = seeded(64, 300)
    expected = uol.ops.text.softmax(x)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: uol.ops.text.softmax(x), range(32)))
    assert all(torch.equal(result, expected) for result in results)
