"""The figures of a gap, on plain numbers: T_ref and T in seconds, by row, one pair for each device in order.

    eff_d = sum of T_ref / sum of max(T, T_ref)                                over rows; 0 where a row is refused
    gap   = 1 - least eff / max(greatest eff, 0.85 * best known)               over the devices

Nobody lowers it by being slower: a refused row takes for ever, a T below T_ref counts as T_ref, and a path that is slow on
every device is held against the best that is known of any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

REQUIRED = 0.03
"""What a path's gap has to stay below, where the vendors' own is not larger."""
LEAST_SHARE = 0.85
"""The share of the best known eff that a device has to have before a gap counts."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A row on a device: what it takes at best there, what it takes (None: it is refused), and how much of either is launches.
    A row that computes nothing of the mathematics has a `reference` of 0."""

    reference: float
    time: float | None
    reference_launch: float = 0.0
    launch: float = 0.0

    @property
    def eff(self) -> float | None:
        """T_ref / T; None where there is no T_ref, 0 where there is no T.

        >>> Pair(2.0, 8.0).eff, Pair(2.0, None).eff, Pair(0.0, 1.0).eff
        (0.25, 0.0, None)
        """
        if not self.reference:
            return None
        return self.reference / self.time if self.time is not None else 0.0

    @property
    def is_flagged(self) -> bool:
        """Is it modelled faster than what the device attains?"""
        return self.time is not None and self.time < self.reference

    @property
    def lost(self) -> float | None:
        """T - T_ref in seconds: what could be won."""
        return None if self.time is None else self.time - self.reference

    @property
    def without_launches(self) -> Pair:
        """The eff of bytes and operations alone."""
        time = None if self.time is None else self.time - self.launch
        return Pair(self.reference - self.reference_launch, time)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a path's rows over its devices.

    effs                of each device
    gap                 of these
    without_launches    as `gap`, of bytes and operations alone
    worst               the row whose effs lie farthest apart, and 1 - its least / its greatest; None: no row has a T_ref
    least               the least eff of any row on any device; None: no row has a T_ref. In both a flagged row has eff 1
    portability         Pennycook's: the harmonic mean of `effs`, 0 where one is 0
    """

    effs: tuple[float, ...]
    gap: float
    without_launches: float
    worst: tuple[str, float] | None
    least: float | None
    portability: float


def eff_of(pairs: Iterable[Pair]) -> float:
    """The eff of rows together on one device.

    >>> eff_of([Pair(10, 20), Pair(30, 60)]), eff_of([Pair(10, 20), Pair(30, None)])
    (0.5, 0.0)

    What is faster than it can be gives nothing for the others:

    >>> eff_of([Pair(10, 1), Pair(10, 30)])
    0.5
    """
    known = list(pairs)
    if any(pair.time is None for pair in known):
        return 0.0
    taken = sum(max(pair.time or 0.0, pair.reference) for pair in known)
    return sum(pair.reference for pair in known) / taken if taken else 1.0


def gap_of(effs: Sequence[float], best_known: Sequence[float]) -> float:
    """How far the worst device is below the best one, or below what the best is known to attain at least.

    >>> gap_of([0.90, 0.81], [1.0, 1.0])
    0.09999999999999998

    Slowing all to the worst lowers nothing below 0.85 of the best known:

    >>> gap_of([0.50, 0.34], [1.0, 0.5]) == gap_of([0.34, 0.34], [1.0, 0.5]) == 1 - 0.34 / 0.85
    True
    """
    return 1 - min(effs) / max(*effs, LEAST_SHARE * max(best_known))


def apart(effs: Sequence[float]) -> float:
    """1 - least / greatest, of one row.

    >>> apart([0.5, 0.4]), apart([0.5, 0.0]), apart([0.0, 0.0])
    (0.19999999999999996, 1.0, 1.0)
    """
    return 1 - min(effs) / max(effs) if max(effs) else 1.0


def is_met(effs: Sequence[float], best_known: Sequence[float], vendors_gap: float | None) -> bool:
    """Is the gap below what is required, on devices that are all near the best that is known of them?

    >>> is_met([0.95, 0.93], [1.0, 1.0], None), is_met([0.95, 0.86], [1.0, 1.0], 0.2), is_met([0.95, 0.80], [1.0, 1.0], 0.2)
    (True, True, False)
    """
    near = all(eff >= LEAST_SHARE * best for eff, best in zip(effs, best_known, strict=True))
    return near and gap_of(effs, best_known) < max(REQUIRED, vendors_gap or 0.0)


def figures_of(rows: Mapping[str, Sequence[Pair]], best_known: Sequence[float]) -> Figures:
    """The figures of rows by name, with a pair for each device; `best_known`: an eff for each."""
    by_device = list(zip(*rows.values(), strict=True))
    effs = tuple(eff_of(pairs) for pairs in by_device)
    bare = [eff_of(pair.without_launches for pair in pairs) for pairs in by_device]
    of_rows = {name: [min(e, 1.0) for pair in pairs if (e := pair.eff) is not None] for name, pairs in rows.items()}
    gaps = {name: apart(found) for name, found in of_rows.items() if found}
    return Figures(
        effs=effs,
        gap=gap_of(effs, best_known),
        without_launches=gap_of(bare, best_known),
        worst=max(gaps.items(), key=lambda item: item[1], default=None),
        least=min((e for found in of_rows.values() for e in found), default=None),
        portability=_harmonic(effs),
    )


def _harmonic(effs: Sequence[float]) -> float:
    return len(effs) / sum(1 / e for e in effs) if all(effs) else 0.0
