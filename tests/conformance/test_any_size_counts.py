"""What a kernel of any size costs beside those that are made for a size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.conformance import any_size_counts
from uol.conformance.any_size_counts import Cost, cost_of, costs_of
from uol.ops.workloads import Workload


def test_one_kernel_is_about_as_good_as_ten() -> None:
    found = costs_of(Workload("softmax", {"S": (2048,), "C": 1000}), "cuda", "f16")
    assert [(cost.dim, cost.sizes, cost.compiled) for cost in found] == [("S", 10, 1), ("C", 10, 1)]
    assert all(cost.is_small for cost in found), [str(cost) for cost in found]


def test_a_sum_of_any_length_goes_over_as_many_blocks() -> None:
    (found,) = costs_of(Workload("mse_loss", {"S": (1 << 24,)}), "hip", "f32")
    assert found.is_small


def test_pictures_of_any_height_are_not_cut_across_their_lines() -> None:
    """Parts of 8 columns of 2 bytes would use half of each sector. Of a gradient: statistics of a known size are of one
    reading, those of any size of two."""
    found = cost_of(Workload("batch_norm_grad", {"N": 32, "C": 64, "S": (56, 56)}), "cuda", "f16", "S_0")
    assert found is not None
    assert found.is_small, str(found)


def test_pictures_of_any_height_are_read_by_whole_accesses() -> None:
    """A channel of S_0 x 28 has whole ones where that is a multiple of 8, though 28 is not."""
    found = cost_of(Workload("group_norm", {"N": 2, "C": 64, "S": (28, 28)}, {"groups": 8}), "hip", "f16", "S_0")
    assert found is not None
    assert found.is_small, str(found)


@pytest.mark.parametrize("dim", [pytest.param("D", marks=pytest.mark.soak), "E"])
def test_heads_of_any_width_are_one_kernel(dim: str) -> None:
    """Scores that passed through memory were six times the sectors. Of f32: by threads, whatever is known; matrix units take
    f16 where the width of a head is known."""
    sizes = {"B": 1, "H": 2, "G": 2, "L": 64, "M": 64, "D": 64, "E": 64}
    found = cost_of(Workload("attention_grad", sizes), "cuda", "f32", dim)
    assert found is not None
    assert found.is_small, str(found)


def test_what_costs_more_fails(capsys: pytest.CaptureFixture[str]) -> None:
    small = Cost("softmax", "C", "softmax f32 on a machine, any C", 10, 1, 1.1, 1.0, 7)
    large = replace(small, sectors=1.3)
    assert any_size_counts.report([small]) == 0
    assert "1 dims, 0 beyond" in capsys.readouterr().out
    for found in ([large], [small, large], [replace(small, compiled=2)], []):
        assert any_size_counts.report(found) == 1
    assert "x 1.30" in capsys.readouterr().out
