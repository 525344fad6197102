"""Every text of the library parses, checks for all dims and types, prints and parses to itself, and stays short."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from uol.ir import check, instantiate, parse, print_op
from uol.ir.errors import TypeCheckError, UolError
from uol.ir.types import is_float
from uol.ops import texts as library_texts
from uol.ops.references import has_reference, reference
from uol.ops.texts import FAMILIES, GRADIENTS, family_of, library, names, text_of
from uol.ops.workloads import Workload, workloads_of

ON_ACCUMULATORS = frozenset(
    (
        *("upsample_fraction", "upsample_corner_fraction", "upsample_share", "upsample_corner_share"),
        *("window_count", "quantile_weight", "moe_gate", "moe_capacity"),
    )
)
"""Operators on values that are accumulators already: others call them, or they belong to a router."""

WIDE_WITH_NARROW = frozenset(("sgd_mixed", "sgd_momentum_mixed", "adamw_mixed"))
"""Operators of which one type is wide and another one narrow: that is what they are for."""

NEVER_EMPTY = frozenset(n for n in names() if n.endswith("_loss") or "cross_entropy" in n or n in ("kl_div",))
"""Means over all elements, which are not defined over none."""

LONGEST = 27
"""Lines of a printed text: what fits on a slide."""

LONGER = {"conv_transpose3d": 32, "max_pool3d_with_indices": 37}
"""Two forms, and a stride, a dilation, two paddings and an output padding for each of three axes; two results of windows that
have all but the last."""


def test_the_library_is_what_its_texts_hold() -> None:
    assert [op.name for op in library()] == list(names())
    assert len(names()) == len(set(names()))
    assert len(library()) == len(names())
    assert {family_of(name) for name in names()} == set(FAMILIES)
    assert {path.stem for path in Path(library_texts.__file__).parent.glob("*.uol")} == {*FAMILIES, *GRADIENTS}


def test_an_operator_is_read_when_it_is_asked_for() -> None:
    mine = library().copy()
    assert mine.get("no_such_operator") is None
    fresh = library_texts.TextLibrary({"softmax": "exponential", "softmin": "exponential", "relu": "activation"})
    assert fresh.get("softmax") == library().get("softmax")
    assert "relu" in fresh
    assert fresh.unread == ("softmin", "relu")
    assert len(fresh) == 3
    assert [op.name for op in fresh] == ["softmax", "softmin", "relu"]
    assert not fresh.unread


def test_what_is_added_to_a_copy_does_not_show_in_the_library() -> None:
    (own,) = parse("op texts_own(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] }")
    mine = library().copy()
    mine.add(own)
    assert "texts_own" in mine
    assert "texts_own" not in library()
    (other,) = parse("op relu(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] }")
    with pytest.raises(TypeCheckError, match="the library has another operator `relu`"):
        mine.add(other)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_says_its_version_and_fits_a_page(family: str) -> None:
    lines = text_of(family).splitlines()
    assert lines[0] == "uol 1"
    assert lines[1].startswith("# ")
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 128


@pytest.mark.parametrize("name", names())
def test_an_operator_fits_a_slide(name: str) -> None:
    op = library().get(name)
    assert op is not None
    assert len(print_op(op).splitlines()) <= LONGER.get(name, LONGEST)


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
        floats = {t for t in types.types if is_float(t)}
        assert floats in (set(), {"f64", "f32", "f16", "bf16"}) or name in ON_ACCUMULATORS | WIDE_WITH_NARROW


@pytest.mark.parametrize("name", names())
def test_an_operator_has_a_reference_and_workloads(name: str) -> None:
    assert has_reference(name)
    assert name in import_module(f"uol.ops.references.{family_of(name)}").REFERENCES
    found = workloads_of(name)
    assert found[0].note == "representative"
    assert len(found) >= 5
    assert any(0 in sizes(w) for w in found) or name in NEVER_EMPTY, "no empty workload"
    assert any(set(sizes(w)) & {7, 17, 33} for w in found)


def test_an_operator_that_is_not_known_has_no_reference() -> None:
    assert not has_reference("no_such_operator")
    with pytest.raises(UolError, match="no reference for operator 'no_such_operator'"):
        reference("no_such_operator", {}, {})


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
