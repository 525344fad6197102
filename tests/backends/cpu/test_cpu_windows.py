"""Convolutions by channel, by residues of the stride, and transposed, against PyTorch in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from cpu_cases import graph_of, program_of
from torch.nn import functional as F
from turns import by_turns

import uol
from uol.backends.cpu import legalise
from uol.backends.cpu.host import Host
from uol.backends.cpu.legalise import FEWEST_PRODUCTS
from uol.backends.cpu.operands import panels, taps_as_rows
from uol.backends.cpu.operands.factors import sliding_axis, the_read
from uol.backends.cpu.operands.panels import takes_panels
from uol.backends.cpu.schedules.kinds import Dots, Tiles
from uol.backends.cpu.scheduling import candidates, primfunc
from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Contract, Map, Pack, Reduce
from uol.codegen.specs.traverse import expressions
from uol.ir.program.nodes import Call
from uol.ir.program.walk import walk

Function = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few products are enough."""
    monkeypatch.setattr(legalise, "FEWEST_PRODUCTS", 0)


def require_equal(ours: Function, theirs: Function, *shapes: tuple[int, ...], second: bool = True) -> None:
    """Results and gradients, and the second derivative: the gradient of a gradient is a convolution, too."""
    generator = torch.Generator().manual_seed(0)
    exact = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    given = [x.detach().float().requires_grad_() for x in exact]
    y, z = ours(*given), theirs(*exact)
    dz = torch.randn(z.shape, generator=generator, dtype=torch.float64)
    found, expected = _derivatives(y, given, dz.float(), second), _derivatives(z, exact, dz, second)
    for a, b in zip((y, *found), (z, *expected), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-5, atol=2e-5 * float(b.abs().max()))


def _derivatives(y: torch.Tensor, inputs: Sequence[torch.Tensor], dy: torch.Tensor, second: bool) -> tuple[torch.Tensor, ...]:
    first = torch.autograd.grad(y, inputs, dy, create_graph=second)
    return *first, *(torch.autograd.grad([g.square().sum() for g in first], inputs) if second else ())


STRIDES = [(2, 1, 3, 14), (2, 0, 1, 7), (3, 1, 2, 10), (2, 3, 7, 9), (4, 2, 5, 11)]
"""Stride, padding, taps, size. More taps than the stride, as many and fewer: of one, three residues of four have no term."""


@pytest.mark.parametrize("case", by_turns(2, STRIDES))
def test_a_stride_in_two_dims(case: tuple[int, int, int, int]) -> None:
    stride, pad, taps, size = case
    ours, theirs = {"stride": stride, "pad": pad}, {"stride": stride, "padding": pad}
    x, w, transposed = (2, 5, size, size), (6, 5, taps, taps), (5, 6, taps, taps)
    second = size in (10, 14)  # it has kernels of its own to compile: where there are taps enough, and where there are not
    require_equal(partial(uol.ops.text.conv2d, **ours), partial(F.conv2d, **theirs), x, w, second=second)
    if size in (7, 10):  # its kernels are those of the other's gradient: with and without padding
        conv, reference = partial(uol.ops.text.conv_transpose2d, **ours), partial(F.conv_transpose2d, **theirs)
        require_equal(conv, reference, x, transposed, second=size == 10)


