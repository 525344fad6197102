"""Transposed convolutions of which each residue has one tap, as a product and copies of it, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cpu_cases import graph_of, program_of
from torch.nn import functional as F

import uol
from uol.backends.cpu import legalise
from uol.backends.cpu.operands import taps_as_rows
from uol.codegen.specs.nodes import Contract, KernelSpec, Map
from uol.codegen.specs.traverse import accesses

pytestmark = pytest.mark.usefixtures("own_cache")
THEIRS = {"pad": "padding", "output_pad": "output_padding"}
TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few products and residues are enough."""
    monkeypatch.setattr(legalise, "FEWEST_PRODUCTS", 0)
    monkeypatch.setattr(taps_as_rows, "FEWEST_PARTS", 2)


CASES: list[tuple[tuple[int, ...], int, dict[str, int], torch.dtype]] = [
    ((9, 13), 3, {"stride": 3, "pad": 2, "dilation": 2}, torch.float32),  # all residues go as far but for one
    ((7, 18), 3, {"stride": 3, "pad": 1, "dilation": 2}, torch.bfloat16),  # some residues begin outside of the image
    ((5, 21), 3, {"stride": 3, "pad": 3, "output_pad": 2}, torch.float32),  # some go beyond it
    ((4, 19), 2, {"stride": 2}, torch.float16),
    ((6, 35), 2, {"stride": 2, "pad": 1, "groups": 2}, torch.float32),
    ((3, 17), 4, {"stride": 4, "pad": 2, "dilation": 3}, torch.float64),
    ((11,), 4, {"stride": 4, "pad": 1, "output_pad": 3}, torch.float32),
    ((3, 4, 9), 2, {"stride": 2, "pad": 1}, torch.float32),
]


@pytest.mark.parametrize(("sizes", "taps", "options", "dtype"), CASES)
def test_results(sizes: tuple[int, ...], taps: int, options: dict[str, int], dtype: torch.dtype) -> None:
    dims, generator = len(sizes), torch.Generator().manual_seed(0)
    shapes = (2, 8, *sizes), (8, 6, *[taps] * dims)
    given = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
    found = getattr(uol.ops.text, f"conv_transpose{dims}d")(*given, **options).double()
    theirs = {THEIRS.get(name, name): value for name, value in options.items()}
    expected = getattr(F, f"conv_transpose{dims}d")(*(x.double() for x in given), **theirs)
    tolerance = TOLERANCES[dtype]
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))
    assert is_one_product(kernels(sizes, taps, options))


@pytest.mark.parametrize(("size", "taps"), [(12, 2), (16, 4)])
def test_the_gradient_of_the_image_of_a_strided_convolution(size: int, taps: int) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = (2, 3, size, size), (8, 3, taps, taps)
    exact = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    given = [x.detach().float().requires_grad_() for x in exact]
    y, z = uol.ops.text.conv2d(*given, stride=taps), F.conv2d(*exact, stride=taps)
    dz = torch.randn(z.shape, generator=generator, dtype=torch.float64)
    found, expected = torch.autograd.grad(y, given, dz.float()), torch.autograd.grad(z, exact, dz)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-5, atol=2e-5 * float(b.abs().max()))


def kernels(sizes: tuple[int, ...], taps: int, options: dict[str, Any]) -> tuple[KernelSpec, ...]:
    dims = len(sizes)
    extents = dict(zip("EHW"[-dims:], sizes, strict=True)) | dict.fromkeys("QRS"[-dims:], taps)
    given = {"N": 2, "C": 8, "D": 6, **extents}
    return graph_of(program_of(f"conv_transpose{dims}d", dims=given, attrs=options)).specs


def is_one_product(specs: tuple[KernelSpec, ...]) -> bool:
    """A product of filters and image that reads the latter without guards, and nothing after it but copies of its results."""
    *packs, product = (spec for spec in specs if not isinstance(spec, Map))
    copies = [spec for spec in specs if isinstance(spec, Map)]
    read = {access.tensor for spec in copies for access in accesses(spec)}
    return isinstance(product, Contract) and not any(isinstance(s, Contract) for s in packs) and "x" not in read


def test_several_taps_a_residue_are_products_of_their_own() -> None:
    specs = kernels((9, 13), 4, {"stride": 2, "pad": 1})
    assert sum(isinstance(spec, Contract) for spec in specs) == 4


def test_sizes_may_be_arguments() -> None:
    """Each residue is a product of its own then."""
    kernel = uol.compile("conv_transpose2d", dims={"C": 4, "D": 3, "R": 2, "S": 2}, attrs={"stride": 2})
    generator = torch.Generator().manual_seed(0)
    for shape in ((1, 4, 1, 1), (2, 4, 5, 19)):
        x, w = torch.randn(shape, generator=generator), torch.randn(4, 3, 2, 2, generator=generator)
        expected = F.conv_transpose2d(x.double(), w.double(), stride=2)
        torch.testing.assert_close(torch.from_numpy(kernel(x.numpy(), w.numpy())).double(), expected, rtol=2e-5, atol=2e-5)
