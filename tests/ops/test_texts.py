"""Every text of the library parses, checks for all dims and types, prints and parses to itself, and stays short."""

from __future__ import annotations

import pytest

from uol.ir import check, instantiate, parse, print_op
from uol.ops.references import has_reference
from uol.ops.texts import TEXTS, library, names, text_of
from uol.ops.workloads import Workload, workloads_of

REQUIRED = {
    *("relu", "gelu", "silu", "sigmoid", "tanh", "exp", "add", "sub", "mul", "div", "cast"),
    *("linear", "linear_relu", "matmul", "conv2d", "conv2d_bias", "conv2d_bn", "conv2d_bn_relu", "conv2d_bn_add_relu"),
    *("batch_norm", "layer_norm", "rms_norm", "max_pool2d", "avg_pool2d", "global_avg_pool2d", "softmax", "argmax"),
}


def test_the_library_is_complete() -> None:
    assert set(names()) == REQUIRED
    assert [op.name for op in library()] == list(names())


@pytest.mark.parametrize("file", TEXTS)
def test_a_text_says_its_version_and_fits_a_page(file: str) -> None:
    lines = text_of(file).splitlines()
    assert lines[0] == "uol 1"
    assert len(lines) <= 64
    assert max(map(len, lines)) <= 128


@pytest.mark.parametrize("name", names())
def test_a_text_checks_for_all_dims_and_types(name: str) -> None:
    op = library().get(name)
    assert op is not None
    check(op, library())


@pytest.mark.parametrize("name", names())
def test_a_text_prints_and_parses_to_itself(name: str) -> None:
    op = library().get(name)
    assert op is not None
    assert parse(print_op(op)) == (op,)


@pytest.mark.parametrize("name", names())
def test_library_texts_admit_f64_and_the_half_types(name: str) -> None:
    op = library().get(name)
    assert op is not None
    for types in op.domain:
        assert {"f64", "f32", "f16", "bf16"} <= set(types.types)


@pytest.mark.parametrize("name", names())
def test_an_operator_has_a_reference_and_workloads(name: str) -> None:
    assert has_reference(name)
    found = workloads_of(name)
    assert found[0].note == "representative"
    assert len(found) >= 6
    assert any(0 in sizes(w) for w in found), "no empty workload"
    assert any(set(sizes(w)) & {7, 33} for w in found)


def sizes(workload: Workload) -> list[int]:
    return list(workload.flat_dims.values())


def test_a_pack_of_rank_one_keeps_its_name() -> None:
    assert Workload("softmax", {"S": (4,), "C": 7}).flat_dims == {"S": 4, "C": 7}
    assert Workload("softmax", {"S": (), "C": 7}).flat_dims == {"C": 7}
    assert Workload("softmax", {"S": (2, 3), "C": 7}).flat_dims == {"S_0": 2, "S_1": 3, "C": 7}
    assert str(Workload("conv2d", {"N": 1, "S": ()}, {"pad": 2})) == "conv2d[N=1, S=(), pad=2]"


@pytest.mark.parametrize(
    ("attrs", "shape"),
    [
        ({}, (2, 5, 10, 8)),
        ({"stride": 2, "pad": 1}, (2, 5, 6, 5)),
        ({"stride": 2, "stride_w": 1, "pad": 1}, (2, 5, 6, 10)),
        ({"pad_top": 3}, (2, 5, 16, 8)),
        ({"pad_top": 3, "pad_bottom": 0}, (2, 5, 13, 8)),
        ({"dilation": 2, "dilation_w": 1}, (2, 5, 8, 8)),
    ],
)
def test_finer_attributes_of_a_convolution_default_to_coarser_ones(attrs: dict[str, int], shape: tuple[int, ...]) -> None:
    op = library().get("conv2d")
    assert op is not None
    dims = {"N": 2, "C": 3, "D": 3, "H": 12, "W": 10, "O": 5, "R": 3, "S": 3}
    program = instantiate(op, library(), types={"T": "f32"}, dims=dims, attrs=attrs)
    assert tuple(e.value for e in program.tensors["y"].shape) == shape  # type: ignore[attr-defined]