@pytest.mark.parametrize("groups", [1, 2])
def test_one_and_three_dims_and_groups(groups: int) -> None:
    options: dict[str, int] = {"stride": 2, "pad": 1, "groups": groups}
    theirs: dict[str, Any] = {"stride": 2, "padding": 1, "groups": groups}
    x1, w1 = (2, 4, 31), (6, 4 // groups, 3)
    require_equal(partial(uol.ops.text.conv1d, **options), partial(F.conv1d, **theirs), x1, w1)
    x3, w3 = (1, 4, 5, 6, 7), (6, 4 // groups, 3, 3, 3)
    require_equal(partial(uol.ops.text.conv3d, **options), partial(F.conv3d, **theirs), x3, w3, second=False)


DILATED = [(1, 3, 2, 3, 2), (1, 4, 6, 5, 1), (1, 2, 3, 3, 1), (2, 3, 2, 3, 2), (2, 2, 2, 3, 1), (3, 2, 2, 3, 1)]
"""Dims, stride, dilation, taps, groups: with and without a common divisor."""


@pytest.mark.parametrize("case", by_turns(2, DILATED))
def test_transposed_with_stride_and_dilation(case: tuple[int, int, int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each residue is a product over taps that lie in steps; none asks of a tap whether it meets a pixel."""
    monkeypatch.setattr(taps_as_rows, "FEWEST_PARTS", 1 << 10)
    dims, stride, dilation, taps, groups = case
    name, sizes = f"conv_transpose{dims}d", tuple(range(5, 5 + dims))
    ours, theirs = partial(getattr(uol.ops.text, name), pad=1), partial(getattr(F, name), padding=1)
    options = {"stride": stride, "dilation": dilation, "groups": groups}
    shapes = (2, 4, *sizes), (4, 6 // groups, *[taps] * dims)
    second = dims == 1 and stride == 3
    require_equal(partial(ours, **options, output_pad=1), partial(theirs, **options, output_padding=1), *shapes, second=second)
    extents = dict(zip("EHW"[-dims:], sizes, strict=True)), dict.fromkeys("QRS"[-dims:], taps)
    given = {"N": 2, "C": 4, "D": 6 // groups, **extents[0], **extents[1]}
    graph = graph_of(program_of(name, dims=given, attrs={**options, "pad": 1, "output_pad": 1}))
    kernels = [spec for spec in graph.specs if not isinstance(spec, Pack)]
    assert len(kernels) == stride**dims
    calls = (node for spec in kernels for expr in expressions(spec) for node in walk(expr) if isinstance(node, Call))
    assert "select" not in {call.fn for call in calls}


@pytest.mark.parametrize(("stride", "pad", "taps", "size"), [(1, 3, 7, 28), (1, 1, 3, 13), (2, 1, 3, 14), (1, 2, 5, 4)])
def test_channels_one_by_one(stride: int, pad: int, taps: int, size: int) -> None:
    ours = partial(uol.ops.text.conv2d, stride=stride, pad=pad, groups=6)
    theirs = partial(F.conv2d, stride=stride, padding=pad, groups=6)
    require_equal(ours, theirs, (2, 6, size, size), (6, 1, taps, taps), second=stride == 2)


def test_which_kernels_there_are() -> None:
    """Pixels are tiles of a product without rows, but where channels are the innermost axis; residues are a kernel each."""
    depthwise = {"N": 2, "C": 32, "H": 28, "W": 28, "O": 32, "D": 1, "R": 3, "S": 3}
    program = program_of("conv2d", dims=depthwise, attrs={"pad": 1, "groups": 32})
    (windows,) = (s for s in graph_of(program).specs if isinstance(s, Contract))
    assert windows.m == ()
    by_channels = {"x": (28 * 28 * 32, 1, 28 * 32, 32), "y": (28 * 28 * 32, 1, 28 * 32, 32)}
    assert [type(s) for s in graph_of(program, by_channels).specs] == [Reduce]
    plain = {"N": 2, "C": 8, "H": 14, "W": 14, "O": 8, "D": 8, "R": 1, "S": 1}
    strided = program_of("conv2d_grad", dims=plain, attrs={"stride": 2})
    kinds = [type(s) for s in graph_of(strided).specs if s.name.startswith("conv2d_grad_dx")]
    assert sorted(k.__name__ for k in kinds if k in (Contract, Map)) == ["Contract", "Map", "Map", "Map"]


SHORT_LINES = [(7, 160, 1), (12, 80, 1), (14, 40, 1), (14, 300, 3)]
"""Size, what is saved of lanes, the axes of columns: of 20 terms so many pay or not."""


def saving(monkeypatch: pytest.MonkeyPatch, lanes: int) -> None:
    monkeypatch.setattr(panels, "FEWEST_PRODUCTS", 0)
    monkeypatch.setattr(panels, "FEWEST_LANES_SAVED", lanes)


@pytest.mark.parametrize(("size", "saved", "axes"), SHORT_LINES)
def test_columns_run_on_over_short_lines(size: int, saved: int, axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results go to every second pixel, so that lines cannot be joined: short ones would leave lanes of a vector empty."""
    saving(monkeypatch, saved)
    dims = {"N": 3, "C": 20, "D": 24, "H": size, "W": size, "R": 3, "S": 3}
    graph = graph_of(program_of("conv_transpose2d", dims=dims, attrs={"stride": 2, "pad": 1}))
    products = [s for s in graph.specs if isinstance(s, Contract)]
    assert len(products) == 4 and all(len(s.n) == axes and takes_panels(s) == (axes == 1) for s in products)


# Of the other sizes LLVM takes seconds for each kernel.
@pytest.mark.parametrize(
    ("size", "saved"), [pytest.param(*case[:2], marks=() if case[0] == 7 else pytest.mark.soak) for case in SHORT_LINES]
)
def test_columns_that_run_on_are_right(size: int, saved: int, monkeypatch: pytest.MonkeyPatch) -> None:
    saving(monkeypatch, saved)
    ours, theirs = partial(uol.ops.text.conv_transpose2d, stride=2, pad=1), partial(F.conv_transpose2d, stride=2, padding=1)
    require_equal(ours, theirs, (3, 20, size, size), (20, 24, 3, 3), second=False)


@pytest.mark.parametrize(("stride", "size", "copies"), [(2, 20, 3), (1, 20, 0), (2, 6, 0)])
def test_taps_of_a_residue_are_copied_together(stride: int, size: int, copies: int) -> None:
    """Of a stride of 2, each residue has 2, 2 or 4 of 9 taps, which then lie row by row; or one, which slivers take. For few
    pixels they stay where they are."""
    dims = {"N": 2, "C": 20, "H": size, "W": size, "O": 24, "D": 20, "R": 3, "S": 3}
    graph = graph_of(program_of("conv2d_grad", dims=dims, attrs={"stride": stride, "pad": 1}))
    specs = [s for s in graph.specs if s.name.startswith("conv2d_grad_dx")]
    assert sum(isinstance(s, Pack) and s.name.endswith("_a_pack") for s in specs) == copies
    steps = [coefficient(the_read(s.a).offset, s.m[-1].name) for s in specs if isinstance(s, Contract)]
    assert sorted(steps) == ([2, 2, 4, 9] if copies else [9] * len(steps))
    ours, theirs = partial(uol.ops.text.conv2d, stride=stride, pad=1), partial(F.conv2d, stride=stride, padding=1)
    require_equal(ours, theirs, (2, 20, size, size), (24, 20, 3, 3), second=False)


@pytest.mark.parametrize(
    ("op", "kernel", "kind"),
    [("conv2d", "conv2d", Tiles), ("conv2d_grad", "conv2d_grad_dx", Tiles), ("conv2d_grad", "conv2d_grad_dw", Dots)],
)
def test_lines_of_pixels_go_together(op: str, kernel: str, kind: type) -> None:
    """What one line reads for a tap the next one reads for another: the taps along which they slide are written out. Taps that
    are summed over all pixels are too few for a vector."""
    dims = {"N": 2, "C": 32, "H": 29, "W": 27, "O": 32, "D": 1, "R": 5, "S": 5}
    program = program_of(op, dims=dims, attrs={"pad": 2, "groups": 32})
    (windows,) = (s for s in graph_of(program).specs if isinstance(s, Contract) and s.name.startswith(kernel))
    schedule = candidates(windows, Host("znver4", 64, 32, 2))[0]
    assert type(schedule) is kind
    assert (sliding_axis(windows) is not None) == (kind is Tiles)
    if isinstance(schedule, Tiles):
        assert (schedule.rows, schedule.vectors) == (3, 2)
        assert "T.unroll(T.int64(5))" in primfunc(windows, schedule).script()


def test_few_products_are_one_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legalise, "FEWEST_PRODUCTS", FEWEST_PRODUCTS)
    dims = {"N": 1, "C": 4, "H": 8, "W": 8, "O": 4, "D": 1, "R": 3, "S": 3}
    assert [type(s) for s in graph_of(program_of("conv2d", dims=dims, attrs={"pad": 1, "groups": 4})).specs] == [Reduce]
