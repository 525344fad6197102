"""Convolutions of few channels, whose lanes are channels and whose rows are pixels of a line, against PyTorch in float64."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from cpu_cases import graph_of, program_of
from torch.nn import functional as F

import uol
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands import channel_lanes, pixel_lines
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.schedules.kinds import Tiles
from uol.backends.cpu.scheduling import candidates, primfunc
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Pack
from uol.ir.program.walk import variables

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few products are enough."""
    monkeypatch.setattr(channel_lanes, "FEWEST_PRODUCTS", 0)
    monkeypatch.setattr(pixel_lines, "LEAST_TERMS", 12)
    monkeypatch.setattr(pixel_lines, "LEAST_PIXELS", 12)


CASES: list[tuple[int, tuple[int, ...], tuple[int, int], int, dict[str, int], torch.dtype]] = [
    (3, (2, 3, 28), (16, 32), 3, {"pad": 1}, torch.float32),  # two tiles of a line; the gradient of x has terms in blocks
    (3, (3, 4, 9), (4, 48), 3, {"pad": 1, "stride": 2}, torch.float32),
    (3, (2, 3, 8), (8, 64), 3, {"pad": 1}, torch.float32),  # two blocks of channels, few planes
    (3, (5, 4, 8), (8, 16), 3, {"pad": 2, "dilation": 2}, torch.float32),  # planes that most taps lack
    (2, (5, 33), (3, 16), 5, {"pad": 2, "dilation": 2}, torch.float32),  # tiles of two heights, taps beyond the neighbours
    (2, (9, 7), (16, 16), 3, {"pad": 3}, torch.float64),  # lines and taps that no pixel has
    (1, (40,), (6, 32), 4, {"pad": 2, "groups": 2}, torch.float32),  # 16 channels of each group
]


