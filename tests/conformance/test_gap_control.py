"""The control: published times of the vendors' own libraries, by the formulas that uol's are held against."""

from __future__ import annotations

from collections import Counter

import pytest

from uol.conformance.gap.control import Judged, best_known, by_likeness, judged, read_published, vendors_gap
from uol.conformance.gap.measure import devices

BEST_SQUARE = {"cuda:a100-40 f16", "hip:mi210 f16", "hip:mi210 bf16", "ascendc:910b2 f16", "ascendc:910b2 bf16"}
BEST_SQUARE |= {"cuda:h100 f16", "cuda:h100 bf16"}


@pytest.mark.parametrize("row", judged(), ids=lambda row: f"{row.published.device}-{row.published.what}-{row.published.by}")
def test_nothing_published_beats_the_reference(row: Judged) -> None:
    """It would be an error of the reference, of a rate or of what it says has to move."""
    assert 0 < row.eff <= 1


def test_the_best_square_product_is_what_the_rate_was_taken_from() -> None:
    best: dict[str, float] = {}
    for each in judged():
        if each.published.what.startswith("product"):
            name = f"{each.published.device} {each.published.dtype}"
            best[name] = max(each.eff, best.get(name, 0.0))
    assert {name for name, eff in best.items() if eff > 0.999} == BEST_SQUARE


def test_bytes_operations_and_seconds_are_those_of_the_sizes() -> None:
    text = """
[[product]]
device = "d"
by = "b"
dtype = "f16"
tflops = { 1000 = 2.0 }
source = "s"
[[attention]]
device = "d"
by = "b"
dtype = "f16"
batch = 2
heads = 3
width = 10
us = { 100 = 7.0 }
source = "s"
[[add]]
device = "d"
by = "b"
dtype = "f32"
elements = 50
us = 1.0
source = "s"
[[training]]
device = "d"
by = "b"
path = "resnet50"
dtype = "f16"
batch = 32
samples_a_second = 64
source = "s"
"""
    product, add, attention, step = read_published(text)
    assert (product.seconds, product.bytes, product.operations) == (pytest.approx(1e-3), 6_000_000, 2_000_000_000)
    assert (attention.seconds, attention.bytes, attention.operations) == (pytest.approx(7e-6), 48_000, 4 * 6 * 100 * 100 * 10)
    assert (add.bytes, add.operations) == (600, 0)
    assert (step.seconds, step.path, step.dims) == (0.5, "resnet50", {"N": 32})


def test_the_vendors_own_gap_is_that_of_what_is_alike() -> None:
    likes = by_likeness()
    attention = likes["attention, forward, f16"]
    assert set(attention) == set(devices().compared)
    # A100: 134,217,728 bytes twice at 1,759 GB/s and a launch of 233.7 us; of an MI250X 3.436e10 operations at 147 TFLOP/s
    assert attention["cuda:a100"] == pytest.approx((268_435_456 / 1759e9 + 1.4e-6) / 233.7e-6)
    assert attention["hip:mi250x"] == pytest.approx((4 * 1024 * 256**2 * 128 / 147e12 + 2.1e-6) / 613.6e-6)
    gap = vendors_gap(attention, devices().compared)
    assert gap == pytest.approx(1 - attention["hip:mi250x"] / attention["cuda:a100"])
    assert vendors_gap(likes["grouped product of 65536 x 2048 x 1536, 128 experts, bf16"], devices().compared) is None


def test_a_path_has_the_best_of_its_published_steps() -> None:
    known = best_known("resnet50")
    steps = [each for each in judged() if each.published.path == "resnet50"]
    assert Counter(each.published.stands_for for each in steps) == {"cuda:a100": 2, "ascendc:910b2": 1}
    assert known["cuda:a100"] == max(each.eff for each in steps if each.published.stands_for == "cuda:a100")
    assert best_known("moe") == best_known("cmap") == {}
