"""Few long rows are cut for the cores of the device that a kernel is for, and of no other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

import uol
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import KernelSpec, Reduce, Scan
from uol.compilation.pipeline import module_of
from uol.compilation.request import resolve_target
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.twin_check import check
from uol.conformance.cases.verdict import Case
from uol.conformance.gap.model import CallForm
from uol.ops.workloads import Workload

DEVICES = ("cuda:l4", "cuda:a100", "cuda:h100", "hip:mi210", "hip:mi250x", "hip:mi300x")
LONG = 1 << 26


def parts(op: str, target: str, dims: Mapping[str, int] | None) -> int:
    """In how many parts an operator's rows are cut on a device; 1 where they are not."""
    return max(map(parts_of, uol.compile(op, target, "f32", dims).module.graph.specs))


def parts_of(spec: KernelSpec) -> int:
    axes = spec.rows if isinstance(spec, Reduce | Scan) else ()
    return max((static(a.extent) or 1 for a in axes if a.name.startswith("part")), default=1)


@pytest.mark.parametrize("target", DEVICES)
def test_a_long_row_has_four_blocks_for_every_core_of_the_device(target: str) -> None:
    wanted = 4 * resolve_target(target).device.cores
    assert wanted * 3 // 4 <= parts("sum", target, {"S": 1, "C": LONG}) <= wanted * 4 // 3
    assert wanted // 2 <= parts("cumsum", target, {"S": 1, "N": LONG}) <= wanted


@pytest.mark.parametrize("target", DEVICES)
def test_a_row_of_any_length_has_blocks_for_every_core_of_the_device(target: str) -> None:
    cores = resolve_target(target).device.cores
    assert parts("mse_loss", target, {}) == 4 * cores


@pytest.mark.parametrize(("rows", "columns", "is_cut"), [(256, 128, False), (512, 128, True), (512, 32, True)])
def test_few_elements_of_rows_for_every_core_are_read_across_in_one_launch(rows: int, columns: int, is_cut: bool) -> None:
    """Sums over rows, of which a kernel has as many as there are columns."""
    op = uol.op("op down(x: f32[N, E]) -> (y: f32[E]) { y[e] = sum[n](x[n, e]) }")
    assert (len(uol.compile(op, "cuda:a100", None, {"N": rows, "E": columns}).module.graph.specs) > 1) == is_cut


def blocks_of_sums(op: str, tensors: int, target: str, shape: tuple[int, ...]) -> list[int]:
    """Of the kernels that go over channels-last images for sums by channel, of which it takes so many tensors."""
    image = (torch.float16, shape, torch.empty(shape, device="meta").to(memory_format=torch.channels_last).stride())
    by_channel = (torch.float32, (shape[1],), (1,))
    inputs = (image, *[by_channel] * tensors) if tensors == 4 else (image, *[by_channel] * 3, image, *[by_channel] * 2)
    kernels = module_of(CallForm(op, inputs, ()).request(resolve_target(target))).kernels
    return [k.launch.blocks({})[0] for k in kernels if k.spec.name.endswith("_parts")]


@pytest.mark.parametrize("target", ["cuda:a100", "cuda:h100", "hip:mi250x"])
@pytest.mark.parametrize("shape", [(256, 64, 56, 56), (256, 512, 7, 7), (2, 64, 112, 112)])
@pytest.mark.parametrize(("op", "tensors"), [("batch_norm_mixed", 4), ("batch_norm_mixed_grad", 6)])
def test_sums_over_channels_last_images_have_a_block_for_every_core(
    op: str, tensors: int, shape: tuple[int, ...], target: str
) -> None:
    """Of ResNet-50, and of few large images: cut along the images alone they had 28 to 32 blocks."""
    found = blocks_of_sums(op, tensors, target, shape)
    assert found and min(found) >= resolve_target(target).device.cores


def test_sums_over_the_rows_of_a_matrix_have_a_block_for_every_core() -> None:
    for op, dims in (("linear_grad", {"S": 8192, "K": 1023, "N": 1023}), ("layer_norm_grad", {"S": 8192, "C": 4096})):
        kernels = uol.compile(op, "cuda:a100", "f16", dims).module.kernels
        found = [k.launch.blocks({})[0] for k in kernels if k.spec.name.endswith("_parts")]
        assert found and min(found) >= 108, op


@pytest.mark.parametrize("op", ["batch_norm_mixed", "batch_norm_mixed_grad"])
def test_what_is_cut_over_images_lines_and_pixels_is_right(op: str) -> None:
    """Of 7585 pixels, which no number of parts near 118 divides."""
    workload = Workload(op, {"N": 5, "C": 8, "S": (37, 41)})
    kinds: list[tuple[str, Sizes]] = [("cuda", "fixed"), ("cuda", "open"), ("hip", "fixed"), ("hip", "open")]
    cases = [Case(op, target, "f16", workload, arrangement="channels-last", sizes=sizes) for target, sizes in kinds]
    assert [(str(case), v.status) for case, v in zip(cases, check(cases), strict=True) if v.status != "pass"] == []
