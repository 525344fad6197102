"""The reference groups: closed forms against numbers worked out by hand, and every recorded call in one group."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from uol.codegen.backend import Device, Rate
from uol.compilation.request import resolve_target
from uol.conformance.gap.assignment import assigned
from uol.conformance.gap.attained import attained_of, reference_of
from uol.conformance.gap.closed_forms import sizes_of, value_of
from uol.conformance.gap.groups import Group, groups_of, read_groups
from uol.conformance.paths import PATHS
from uol.conformance.paths.cmap.module import CrossModalPooling
from uol.conformance.paths.cmap.sizes import REAL
from uol.conformance.paths.full_size import calls_of, full_size_of
from uol.conformance.paths.moe.layer import MixtureOfExperts
from uol.conformance.paths.recorded import Call
from uol.conformance.paths.resnet50.module import ResNet
from uol.conformance.paths.resnet50.sizes import SIZES
from uol.ir.errors import UolError


@pytest.mark.parametrize(
    ("form", "value"), [("7", 7), ("2*N*C", 24), ("N + C/2*2", 7), ("(N - 1)**3", 8), ("min(N, C) + max(N, 10)", 13)]
)
def test_a_closed_form_is_arithmetic_on_dims(form: str, value: int) -> None:
    assert value_of(form, {"N": 3, "C": 4}) == value


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("N*Q", "names Q, which is no dim"),
        ("N/2", "leaves a rest"),
        ("N/0", "leaves a rest"),
        ("N*", "no closed form"),
        ("N.real", "no closed form"),
        ("__import__('os')", "no closed form"),
        ("0.5*N", "no closed form"),
        ("N // 2", "no closed form"),
    ],
)
def test_nothing_else_is_one(form: str, message: str) -> None:
    with pytest.raises(UolError, match=message):
        value_of(form, {"N": 3})


def test_a_shape_is_forms_between_commas() -> None:
    assert sizes_of("N, 2*C, 1", {"N": 3, "C": 4}) == (3, 8, 1)
    assert sizes_of("", {}) == ()


TEXT = """
[rows.stages]
s = ["1", "2"]
C = ["W", "2*W"]
[sums.Total]
over = "stages"
each = "s*C"
[derived]
P = "Total + 1"
[[group]]
name = "stage {s}"
over = "stages"
phase = "forward"
recorded = "s"
calls = [{ op = "relu", x = "C, 2" }]
launches = [{ count = "s", bytes = "B*C", vector = "C" }, { bytes = "P" }]
"""


def test_a_group_over_rows_stands_once_for_each() -> None:
    first, second = read_groups(TEXT, {"W": 5, "B": 2})
    assert (first.name, second.name) == ("stage 1", "stage 2")
    assert second.calls[0].shapes == {"x": (10, 2)}
    assert second.recorded == 2
    assert (first.bytes, second.bytes) == (10 + 26, 2 * 20 + 26)  # P = 5 + 20 + 1
    assert (second.operations("vector"), second.operations("matrix")) == (20, 0)


def test_a_call_is_in_one_group_or_it_is_an_error() -> None:
    groups = read_groups(TEXT, {"W": 5, "B": 2})
    first, second = (Call("relu", (torch.empty(c, 2),), {}) for c in (5, 10))
    assert assigned([second, first, second], groups) == ["stage 2", "stage 1", "stage 2"]
    with pytest.raises(UolError, match="the group 'stage 2' stands for 2 calls, and 1 were recorded"):
        assigned([first, second], groups)
    with pytest.raises(UolError, match="the call of relu on x 7x2 is of no group"):
        assigned([Call("relu", (torch.empty(7, 2),), {})], groups)
    with pytest.raises(UolError, match="2 groups: stage 1, stage 2"):
        assigned([first], read_groups(TEXT.replace("C, 2", "5, 2"), {"W": 5, "B": 2}))


DEVICE = Device(
    "toy",
    "toy",
    1,
    0,
    {
        "bandwidth": Rate(2, "GB/s", "here", "vendor"),
        "bandwidth-attained": Rate(1, "GB/s", "here", "measured"),
        "f16-matrix": Rate(4, "TFLOP/s", "here", "vendor"),
        "f32-vector": Rate(1, "TFLOP/s", "here", "vendor"),
        "launch": Rate(3, "us", "here", "measured"),
    },
)


def test_t_ref_is_the_longer_of_bytes_and_operations_and_a_launch() -> None:
    text = """
