"""The figures of a gap, on plain numbers: T_ref and T in seconds, by group, one for each device in order.

A group that a device refuses has no T there (None). It is left out of every ratio, and counted beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

REQUIRED = 0.03
"""What a path's gap has to stay below."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A group on a device: what it takes at least there, what it takes, and how much of either is launches."""

    reference: float
    time: float | None
    reference_launch: float = 0.0
    launch: float = 0.0

    @property
    def eff(self) -> float | None:
        """T_ref / T."""
        return None if self.time is None else self.reference / self.time

    @property
    def eff_without_launches(self) -> float | None:
        """(T_ref - its launches) / (T - its launches); None where nothing but launches is there."""
        if self.time is None or self.time <= self.launch:
            return None
        return (self.reference - self.reference_launch) / (self.time - self.launch)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a path over its devices. None: no group has a time on every device.

    gap                 mean of the groups' gaps, weighted by the mean of T_ref over the devices
    gap_of_sums         1 - least / greatest of sum T_ref / sum T
    without_launches    as `gap`, of bytes and operations alone
    worst               the group with the largest gap, and that
    floor               the least eff of any group on any device
    effs                sum T_ref / sum T of each device, over the groups that it has
    portability         Pennycook's: the harmonic mean of `effs`; 0 where a device refuses a group
    """

    gap: float | None
    gap_of_sums: float | None
    without_launches: float | None
    worst: tuple[str, float] | None
    floor: float | None
    effs: tuple[float | None, ...]
    portability: float


def gap_of(effs: Sequence[float]) -> float:
    """1 - least / greatest.

    >>> gap_of([0.5, 0.4])
    0.19999999999999996
    """
    return 1 - min(effs) / max(effs)


def figures_of(groups: Mapping[str, Sequence[Pair]]) -> Figures:
    """The figures of groups by name, with a pair for each device."""
    whole = {name: pairs for name, pairs in groups.items() if all(pair.time is not None for pair in pairs)}
    gaps = {name: gap_of([p.eff for p in pairs if p.eff is not None]) for name, pairs in whole.items()}
    shares = list(zip(*groups.values(), strict=True))
    effs = tuple(_share(device) for device in shares)
    sums = [each for each in (_share(device) for device in zip(*whole.values(), strict=True)) if each is not None]
    every = [p.eff for pairs in groups.values() for p in pairs if p.eff is not None]
    return Figures(
        gap=_weighted((gaps[name], _weight(pairs)) for name, pairs in whole.items()),
        gap_of_sums=gap_of(sums) if sums else None,
        without_launches=_weighted(_bare(whole.values())),
        worst=max(gaps.items(), key=lambda item: item[1], default=None),
        floor=min(every, default=None),
        effs=effs,
        portability=_harmonic(effs) if len(whole) == len(groups) else 0.0,
    )


def _bare(groups: Iterable[Sequence[Pair]]) -> Iterable[tuple[float, float]]:
    for pairs in groups:
        effs = [e for p in pairs if (e := p.eff_without_launches) is not None and e > 0]
        if len(effs) == len(pairs):
            yield gap_of(effs), sum(p.reference - p.reference_launch for p in pairs)


def _weight(pairs: Sequence[Pair]) -> float:
    return sum(pair.reference for pair in pairs) / len(pairs)


def _weighted(values: Iterable[tuple[float, float]]) -> float | None:
    known = list(values)
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _share(pairs: Iterable[Pair]) -> float | None:
    """sum T_ref / sum T of the groups that have a T: eff weighted by time."""
    known = [(pair.reference, pair.time) for pair in pairs if pair.time is not None]
    return sum(r for r, _ in known) / sum(t for _, t in known) if known else None


def _harmonic(effs: Sequence[float | None]) -> float:
    known = [e for e in effs if e]
    return len(known) / sum(1 / e for e in known) if len(known) == len(effs) and known else 0.0
