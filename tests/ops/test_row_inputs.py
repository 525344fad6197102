"""Kinds of inputs that are made row by row hold what they say, along the dims that an operator reduces over."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from library_programs import program_of

from uol.ops.inputs import Array, Kind, make_inputs
from uol.ops.reduced_dims import reduced_dims
from uol.ops.workloads import Workload

SIZES = Workload("layer_norm", {"S": (30,), "C": 17})


@pytest.mark.parametrize(
    ("workload", "dims"),
    [
        (SIZES, {"x": (1,)}),
        (Workload("batch_norm_train", {"N": 2, "C": 3, "S": (5,)}), {"x": (0, 2)}),
        (Workload("group_norm", {"N": 2, "C": 4, "S": (5,)}, {"groups": 2}), {"x": (1, 2)}),
        (Workload("add_layer_norm", {"S": (3,), "C": 5}), {"x": (1,), "residual": (1,)}),
        (Workload("matmul", {"S": (), "M": 3, "K": 4, "N": 5}), {"a": (1,), "b": (0,)}),
        (Workload("cross_entropy", {"N": 3, "C": 4}), {"x": (1,), "t": (0,)}),
        (Workload("sort", {"S": (3,), "C": 4}), {"x": (1,)}),
        (Workload("scatter_add", {"N": 3, "D": 4}, {"places": 2}), {"x": (0,)}),
        (Workload("relu", {"S": (3,)}), {}),
    ],
    ids=lambda value: value.op if isinstance(value, Workload) else "",
)
def test_a_row_is_what_one_reduction_takes_in(workload: Workload, dims: dict[str, tuple[int, ...]]) -> None:
    assert reduced_dims(program_of(workload, "f32")) == dims


def rows(kind: str, dtype: str = "f32", workload: Workload = SIZES, name: str = "x") -> Array:
    return make_inputs(program_of(workload, dtype), cast(Kind, kind), seed=1)[name]


def test_constant_rows_have_no_variance_and_one_of_them_no_norm() -> None:
    x = rows("constant")
    assert (x == x[:, :1]).all()
    assert {0.0, 64.0} <= set(x[:, 0])
    channels = rows("constant", workload=Workload("batch_norm_train", {"N": 2, "C": 3, "S": (5,)}))
    assert (channels == channels[:1, :, :1]).all() and len(np.unique(channels)) == 3


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_rows_with_an_offset_differ_by_a_little(dtype: str) -> None:
    x = rows("offset", dtype)
    assert (np.abs(np.abs(x) - 1000) <= 16).all() and (x.std(-1) > 0).all()
    assert {np.sign(r[0]) for r in x} == {-1, 1}


def test_faint_rows_have_a_variance_about_eps() -> None:
    variances = rows("faint").var(-1)
    assert ((variances > 2e-6) & (variances < 5e-5)).any() and (variances < 1e-20).any()


def test_scores_are_negative() -> None:
    x = rows("negative")
    assert (x < 0).all() and (x.max(-1) < -1000).any() and (x.max(-1) > -2).any()
    inputs = make_inputs(program_of(Workload("attention_scores", {"B": 1, "H": 2, "G": 1, "L": 3, "M": 4, "D": 5}), "f32"),
                         "negative", seed=1)  # fmt: skip
    assert (inputs["q"] @ np.swapaxes(inputs["k"], -1, -2) < 0).all()


def test_an_infinity_or_nan_stands_first_in_the_middle_and_last() -> None:
    x = rows("infinite")
    alone = x[(~np.isfinite(x)).sum(-1) == 1]
    found = {(int(place), str(row[place])) for row in alone for place in np.flatnonzero(~np.isfinite(row))}
    assert found == {(place, value) for place in (0, 8, 16) for value in ("inf", "-inf", "nan")}
    assert (x == -np.inf).all(-1).any() and (x == np.inf).all(-1).any() and np.isfinite(x).all(-1).any()


def test_of_several_inputs_not_all_are_infinite() -> None:
    inputs = make_inputs(program_of(Workload("cosine_similarity", {"S": (40,), "C": 5}), "f32"), "infinite", seed=1)
    a, b = (np.isfinite(inputs[name]).all(-1) for name in "ab")
    assert (a & ~b).any() and (~a & b).any() and (~a & ~b).any()


def test_a_dim_of_nothing_is_no_row() -> None:
    for shape, columns in (((0,), 7), ((), 1)):
        for kind in ("constant", "faint", "offset", "negative", "large", "ties", "infinite"):
            assert rows(kind, workload=Workload("softmax", {"S": shape, "C": columns})).shape == (*shape, columns)
