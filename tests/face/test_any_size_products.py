"""Products whose dims are arguments, at sizes around those of their tiles: none, one, less than a tile, all but a few."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from turns import by_turns

from uol.backends.cpu.operands.panels import LEAST_DEPTH
from uol.backends.cpu.schedules import contraction, panels
from uol.backends.cpu.schedules.kinds import CpuSchedule, Dots, Panels, Tiles
from uol.binding.named_binding import bind_names
from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Contract, Store
from uol.compilation.recompile import KernelsOfAnySize
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.operators.registry import find_operator

F = torch.nn.functional
SIZES = (0, 1, 3, 4, 5, 6, 7, 12, 13, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 80, 97, 129)
IMAGE = {"N": 1, "C": 6, "H": 12, "W": 12, "O": 16, "D": 6, "R": 3, "S": 3}


def kernel_of(op: str, dims: Mapping[str, int], varying: str, **attrs: int) -> Compiled:
    """The kernel with the dims `varying`, a letter each, as arguments."""
    instance = bind_names(find_operator(op), "f32", dims, attrs)
    found = KernelsOfAnySize().find(Request(instance, resolve_target("cpu")), frozenset(varying))
    assert found is not None
    return found


def schedule_of(kernel: Compiled) -> CpuSchedule:
    schedule = kernel.module.kernels[-1].schedule
    assert isinstance(schedule, CpuSchedule)
    return schedule


def require(kernel: Compiled, dims: Mapping[str, int], expected: torch.Tensor, *inputs: torch.Tensor) -> None:
    """The kernel gives what is expected, and writes nothing beyond its result."""
    beyond = np.full(expected.numel() + 64, np.nan, np.float32)
    sizes = [dims[d] for d in kernel.module.graph.dims]
    kernel.loaded(*(x.numpy() for x in inputs), beyond, *kernel.scalars({}), *sizes)
    found = beyond[: expected.numel()].reshape(expected.shape)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4, err_msg=str(dims))
    assert np.isnan(beyond[expected.numel() :]).all()


def seeded(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)))


@pytest.mark.parametrize("varying", by_turns(2, ["M", "N", "K", "MN", "MKN"]))
def test_a_matrix_product_at_all_sizes(varying: str) -> None:
    fixed = {"S": 2, "M": 14, "K": 9, "N": 40}
    kernel = kernel_of("matmul", fixed, varying)
    assert isinstance(schedule_of(kernel), Panels if {"M", "N"} <= set(varying) else Tiles)
    for sizes in itertools.product(SIZES if len(varying) == 1 else SIZES[:: len(varying) + 2], repeat=len(varying)):
        dims = {**fixed, **dict(zip(varying, sizes, strict=True))}
        a, b = seeded(2, dims["M"], dims["K"]), seeded(2, dims["K"], dims["N"])
        require(kernel, dims, a @ b, a, b)


@pytest.mark.parametrize(
    ("rows", "varying", "kind"),
    [(3, "N", Dots), (1, "K", Dots), (3, "KN", Dots), (12, "N", Tiles), (200, "N", Panels), (9, "S", Tiles)],
)
def test_a_linear_layer_at_all_sizes(rows: int, varying: str, kind: type[CpuSchedule]) -> None:
    """Weights lie along k: dot products for few rows, copies for many, or for any number."""
    fixed = {"S": rows, "K": 21, "N": 37}
    kernel = kernel_of("linear", fixed, varying)
    assert isinstance(schedule_of(kernel), kind)
    for sizes in itertools.product(SIZES if len(varying) == 1 else SIZES[::3], repeat=len(varying)):
        dims = {**fixed, **dict(zip(varying, sizes, strict=True))}
        x, w, b = seeded(dims["S"], dims["K"]), seeded(dims["N"], dims["K"]), seeded(dims["N"])
        require(kernel, dims, F.linear(x, w, b), x, w, b)


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch, own_cache: object) -> None:
    """A few products are enough for panels."""
    monkeypatch.setattr(panels, "COPIES_PAY", 1)


FEW_AND_MANY = (0, 1, 5, 15, 16, 17, 39, 40, 41, 63, 64, 65, 97, 129)
"""Around the numbers of rows and of columns from which panels are made, and around whole tiles."""
DEPTHS = (0, 1, 3, 7, 8, 9, LEAST_DEPTH - 1, LEAST_DEPTH, LEAST_DEPTH + 1, 2 * LEAST_DEPTH + 5)


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("varying", by_turns(2, ["M", "N", "K", "MKN", "SMKN"]))
def test_a_product_over_panels_at_all_sizes(varying: str) -> None:
    fixed = {"S": 2, "M": 70, "K": LEAST_DEPTH + 30, "N": 500}
    kernel = kernel_of("matmul", fixed, varying)
    assert isinstance(schedule_of(kernel), Panels)
    many = {"S": (0, 1, 3), "M": FEW_AND_MANY, "N": FEW_AND_MANY, "K": DEPTHS}
    lists = [many[d] if len(varying) == 1 else many[d][len(many[d]) % 3 :: 3] for d in varying]
    for sizes in itertools.product(*lists):
        dims = {**fixed, **dict(zip(varying, sizes, strict=True))}
        a, b = seeded(dims["S"], dims["M"], dims["K"]), seeded(dims["S"], dims["K"], dims["N"])
        require(kernel, dims, a @ b, a, b)


@pytest.mark.parametrize("varying", ["M", "MKN"])
def test_sums_of_a_task_fit_their_room(varying: str, monkeypatch: pytest.MonkeyPatch, own_cache: object) -> None:
    """With room for a few tiles, rows and columns go in many tasks, and each has several blocks of k."""
    monkeypatch.setattr(contraction, "SUMS_BYTES", 1 << 12)
    fixed = {"S": 1, "M": 70, "K": 2 * LEAST_DEPTH + 5, "N": 600}
    kernel = kernel_of("matmul", fixed, varying)
    schedule = schedule_of(kernel)
    assert isinstance(schedule, Panels)
    assert schedule.rows * schedule.row_tiles * schedule.vectors * schedule.lanes * schedule.column_tiles <= 1 << 10
    for rows in (40, 63, 201, 700):
        a, b = seeded(1, rows, fixed["K"]), seeded(1, fixed["K"], fixed["N"])
        require(kernel, {**fixed, "M": rows}, a @ b, a, b)


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("varying", by_turns(2, ["S", "K", "SKN"]))
def test_gradients_of_a_linear_layer_at_all_sizes(varying: str) -> None:
    """Each of them is over panels of its own: rows of any number, and sums over any number of rows."""
    fixed = {"S": 70, "K": 150, "N": 140}
    kernel = kernel_of("linear_grad", fixed, varying)
    assert any(isinstance(k.schedule, Panels) for k in kernel.module.kernels)
    many = {"S": (*FEW_AND_MANY, *DEPTHS), "K": FEW_AND_MANY, "N": FEW_AND_MANY}
    for sizes in itertools.product(*(many[d] if len(varying) == 1 else many[d][::5] for d in varying)):
        dims = {**fixed, **dict(zip(varying, sizes, strict=True))}
        x, w, dy = seeded(dims["S"], dims["K"]), seeded(dims["N"], dims["K"]), seeded(dims["S"], dims["N"])
        given = {"x": x, "w": w, "dy": dy}
        expected = {"dx": dy @ w, "dw": dy.T @ x, "db": dy.sum(0)}
        results = {a.name: np.empty(expected[a.name].shape, np.float32) for a in kernel.module.graph.args if a.role == "out"}
        inputs = [given[a.name].numpy() for a in kernel.inputs]
        kernel.loaded(*inputs, *results.values(), *kernel.scalars({}), *(dims[d] for d in kernel.module.graph.dims))
        for name, found in results.items():
            np.testing.assert_allclose(found, expected[name].numpy(), rtol=1e-4, atol=2e-4, err_msg=f"{name} {dims}")


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize(
    ("varying", "attrs", "kind"),
    [
        ("W", {}, Panels),
        pytest.param("HW", {"pad": 1}, Panels, marks=pytest.mark.soak),
        ("NHW", {"pad": 2, "stride": 2}, Panels),
        ("HW", {"pad": 3, "dilation": 2}, Panels),
        pytest.param("W", {"pad": 1, "stride": 3}, Tiles, marks=pytest.mark.soak),
        ("NHW", {"pad": 1, "groups": 2}, Tiles),
    ],
)
def test_a_convolution_of_any_picture(varying: str, attrs: Mapping[str, int], kind: type[CpuSchedule]) -> None:
    groups = attrs.get("groups", 1)
    fixed = {**IMAGE, "D": IMAGE["C"] // groups}
    kernel = kernel_of("conv2d", fixed, varying, **attrs)
    assert isinstance(schedule_of(kernel), kind)
    w = seeded(fixed["O"], fixed["D"], 3, 3)
    for sizes in itertools.product((5, 7, 16, 33, 70), repeat=len(varying) - ("N" in varying)):
        dims = {**fixed, **dict(zip(varying.replace("N", ""), sizes, strict=True)), "N": 2 if "N" in varying else 1}
        x = seeded(dims["N"], dims["C"], dims["H"], dims["W"])
        options = {"padding": attrs.get("pad", 0), "stride": attrs.get("stride", 1), "dilation": attrs.get("dilation", 1)}
        require(kernel, dims, F.conv2d(x, w, groups=groups, **options), x, w)


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("varying", ["H", "CD", pytest.param("HW", marks=pytest.mark.soak)])
def test_gradients_of_a_strided_convolution_at_all_sizes(varying: str) -> None:
    """There is a product for each residue; of a single pixel most of them have nothing to do."""
    fixed = {**IMAGE, "N": 2, "C": 20, "D": 20, "O": 24}
    kernel = kernel_of("conv2d_grad", fixed, varying, pad=1, stride=2)
    assert len([k for k in kernel.module.kernels if k.spec.name.startswith("conv2d_grad_dx_at_") and "pack" not in k.name]) == 4
    several = {"H": (1, 2, 9, 30, 65), "W": (1, 3, 16, 33), "C": (1, 16, 21, 40)}
    own = [d for d in varying if d in several]
    for sizes in itertools.product(*(several[d] for d in own)):
        dims = {**fixed, **dict(zip(own, sizes, strict=True))}
        dims["D"] = dims["C"]
        x, w = seeded(dims["N"], dims["C"], dims["H"], dims["W"]).requires_grad_(), seeded(24, dims["C"], 3, 3).requires_grad_()
        y = F.conv2d(x, w, stride=2, padding=1)
        given = {"x": x, "w": w, "dy": seeded(*y.shape)}
        expected = dict(zip(("dx", "dw"), torch.autograd.grad(y, (x, w), given["dy"]), strict=True))
        results = {name: np.full(grad.shape, np.nan, np.float32) for name, grad in expected.items()}
        inputs = [given[a.name].detach().numpy() for a in kernel.inputs]
        kernel.loaded(*inputs, *results.values(), *kernel.scalars({}), *(dims[d] for d in kernel.module.graph.dims))
        for name, found in results.items():
            np.testing.assert_allclose(found, expected[name].numpy(), rtol=1e-4, atol=2e-4, err_msg=f"{name} {dims}")


def test_padded_pictures_of_any_size_are_copied_once() -> None:
    kernel = kernel_of("conv2d", IMAGE, "HW", pad=1)
    assert [k.name for k in kernel.module.kernels] == ["conv2d_b_pack_kernel", "conv2d_kernel"]
    spec = kernel.module.kernels[-1].spec
    assert isinstance(spec, Contract)
    (store,) = (step for step in spec.epilogue if isinstance(step, Store))
    assert coefficient(store.offset, spec.n[-1].name) == 1  # results are written by vectors
