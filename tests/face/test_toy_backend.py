"""A target that a program registers from outside passes Map and Reduce, with no change anywhere in uol."""

from __future__ import annotations

import numpy as np
import pytest
from toy_backend import ToyBackend

import uol
from uol.backends import registry
from uol.codegen.specs.nodes import Map, Reduce
from uol.ir.errors import ResourceError, UolError


def test_map(toy: str, own_cache: object) -> None:
    kernel = uol.compile("add", toy, "f32", {"S": (3, 5)})
    assert [type(k.spec) for k in kernel.module.kernels] == [Map]
    a, b = np.arange(15, dtype=np.float32).reshape(3, 5), np.full((3, 5), 0.5, np.float32)
    assert np.array_equal(kernel(a, b), a + b)


def test_map_through_a_broadcast_and_a_channels_last_result(toy: str, own_cache: object) -> None:
    layouts = {"b": (0, 1, 0, 0), "y": (60, 1, 15, 3)}
    kernel = uol.compile("add", toy, "f32", {"S": (2, 3, 4, 5)}, strides=layouts)
    a = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    b = np.broadcast_to(np.array([1, 2, 4], np.float32).reshape(3, 1, 1), a.shape)
    y = kernel(a, b)
    assert np.array_equal(y, a + b)
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous


def test_reduce(toy: str, own_cache: object) -> None:
    kernel = uol.compile("softmax", toy, "f64", {"S": (2, 3), "C": 7})
    assert [type(k.spec) for k in kernel.module.kernels] == [Reduce]
    x = np.random.default_rng(1).standard_normal((2, 3, 7))
    e = np.exp(x - x.max(-1, keepdims=True))
    assert np.allclose(kernel(x), e / e.sum(-1, keepdims=True), rtol=1e-14, atol=0)


def test_a_contraction_reaches_it_as_a_reduction(toy: str, own_cache: object) -> None:
    kernel = uol.compile("linear", toy, "f64", {"S": 5, "K": 7, "N": 3})
    assert [type(k.spec) for k in kernel.module.kernels] == [Reduce, Map]
    rng = np.random.default_rng(3)
    x, w, b = rng.standard_normal((5, 7)), rng.standard_normal((3, 7)), rng.standard_normal(3)
    assert np.allclose(kernel(x, w, b), x @ w.T + b, rtol=1e-12)


def test_several_kernels_and_a_run_time_attribute(toy: str, own_cache: object) -> None:
    kernel = uol.compile("layer_norm", toy, "f64", {"S": 4, "C": 9})
    rng = np.random.default_rng(2)
    x, gamma, beta = rng.standard_normal((4, 9)), rng.standard_normal(9), rng.standard_normal(9)

    def expected(eps: float) -> np.ndarray:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * gamma + beta

    assert np.allclose(kernel(x, gamma, beta), expected(1e-5), rtol=1e-12)
    assert np.allclose(kernel(x, gamma, beta, eps=0.5), expected(0.5), rtol=1e-12)


@pytest.mark.parametrize("size", [0, 1, 33])
def test_any_size(toy: str, own_cache: object, size: int) -> None:
    x = np.linspace(-1, 1, size).astype(np.float16)
    assert np.array_equal(uol.compile("relu", toy, "f16", {"S": size})(x), np.maximum(x, 0))


def test_a_refusal_names_the_nearest_size(toy: str, own_cache: object) -> None:
    with pytest.raises(ResourceError, match="elements at once") as caught:
        uol.compile("relu", toy, "f32", {"S": 1 << 25})
    assert caught.value.hint == "at most 16777216"


def test_a_name_that_is_taken_is_refused(toy: str) -> None:
    with pytest.raises(UolError, match="registered already"):
        registry.register("toy", ToyBackend)
