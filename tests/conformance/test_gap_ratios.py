"""The arithmetic of a gap, on times that are written here."""

from __future__ import annotations

import pytest

from uol.conformance.gap.ratios import Pair, figures_of, gap_of


def test_the_gap_of_a_group_is_how_far_the_least_eff_is_below_the_greatest() -> None:
    assert gap_of([0.8, 0.6, 0.7]) == pytest.approx(0.25)
    assert gap_of([0.3, 0.3]) == 0


GROUPS = {
    # eff 0.5 and 0.4: gap 0.2; T_ref 10 and 20
    "first": [Pair(10, 20, 2, 4), Pair(20, 50, 2, 10)],
    # eff 0.9 and 0.45: gap 0.5; T_ref 45 and 45
    "second": [Pair(45, 50, 0, 0), Pair(45, 100, 0, 0)],
}


def test_the_figures_of_two_groups_on_two_devices() -> None:
    found = figures_of(GROUPS)
    # weights are the means of T_ref: 15 and 45
    assert found.gap == pytest.approx((15 * 0.2 + 45 * 0.5) / 60)
    # sums: T_ref 55 of 70 and 65 of 150
    assert found.effs == pytest.approx((55 / 70, 65 / 150))
    assert found.gap_of_sums == pytest.approx(1 - (65 / 150) / (55 / 70))
    assert found.worst == ("second", pytest.approx(0.5))
    assert found.floor == pytest.approx(0.4)
    assert found.portability == pytest.approx(2 / (70 / 55 + 150 / 65))


def test_without_launches_bytes_and_operations_are_compared_alone() -> None:
    # first: 8 / 16 and 18 / 40, so 1 - 0.45 / 0.5; T_ref without launches 8 + 18; second as before, 45 + 45
    assert figures_of(GROUPS).without_launches == pytest.approx((26 * 0.1 + 90 * 0.5) / 116)


def test_a_group_of_launches_alone_has_no_part_without_them() -> None:
    groups = {**GROUPS, "third": [Pair(3, 5, 3, 5), Pair(4, 5, 4, 5)]}
    assert figures_of(groups).without_launches == pytest.approx(figures_of(GROUPS).without_launches)
    assert figures_of(groups).gap != pytest.approx(figures_of(GROUPS).gap)


def test_a_refused_group_is_left_out_of_ratios_and_takes_portability_away() -> None:
    found = figures_of({**GROUPS, "third": [Pair(100, 100), Pair(100, None)]})
    plain = figures_of(GROUPS)
    assert found.gap == plain.gap
    assert found.gap_of_sums == plain.gap_of_sums
    assert found.worst == plain.worst
    assert found.portability == 0
    assert found.effs == pytest.approx((155 / 170, 65 / 150))  # each device's own groups


def test_devices_that_are_equally_slow_have_no_gap_and_a_low_floor() -> None:
    found = figures_of({"only": [Pair(1, 100), Pair(2, 200)]})
    assert found.gap == found.gap_of_sums == 0
    assert found.floor == pytest.approx(0.01)


def test_nothing_on_every_device_is_no_figure() -> None:
    found = figures_of({"only": [Pair(1, None), Pair(1, 2)]})
    assert (found.gap, found.gap_of_sums, found.without_launches, found.worst, found.portability) == (None, None, None, None, 0)
    assert found.effs == (None, 0.5)