[[group]]
name = "both"
phase = "forward"
recorded = "1"
calls = [{ op = "relu" }]
launches = [{ bytes = "2000", matrix = "4000000" }, { count = "2", bytes = "1000", matrix = "20000000", vector = "4000000" }]
"""
    (group,) = read_groups(text, {})
    found = reference_of(group, attained_of(DEVICE, "f16"))
    # 2 us of bytes against 1 us of products; then twice 5 us of products against 1 us of bytes and 4 us of the rest
    assert found.seconds == pytest.approx((2 + 2 * 5 + 3 * 3) * 1e-6)
    assert found.launch == pytest.approx(9e-6)
    assert found.bound == "matrix"
    with pytest.raises(UolError, match="has no rate 'bf16-matrix'"):
        attained_of(DEVICE, "bf16")


def at(path: str, case: str, dtype: str = "f16") -> Mapping[str, Group]:
    groups = groups_of(path, full_size_of(path).cases[case], dtype)
    assert len({group.name for group in groups}) == len(groups)
    return {group.name: group for group in groups}


CASES = [(path, case) for path in PATHS for case in full_size_of(path).cases]


@pytest.mark.parametrize(("path", "case"), CASES)
def test_every_call_of_a_step_is_in_one_group(path: str, case: str) -> None:
    groups = at(path, case).values()
    names = assigned(calls_of(path, case, "bf16"), list(groups))
    assert set(names) == {group.name for group in groups}


def test_a_module_without_one_call_is_found() -> None:
    calls = calls_of("moe", "256 tokens", "f16")
    with pytest.raises(UolError, match="'combine' stands for 1 calls, and 0 were recorded"):
        assigned([call for call in calls if call.op != "moe_combine"], list(at("moe", "256 tokens").values()))


def test_the_optimiser_moves_every_parameter() -> None:
    with torch.device("meta"):
        layer, pooling, network = MixtureOfExperts(512, 1024, 128, 4), CrossModalPooling(REAL), ResNet(SIZES["real"])
    count = [sum(p.numel() for p in module.parameters()) for module in (layer, pooling, network)]
    assert at("moe", "8192 tokens")["optimiser"].bytes == 7 * 2 * count[0]
    assert at("cmap", "batch 64")["optimiser"].bytes == 7 * 2 * count[1]
    assert at("resnet50", "batch 256")["optimiser"].bytes == 5 * 4 * count[2] == 5 * 4 * 25_557_032


def test_groups_agree_with_numbers_worked_out_by_hand() -> None:
    """As in the README of the paths."""
    down = at("moe", "8192 tokens")["down"]
    assert (down.bytes, down.operations("matrix")) == (235_143_168, 34_359_738_368)
    convolution = at("cmap", "batch 64")["convolution 2"]
    assert (convolution.bytes, convolution.operations("matrix")) == (21_037_056, 22_196_256_768)
    norms = at("resnet50", "batch 256")["stem: norm and relu"]
    assert (norms.bytes, norms.operations("matrix")) == (822_085_632, 0)
    stage = at("resnet50", "batch 256")["stage 4: convolutions 3x3"]
    assert (stage.bytes, stage.operations("matrix")) == (129_761_280, 3 * 59_190_018_048)


@pytest.mark.parametrize(
    ("path", "case", "group", "microseconds", "bound"),
    [
        ("moe", "8192 tokens", "down", 136.28, "memory"),
        ("cmap", "batch 64", "convolution 2", 88.40, "matrix"),
        ("resnet50", "batch 256", "stem: norm and relu", 469.96, "memory"),
    ],
)
def test_t_ref_on_a_device_is_what_the_readme_works_out(
    path: str, case: str, group: str, microseconds: float, bound: str
) -> None:
    device = resolve_target("cuda:a100").device
    found = reference_of(at(path, case)[group], attained_of(device, "f16"))
    assert found.seconds * 1e6 == pytest.approx(microseconds, abs=0.01)
    assert found.bound == bound


def test_a_type_of_twice_the_bytes_moves_twice_as_much_where_nothing_is_wide() -> None:
    narrow, wide = (at("moe", "256 tokens", dtype)["optimiser"].bytes for dtype in ("bf16", "f32"))
    assert wide == 2 * narrow
