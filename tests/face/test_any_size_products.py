"""Products whose dims are arguments, at sizes around those of their tiles: none, one, less than a tile, all but a few."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from uol.backends.cpu.schedules.kinds import CpuSchedule, Dots, Tiles
from uol.binding.named_binding import bind_names
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


@pytest.mark.parametrize("varying", ["M", "N", "K", "MN", "MKN"])
def test_a_matrix_product_at_all_sizes(varying: str) -> None:
    fixed = {"S": 2, "M": 14, "K": 9, "N": 40}
    kernel = kernel_of("matmul", fixed, varying)
    assert isinstance(schedule_of(kernel), Tiles)
    for sizes in itertools.product(SIZES if len(varying) == 1 else SIZES[::3], repeat=len(varying)):
        dims = {**fixed, **dict(zip(varying, sizes, strict=True))}
        a, b = seeded(2, dims["M"], dims["K"]), seeded(2, dims["K"], dims["N"])
        require(kernel, dims, a @ b, a, b)


@pytest.mark.parametrize(
    ("rows", "varying", "kind"), [(3, "N", Dots), (1, "K", Dots), (3, "KN", Dots), (200, "N", Tiles), (9, "S", Tiles)]
)
def test_a_linear_layer_at_all_sizes(rows: int, varying: str, kind: type[CpuSchedule]) -> None:
    """Weights lie along k: dot products for few rows, a copy that is transposed for many, or for any number."""
    fixed = {"S": rows, "K": 21, "N": 37}
    kernel = kernel_of("linear", fixed, varying)
    assert isinstance(schedule_of(kernel), kind)
    for sizes in itertools.product(SIZES if len(varying) == 1 else SIZES[::3], repeat=len(varying)):
        dims = {**fixed, **dict(zip(varying, sizes, strict=True))}
        x, w, b = seeded(dims["S"], dims["K"]), seeded(dims["N"], dims["K"]), seeded(dims["N"])
        require(kernel, dims, F.linear(x, w, b), x, w, b)


@pytest.mark.parametrize(
    ("varying", "attrs"),
    [
        ("W", {}),
        ("HW", {"pad": 1}),
        ("NHW", {"pad": 2, "stride": 2}),
        ("HW", {"pad": 3, "dilation": 2}),
        ("W", {"pad": 1, "stride": 3}),
        ("NHW", {"pad": 1, "groups": 2}),
    ],
)
def test_a_convolution_of_any_picture(varying: str, attrs: Mapping[str, int]) -> None:
    groups = attrs.get("groups", 1)
    fixed = {**IMAGE, "D": IMAGE["C"] // groups}
    kernel = kernel_of("conv2d", fixed, varying, **attrs)
    assert isinstance(schedule_of(kernel), Tiles)
    w = seeded(fixed["O"], fixed["D"], 3, 3)
    for sizes in itertools.product((5, 7, 16, 33, 70), repeat=len(varying) - ("N" in varying)):
        dims = {**fixed, **dict(zip(varying.replace("N", ""), sizes, strict=True)), "N": 2 if "N" in varying else 1}
        x = seeded(dims["N"], dims["C"], dims["H"], dims["W"])
        options = {"padding": attrs.get("pad", 0), "stride": attrs.get("stride", 1), "dilation": attrs.get("dilation", 1)}
        require(kernel, dims, F.conv2d(x, w, groups=groups, **options), x, w)


def test_padded_pictures_of_any_size_are_copied_once() -> None:
    kernel = kernel_of("conv2d", IMAGE, "HW", pad=1)
    assert [k.name for k in kernel.module.kernels] == ["conv2d_b_pack_kernel", "conv2d_kernel"]