@pytest.mark.parametrize(("dims", "sizes", "channels", "taps", "options", "dtype"), CASES)
def test_results_and_gradients(
    dims: int, sizes: tuple[int, ...], channels: tuple[int, int], taps: int, options: dict[str, int], dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = (2, channels[0], *sizes), (channels[1], channels[0] // options.get("groups", 1), *[taps] * dims)
    exact = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    given = [x.detach().to(dtype).requires_grad_() for x in exact]
    theirs = {"padding" if name == "pad" else name: value for name, value in options.items()}
    y = getattr(uol.ops.text, f"conv{dims}d")(*given, **options)
    z = getattr(F, f"conv{dims}d")(*exact, **theirs)
    dz = torch.randn(z.shape, generator=generator, dtype=torch.float64)
    found = (y, *torch.autograd.grad(y, given, dz.to(dtype)))
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    for a, b in zip(found, (z, *torch.autograd.grad(z, exact, dz)), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance * float(b.detach().abs().max()))


def kernels(**dims: Any) -> tuple[Any, ...]:
    pad = dims.pop("pad", 1)
    sizes = {"N": 2, "C": 16, "E": 4, "H": 9, "W": 28, "O": 32, "D": 16, "Q": 3, "R": 3, "S": 3} | dims
    return graph_of(program_of("conv3d", dims=sizes, attrs={"pad": pad})).specs


@pytest.mark.parametrize("host", [Host("znver4", 64, 32, 2), Host("haswell", 32, 16, 2)])
def test_the_image_is_read_where_it_lies(host: Host) -> None:
    """The filters alone are copied; a tile fits the registers, and is cut evenly out of a line."""
    copies, product = kernels()
    assert isinstance(copies, Pack) and {arg.name for arg in copies.args} == {"w", "conv3d_a"}
    assert isinstance(product, Contract)
    schedule = candidates(product, host)[0]
    assert isinstance(schedule, Tiles) and schedule.channels
    assert (schedule.rows, schedule.vectors, schedule.lanes) == ((14, 2, 16) if host.vector_bytes == 64 else (6, 2, 8))
    assert primfunc(product, schedule) is not None


def test_the_gradient_of_the_filters_is_over_taps() -> None:
    """Nine taps of a channel and depth are the rows of a tile; cotangents are copied, channels last, and the image padded."""
    sizes = {"N": 2, "C": 16, "E": 4, "H": 9, "W": 28, "O": 32, "D": 16, "Q": 3, "R": 3, "S": 3}
    specs = graph_of(program_of("conv3d_grad", dims=sizes, attrs={"pad": 1})).specs
    cotangents, image, product = (spec for spec in specs if spec.name.startswith("conv3d_grad_dw"))
    assert isinstance(cotangents, Pack) and isinstance(image, Pack) and isinstance(product, Contract)
    schedule = candidates(product, Host("znver4", 64, 32, 2))[0]
    assert isinstance(schedule, Tiles) and schedule.channels
    assert (schedule.rows, schedule.vectors, schedule.lanes) == (9, 2, 16)
    assert [sorted(variables(guard.value)) for guard in the_read(product.b).guard] == [["i", "t"]]  # planes, not lines


def test_a_tile_of_one_vector_of_channels_has_few_pixels() -> None:
    """28 sums of a line, and as many of the blocks before, would not be in registers."""
    sizes = {"N": 2, "C": 16, "E": 4, "H": 9, "W": 28, "O": 32, "D": 16, "Q": 3, "R": 3, "S": 3}
    specs = graph_of(program_of("conv3d_grad", dims=sizes, attrs={"pad": 1})).specs
    schedule = candidates(next(s for s in specs if s.name == "conv3d_grad_dx"), Host("znver4", 64, 32, 2))[0]
    assert isinstance(schedule, Tiles) and schedule.channels
    assert (schedule.rows, schedule.vectors, schedule.lanes) == (7, 1, 16)


@pytest.mark.parametrize(
    "dims",
    [
        *({"O": 24}, {"O": 64, "C": 64, "D": 64, "E": 16, "H": 28}, {"O": 72}),
        *({"W": 6}, {"pad": 0}, {"S": 9}, {"D": 1, "C": 1, "Q": 1}),
    ],
)
def test_what_stays_with_pixels_on_the_lanes(dims: dict[str, int]) -> None:
    """Channels that are no whole vectors or blocks, or whose filters are long; short lines; images without a border; many taps
    along a line; few terms."""
    schedule = candidates(kernels(**dims)[-1], Host("znver4", 64, 32, 2))[0]
    assert not (isinstance(schedule, Tiles) and schedule.channels)


@pytest.mark.parametrize(("planes", "are_lines"), [(4, True), (16, False)])
def test_more_channels_where_planes_are_few(planes: int, are_lines: bool) -> None:
    """Of 4 planes and 3 taps, a sixth of the products are those of planes that are not there."""
    schedule = candidates(kernels(O=64, C=64, D=64, E=planes, H=28)[-1], Host("znver4", 64, 32, 2))[0]
    assert (isinstance(schedule, Tiles) and schedule.channels) == are_lines


@pytest.mark.parametrize(("stride", "terms", "are_lines"), [(1, 64, True), (1, 128, False), (2, 128, True), (2, 256, False)])
def test_filters_of_many_channels_are_copied_in_blocks(stride: int, terms: int, are_lines: bool) -> None:
    """Of 576 and 1152 terms, the latter where pixels are read in steps; 32 channels lie beside each other."""
    sizes = {"N": 2, "C": terms, "H": 29, "W": 29, "O": 96, "D": terms, "R": 3, "S": 3}
    product = graph_of(program_of("conv2d", dims=sizes, attrs={"pad": 1, "stride": stride})).specs[-1]
    assert isinstance(product, Contract)
    schedule = candidates(product, Host("znver4", 64, 32, 2))[0]
    assert (isinstance(schedule, Tiles) and schedule.channels) == are_lines
    assert ([static(axis.extent) for axis in (*product.batch, *product.m)] == [3, 32]) == are_lines


@pytest.mark.parametrize("channels", [16, 64])
def test_an_epilogue_is_by_pixels(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, w = torch.randn(2, 8, 6, 17, generator=generator), torch.randn(channels, 8, 3, 3, generator=generator)
    gamma, beta, mean = torch.randn(3, channels, generator=generator)
    var = torch.rand(channels, generator=generator) + 0.5
    y = uol.ops.conv2d_bn_relu(x, w, gamma, beta, mean, var, pad=1)
    exact = partial(F.batch_norm, weight=gamma.double(), bias=beta.double())
    z = exact(F.conv2d(x.double(), w.double(), padding=1), mean.double(), var.double()).relu()
    torch.testing.assert_close(y.double(), z, rtol=2e-5, atol=2e-5)
