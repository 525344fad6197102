"""Dims that `uol.compile` leaves open: one kernel for all their sizes, and what is said where there can be none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import uol
from uol.ir.errors import BoundsError, ShapeError, UolError
from uol.ir.syntax.parser import parse

F = torch.nn.functional


def seeded(*size: int) -> np.ndarray:
    return np.random.default_rng(sum(size)).standard_normal(size).astype(np.float32)


def require_close(found: np.ndarray, expected: torch.Tensor) -> None:
    assert found.shape == tuple(expected.shape)
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [(4,), (), (2, 3), (0,), (1, 1, 2), (257,)])
def test_a_pack_that_is_left_out_has_any_number_of_dims(rows: tuple[int, ...]) -> None:
    kernel = uol.compile("softmax", target="cpu", dtype="f32", dims={"C": 1024})
    assert kernel.module.graph.dims == ("S",)
    x = seeded(*rows, 1024)
    require_close(kernel(x), F.softmax(torch.from_numpy(x), -1))


Shapes = tuple[tuple[int, ...], ...]
CASES: dict[str, tuple[dict, dict, tuple[Shapes, ...], Callable[..., torch.Tensor]]] = {
    "matmul": (
        {},
        {},
        (((5, 7), (7, 3)), ((1, 1), (1, 1)), ((0, 4), (4, 2)), ((2, 0), (0, 3)), ((33, 65), (65, 40))),
        torch.matmul,
    ),
    "linear": (
        {"K": 16},
        {},
        (((5, 16), (8, 16), (8,)), ((2, 3, 16), (1, 16), (1,)), ((16,), (9, 16), (9,)), ((0, 16), (4, 16), (4,))),
        F.linear,
    ),
    "conv2d": (
        {"C": 3, "H": 8, "W": 9, "O": 4, "D": 3, "R": 3, "S": 3},
        {"pad": 1, "stride": 2},
        tuple(((n, 3, 8, 9), (4, 3, 3, 3)) for n in (1, 0, 2, 5)),
        lambda x, w: F.conv2d(x, w, padding=1, stride=2),
    ),
    "group_norm": (
        {},
        {"groups": 2},
        (((2, 4, 5), (4,), (4,)), ((1, 2, 3, 4), (2,), (2,)), ((3, 6, 1, 2, 2), (6,), (6,))),
        lambda x, a, b: F.group_norm(x, 2, a, b),
    ),
    "add": ({"S": (None, 6)}, {}, (((4, 6), (4, 6)), ((0, 6), (0, 6)), ((1, 6), (1, 6))), torch.add),
}


@pytest.mark.parametrize("name", CASES)
def test_one_kernel_is_right_at_every_size(name: str) -> None:
    dims, attrs, calls, reference = CASES[name]
    kernel = uol.compile(name, "cpu", "f32", dims, attrs)
    for shapes in calls:
        arrays = [seeded(*shape) for shape in shapes]
        require_close(kernel(*arrays), reference(*map(torch.from_numpy, arrays)))


def test_run_time_attributes_are_those_of_the_call() -> None:
    kernel = uol.compile("layer_norm", dims={"C": 12})
    gamma, beta = seeded(12), seeded(12)[::-1].copy()
    for rows, eps in ((3, 1e-5), (8, 0.5), (1, 2.0)):
        x = seeded(rows, 12)
        found = kernel.run({"x": x, "gamma": gamma, "beta": beta}, eps=eps)["y"]
        require_close(found, F.layer_norm(torch.from_numpy(x), (12,), *map(torch.from_numpy, (gamma, beta)), eps))


def test_a_dim_that_stands_in_an_expression_alone_is_solved_for() -> None:
    (op,) = parse("op halves(x: f32[2*N + 1]) -> (y: f32[N]) { y[i] = x[2*i] }")
    kernel = uol.compile(op)
    assert list(kernel(np.arange(7, dtype=np.float32))) == [0, 2, 4]
    with pytest.raises(ShapeError, match=r"x has size 6 along 2 \* N \+ 1, for no whole N"):
        kernel(np.zeros(6, np.float32))
    with pytest.raises(ShapeError, match="halves: no tensor has N as a size by itself") as caught:
        uol.compile(parse("op halves(x: f32[2*N + 1]) -> (y: f32[N + 1]) { y[i] = x[2*i] }")[0]).bundle("nowhere")
    assert caught.value.hint == "give it a size in a bundle, for example N=64"


def test_kernels_with_open_dims_are_those_behind_the_operators() -> None:
    """The same request: `uol.ops` finds in the cache what was compiled here."""
    from uol.binding.named_binding import bind_names
    from uol.compilation.recompile import KernelsOfAnySize
    from uol.compilation.request import Request, resolve_target

    kernel = uol.compile("softmax", dims={"C": 10})
    instance = bind_names(kernel.request.instance.op, "f32", {"S": 3, "C": 10}, {})
    found = KernelsOfAnySize().find(Request(instance, resolve_target("cpu")), frozenset({"S"}))
    assert found is not None
    assert found.request.key("module") == kernel.request.key("module")


def test_checked_mode_reads_the_sizes_of_the_call() -> None:
    kernel = uol.compile("segment_sum", attrs={"segments": 2})
    at = np.array([0, 1, 5], np.int64)
    with uol.checked(), pytest.raises(UolError, match="n = 2"):
        kernel(seeded(3, 2), at)


def test_a_kernel_explains_itself_over_its_open_dims() -> None:
    explanation = uol.compile("group_norm_grad", attrs={"groups": 2}).explain()
    assert "x: f32[N, C, S], strides S * C S 1" in str(explanation)
    assert "(N * 8 bytes between kernels)" in str(explanation)
    assert explanation.as_json()["arguments"][0]["shape"] == ["N", "C", "S"]


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def called(name: str, dims: dict, *arrays: np.ndarray, **attrs: int) -> Callable[[], object]:
    return lambda: uol.compile(name, "cpu", "f32", dims, attrs)(*arrays)


MADE_FOR = "kernels for ascendc:910b2 are made for their sizes"
ROW_MAJOR = "softmax: x is not row-major, and its strides are no arguments of a kernel with open dims"
REFUSED: dict[str, tuple[Callable[[], object], str, str]] = {
    "two inputs disagree": (
        called("linear", {}, zeros(2, 3), zeros(4, 3), zeros(5)),
        "linear: N is 4 in w, but 5 in b",
        "b[N]",
    ),
    "a fixed dim": (
        called("softmax", {"C": 8}, zeros(3, 7)),
        "softmax: C is 8 in the kernel, but 7 in x",
        "x[*S, C]; compile for C=7, or leave C open",
    ),
    "a fixed dim of a pack": (
        called("softmax", {"S": (None, 64)}, zeros(2, 65, 3)),
        "softmax: *S is [2, 65] in x, the kernel takes [_, 64]",
        "compile for S=2x65, or leave S out for any number of dims",
    ),
    "another rank of a pack": (
        called("softmax", {"S": (None, 64)}, zeros(64, 3)),
        "softmax: *S is [64] in x, the kernel takes [_, 64]",
        "compile for S=64, or leave S out for any number of dims",
    ),
    "another rank": (
        called("matmul", {}, zeros(2), zeros(2, 3)),
        "matmul: a has 1 dims, the operator takes at least 2 dims",
        "a[",
    ),
    "what would broadcast": (
        called("add", {}, zeros(2, 3), zeros(1, 3)),
        "add: b has the shape (1, 3), beside the others it must have (2, 3)",
        "kernels do not broadcast: write np.ascontiguousarray(np.broadcast_to(b, ...))",
    ),
    "the where clause": (
        called("pixel_shuffle", {}, zeros(1, 7, 3, 3), factor=2),
        "pixel_shuffle needs C % (factor * factor) == 0, but C = 7, factor = 2",
        "the left side is 3, the right side is 0",
    ),
    "strides of an array": (called("softmax", {"C": 8}, zeros(8, 3).T), ROW_MAJOR, "write np.ascontiguousarray(x), or compile"),
    "another type": (
        called("softmax", {"C": 8}, np.zeros((3, 8))),
        "softmax: x is float64, the kernel takes float32",
        "write x.astype('float32')",
    ),
    "no array": (
        lambda: uol.compile("softmax", dims={"C": 1})([[1.0]]),  # type: ignore[arg-type]
        "softmax: x is a list, not a numpy array",
        "write np.asarray(...)",
    ),
    "strides": (
        lambda: uol.compile("softmax", dims={"C": 8}, strides={"x": (8, 1)}),
        "softmax needs the sizes of *S",
        "write S=64 for one dim, S=8x128 for two, S= for none; strides are numbers, so tensors that have them need every size",
    ),
    "a target of fixed sizes": (
        lambda: uol.compile("softmax", "ascendc", dims={"S": 8}),
        "softmax needs a size for C",
        f"its dims are C; for example C=64; {MADE_FOR}",
    ),
    "a target of fixed sizes, a pack": (
        lambda: uol.compile("softmax", "ascendc", dims={"S": (None, 4), "C": 8}),
        "softmax needs the sizes of *S",
        f"write S=64 for one dim, S=8x128 for two, S= for none; {MADE_FOR}",
    ),
    "a name that is none, beside open dims": (
        lambda: uol.compile("softmax", dims={"D": 8}),
        "softmax has no dim 'D'",
        "its dims are C, *S",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_said(case: str) -> None:
    refused, message, hint = REFUSED[case]
    with pytest.raises(ShapeError) as caught:
        refused()
    assert caught.value.message == message
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_a_check_that_the_proofs_left_over_is_made_at_the_call() -> None:
    (op,) = parse("op less(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] - x[3] }")
    kernel = uol.compile(op)
    assert list(kernel(np.arange(5, dtype=np.float32))) == [-3, -2, -1, 0, 1]
    with pytest.raises(ShapeError) as caught:
        kernel(zeros(3))
    assert caught.value.message == "less needs 3 < N, but N = 3"
    assert caught.value.hint == "choose sizes for which that holds"


def test_a_dim_that_no_shape_tells_must_be_given() -> None:
    (op,) = parse("op rows(x: f32[N*M]) -> (y: f32[N, M]) { y[i, j] = x[i*M + j] }")
    with pytest.raises(ShapeError) as caught:
        uol.compile(op, dims={"N": 3})
    assert caught.value.message == "rows needs a size for M: no input's shape tells it"
    assert caught.value.hint == "x has the size N * M there; give M, for example M=64"
    assert "^^^" in str(caught.value)
    assert uol.compile(op, dims={"N": 3, "M": 2})(zeros(6)).shape == (3, 2)


def test_an_access_that_is_not_proven_for_all_sizes_says_what_to_give() -> None:
    (op,) = parse("op next(x: f32[N], z: f32[M]) -> (y: f32[N]) { y[i] = x[i] + z[i + 1] }")
    with pytest.raises(BoundsError) as caught:
        uol.compile(op, dims={"N": 3})
    assert caught.value.message.startswith("cannot prove `i + 1 < M` for dim 0 of `z`")
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("it is asked of every size of M; give those for which it holds, for example M=64")
    assert uol.compile(op, dims={"N": 3, "M": 4})(zeros(3), zeros(4)).shape == (3,)
