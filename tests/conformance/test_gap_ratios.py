"""The arithmetic of a gap, on times that are written here."""

from __future__ import annotations

import pytest

from uol.conformance.gap.ratios import Pair, apart, eff_of, figures_of, gap_of, is_met

ROWS = {
    # eff 0.5 and 0.4; T_ref 10 and 20
    "first": [Pair(10, 20, 2, 4), Pair(20, 50, 2, 10)],
    # eff 0.9 and 0.45; T_ref 45 and 45
    "second": [Pair(45, 50, 0, 0), Pair(45, 100, 0, 0)],
}
NOTHING_KNOWN = (1.0, 1.0)


def test_the_figures_of_two_rows_on_two_devices() -> None:
    found = figures_of(ROWS, NOTHING_KNOWN)
    # T_ref 55 of 70 and 65 of 150; the best of both is below 0.85 of what may be
    assert found.effs == pytest.approx((55 / 70, 65 / 150))
    assert found.gap == pytest.approx(1 - (65 / 150) / 0.85)
    assert found.worst == ("second", pytest.approx(0.5))
    assert found.least == pytest.approx(0.4)
    assert found.portability == pytest.approx(2 / (70 / 55 + 150 / 65))


def test_above_the_floor_the_best_device_is_what_the_others_are_held_against() -> None:
    assert gap_of([0.9, 0.6], NOTHING_KNOWN) == pytest.approx(1 - 0.6 / 0.9)
    assert gap_of([0.5, 0.4], [0.5, 0.5]) == pytest.approx(0.2)  # the best that is known has 0.5
    assert gap_of([0.4, 0.4], [0.5, 0.5]) == pytest.approx(1 - 0.4 / 0.425)


def test_without_launches_bytes_and_operations_are_compared_alone() -> None:
    # T_ref 8 + 45 and 18 + 45, T 16 + 50 and 40 + 100
    found = figures_of(ROWS, NOTHING_KNOWN)
    assert found.without_launches == pytest.approx(1 - (63 / 140) / 0.85)


def test_a_refused_row_takes_for_ever() -> None:
    found = figures_of({**ROWS, "third": [Pair(1, 1), Pair(1, None)]}, NOTHING_KNOWN)
    assert found.effs == (pytest.approx(56 / 71), 0)
    assert (found.gap, found.portability, found.least) == (1, 0, 0)
    assert found.worst == ("third", 1.0)


def test_a_row_faster_than_can_be_gives_nothing_for_the_others() -> None:
    assert eff_of([Pair(10, 1), Pair(10, 30)]) == pytest.approx(20 / 40)
    assert figures_of({"fast": [Pair(10, 1), Pair(10, 10)]}, NOTHING_KNOWN).gap == 0
    assert [Pair(10, time).is_flagged for time in (9, 10, None)] == [True, False, False]


def test_time_beside_the_reference_counts_and_has_no_eff() -> None:
    beside = {**ROWS, "beside": [Pair(0, 30), Pair(0, 50)]}
    found = figures_of(beside, NOTHING_KNOWN)
    assert found.effs == pytest.approx((55 / 100, 65 / 200))
    assert found.worst == figures_of(ROWS, NOTHING_KNOWN).worst
    assert Pair(0, 30).eff is None and Pair(0, 30).lost == 30


def test_rows_are_apart_by_their_least_and_greatest_eff() -> None:
    assert apart([0.8, 0.6, 0.7]) == pytest.approx(0.25)
    assert apart([0.3, 0.3]) == 0


@pytest.mark.parametrize(
    ("effs", "known", "vendors", "met"),
    [
        ((0.90, 0.88), (1.0, 1.0), None, True),  # 2.2 % apart
        ((0.90, 0.87), (1.0, 1.0), None, False),  # 3.3 %
        ((0.90, 0.87), (1.0, 1.0), 0.05, True),  # the vendors are no closer
        ((0.84, 0.84), (1.0, 1.0), 0.62, False),  # equal, and slow on both
        ((0.50, 0.20), (0.5, 0.2), 0.60, False),  # as good as the vendors on each, and as far apart
        ((0.50, 0.21), (0.5, 0.2), 0.60, True),
        ((0.50, 0.16), (0.5, 0.2), 0.99, False),  # below 0.85 of the second's best
    ],
)
def test_a_gap_counts_where_every_device_is_near_its_best(
    effs: tuple[float, ...], known: tuple[float, ...], vendors: float | None, met: bool
) -> None:
    assert is_met(effs, known, vendors) is met
