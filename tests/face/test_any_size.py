"""A dim that changes with every call becomes an argument: one kernel for all its sizes, right at each."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from turns import by_turns

import uol
from uol.binding.arrays import empty_result
from uol.binding.named_binding import bind_names
from uol.compilation import recompile
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.recompile import KernelsOfAnySize
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import fitting, gradient_inputs
from uol.ir.gradients import has_gradient
from uol.ir.program.dtype_encoding import decode, encode
from uol.operators.registry import find_operator
from uol.ops.inputs import make_inputs
from uol.ops.references.gradients import forward_of
from uol.ops.texts import family_of, names
from uol.ops.workloads import Workload, workloads_of
from uol.pytorch import bridge, call

F = torch.nn.functional
TOLERANCE = {"f64": 1e-9, "f32": 1e-4, "f16": 4e-3, "bf16": 3e-2}
"""Both kernels are held to their contracts elsewhere; here they are held to each other, relative to the largest result."""

SIZES = (3, 5, 1, 0, 33, 64, 7)


@pytest.fixture(autouse=True)
def no_kernel_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no size is small."""
    monkeypatch.setattr(recompile, "FEW", 0)
    bridge.define_all()
    for operator in bridge.defined().values():
        operator.prepared.clear()
        operator.fixed.clear()
        monkeypatch.setattr(operator, "watch", recompile.RecompileWatch(operator.op.name))
        operator.any_size.known.clear()


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What is asked of the compiler with sizes that are numbers."""
    asked: list[Request] = []
    module_of = call.module_of
    monkeypatch.setattr(call, "module_of", lambda request: asked.append(request) or module_of(request))
    return asked


def seeded(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)), dtype=torch.float64)


CASES: dict[str, tuple[Callable[[int], tuple[torch.Tensor, ...]], Callable[..., torch.Tensor]]] = {
    "gelu": (lambda n: (seeded(n, 6),), F.gelu),
    "softmax": (lambda n: (seeded(n, 20),), lambda x: F.softmax(x, -1)),
    "linear": (lambda n: (seeded(n, 17), seeded(9, 17), seeded(9)), F.linear),
    "conv2d": (lambda n: (seeded(n, 3, 8, 9), seeded(4, 3, 3, 3)), F.conv2d),
    "matmul": (lambda n: (seeded(6, n), seeded(n, 5)), torch.matmul),
    "cumsum": (lambda n: (seeded(4, n),), lambda x: x.cumsum(-1)),
    "sort": (lambda n: (seeded(4, n),), lambda x: x.sort(dim=-1, stable=True)[0]),
    "embedding": (lambda n: (seeded(9, 4), torch.arange(n) % 9), lambda w, at: F.embedding(at, w)),
    "attention": (
        lambda n: (seeded(1, 2, n + 1, 8), seeded(1, 2, 9, 8), seeded(1, 2, 9, 8)),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_kernel_serves_every_size(name: str, compiled: list[Request]) -> None:
    make, reference = CASES[name]
    for size in SIZES:
        found = getattr(uol.ops.text, name)(*make(size))
        found = found[0] if isinstance(found, tuple) else found
        torch.testing.assert_close(found, reference(*make(size)), rtol=1e-12, atol=1e-12)
    assert len(compiled) == 1  # the first size; one more, with the dim as an argument, for all others
    (kernel,) = bridge.defined()[name].any_size.known.values()
    assert kernel is not None
    assert len(kernel.module.graph.dims) == 1


def agrees(name: str, workload: Workload, kernels: KernelsOfAnySize, every: int = 1) -> None:
    """With every dim as an argument, and with one in `every` of them, the results are those of a kernel for the sizes."""
    op = find_operator(name)
    instance = bind_names(op, types_of(name, ("f32",))[0], workload.dims, workload.attrs)
    request = Request(instance, resolve_target("cpu"))
    dims = tuple(instance.flat_dims)
    for varying in (dims, *((d,) for d in dims[::every] if len(dims) > 1)):
        free = kernels.find(request, frozenset(varying))
        if free is not None:
            compare(request, free, f"{workload}, any {varying}")
        else:  # fixed sizes need no proof for others
            assert varying != dims or not dims, f"{name} has no kernel of any size"


def compare(request: Request, free: Compiled, what: str, values: dict[str, np.ndarray] | None = None) -> None:
    instance = request.instance
    fixed = Compiled(request, module_of(request))
    values = values or make_inputs(program_of(request), "random", 0)
    inputs = [encode(values[a.name], a.dtype) for a in fixed.inputs]
    results = [a for a in fixed.module.graph.args if a.role == "out"]
    ours, theirs = ([empty_result(a) for a in results] for _ in range(2))
    fixed.loaded(*inputs, *theirs, *fixed.scalars({}))
    numbers = [instance.attrs[s.name] for s in free.module.graph.scalars]  # the kernel may be another call's
    free.loaded(*inputs, *ours, *numbers, *(instance.flat_dims[d] for d in free.module.graph.dims))
    for arg, one, other in zip(results, ours, theirs, strict=True):
        found, expected = decode(one, arg.dtype), decode(other, arg.dtype)
        near = TOLERANCE.get(arg.dtype, 0.0)
        np.testing.assert_allclose(found, expected, rtol=near, atol=near * _largest(expected), err_msg=f"{what}: {arg.name}")


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return max(1.0, float(np.max(np.abs(finite), initial=0)))


@pytest.mark.parametrize(
    "name", by_turns(2, ["conv1d", "max_pool2d", "group_norm", "moe_expert", "topk", "cross_entropy", "flip"])
)
def test_every_dim_at_once(name: str) -> None:
    """And some of them one at a time, beside sizes that are numbers; at sizes of which none is 0."""
    agrees(name, workloads_of(name)[0], KernelsOfAnySize(), every=4)


@pytest.mark.soak
@pytest.mark.parametrize("name", names())
def test_every_type_of_every_operator_and_gradient(name: str) -> None:
    ops = [name, *([f"{name}_grad"] if family_of(name) != "optimiser" and has_gradient(find_operator(name)) else [])]
    for op, (turn, dtype) in itertools.product(ops, enumerate(("f32", "f64", "f16", "bf16", "i32"))):
        if dtype not in types_of(op, (dtype,)):
            continue
        cases = workloads_of(op)
        case = Case(op, "cpu", dtype, cases[turn % len(cases)])
        instance, forward = fitting(find_operator(op), case), forward_of(op)
        request = Request(instance, resolve_target("cpu"))
        free = KernelsOfAnySize().find(request, frozenset(instance.flat_dims))
        assert free is not None
        values = None if forward is None else gradient_inputs(case, forward, program_of(request))
        compare(request, free, f"{case}", values)


@pytest.mark.soak
@pytest.mark.parametrize("name", names())
def test_every_dim_of_every_operator(name: str) -> None:
    kernels = KernelsOfAnySize()
    for workload in workloads_of(name):
        agrees(name, workload, kernels)


def test_gradients_and_attributes_take_part() -> None:
    for size, slope in itertools.product(SIZES, (0.1, 0.3)):
        x, other = seeded(size, 6).requires_grad_(), seeded(size, 6).requires_grad_()
        scale, shift = torch.ones(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
        uol.ops.text.layer_norm(uol.ops.leaky_relu(x, negative_slope=slope), scale, shift).square().sum().backward()
        F.layer_norm(F.leaky_relu(other, slope), (6,)).square().sum().backward()
        torch.testing.assert_close(x.grad, other.grad, rtol=1e-9, atol=1e-9)


def test_another_layout_has_kernels_of_its_own(compiled: list[Request]) -> None:
    for size in SIZES[:3]:
        x = seeded(6, size).T
        torch.testing.assert_close(uol.ops.text.softmax(x), F.softmax(x, -1))
    assert len(compiled) == 3  # for every size of columns, and for one row, of which a column is a row


def test_checked_mode_reads_the_sizes_of_the_call() -> None:
    for size in (2, 3, 4):
        x, at = seeded(size, 2), torch.zeros(size, dtype=torch.int64)
        with uol.checked():
            uol.ops.segment_sum(x, at, segments=1)
            at[-1] = 5
            with pytest.raises(uol.ir.errors.UolError, match=f"n = {size - 1}"):
                uol.ops.segment_sum(x, at, segments=1)


def test_a_condition_on_sizes_is_checked_at_each_call() -> None:
    for size in (4, 6, 8):
        uol.ops.text.pixel_shuffle(seeded(1, size * 4, 3, 3), factor=2)
    with pytest.raises(uol.ir.errors.UolError):
        uol.ops.text.pixel_shuffle(seeded(1, 7, 3, 3), factor=2)


def test_the_sign_of_a_zero_is_each_calls_own() -> None:
    def edge(size: int, value: float) -> torch.Tensor:
        return uol.ops.pad1d(torch.ones(1, 1, size), left=1, right=0, value=value)[0, 0, 0]

    found = [edge(size, value) for size in (20, 21, 22) for value in (0.0, -0.0)]
    assert torch.signbit(torch.stack(found)).tolist() == [False, True] * 3


def test_attributes_that_are_values_alone_want_no_kernel_of_their_own(compiled: list[Request]) -> None:
    x = seeded(40, 30).requires_grad_()
    for seed in range(5):
        uol.ops.text.dropout(x, seed=seed, p=0.1 * seed).sum().backward()
    for ignored in range(4):
        uol.ops.text.cross_entropy(x, torch.arange(40) % 30, ignore_index=ignored)
    assert [request.instance.op.name for request in compiled] == ["dropout", "dropout_grad", "cross_entropy"]
